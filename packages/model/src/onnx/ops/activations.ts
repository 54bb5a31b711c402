import type { Activation } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { type ConstantValue, fillOf } from "../values.js";
import { affine, combine, product, write } from "./arithmetic.js";

const HINT = "activations of constants are not supported";

/** An elementwise function. @param defaults of its attributes alpha and beta, as ONNX has them. */
export function activation(name: Activation["name"], defaults: { alpha?: number; beta?: number } = {}) {
  return (ctx: Context, node: Node): void => {
    const parameters: Omit<Activation, "name"> = {};
    for (const key of ["alpha", "beta"] as const)
      if (defaults[key] !== undefined) parameters[key] = node.attributes.float(key) ?? defaults[key];
    node.attributes.refuseRest();
    const x = ctx.privateInput(node, 0, HINT);
    write(ctx, node, x, { name, ...parameters }, node.outputs[0] ?? "");
  };
}

/** PRelu with one slope is LeakyRelu. */
export function prelu(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const x = ctx.privateInput(node, 0, HINT);
  const slope = ctx.weight(node, 1, "slope");
  const alpha = fillOf(slope);
  if (typeof alpha !== "number") unsupportedNode(node, "its slopes differ; supported is one slope for all");
  write(ctx, node, x, { name: "leakyRelu", alpha }, node.outputs[0] ?? "");
}

/** |x|, which is LeakyRelu with the slope -1. */
export function absolute(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const value = ctx.input(node, 0);
  if (value.kind === "constant" || value.kind === "public") {
    ctx.elementwise(node, [value], value.type, (v) => (typeof v === "number" ? Math.abs(v) : undefined));
    return;
  }
  const x = ctx.privateInput(node, 0, HINT);
  write(ctx, node, x, { name: "leakyRelu", alpha: -1 }, node.outputs[0] ?? "");
}

/** x hardSigmoid(x / 6). */
export function hardSwish(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const x = ctx.privateInput(node, 0, HINT);
  const gate = write(ctx, node, x, { name: "hardSigmoid", alpha: 1 / 6, beta: 0.5 });
  product(ctx, node, x, gate, node.outputs[0] ?? "");
}

/** gamma elu(x). */
export function selu(ctx: Context, node: Node): void {
  const alpha = node.attributes.float("alpha") ?? 1.6732632423543772;
  const gamma = node.attributes.float("gamma") ?? 1.0507009873554805;
  node.attributes.refuseRest();
  const elu = write(ctx, node, ctx.privateInput(node, 0, HINT), { name: "elu", alpha });
  const scale: ConstantValue = { kind: "constant", name: "", type: "float", shape: [], data: [gamma] };
  affine(ctx, node, elu, { scale });
}

/** Limits: attributes before opset 11, then inputs. */
export function clip(ctx: Context, node: Node): void {
  const limit = (name: "min" | "max", position: number): number | undefined => {
    const attribute = node.attributes.float(name);
    const input = ctx.optional(node, position);
    if (!input) return attribute;
    const value = input.kind === "constant" || input.kind === "public" ? fillOf(input) : undefined;
    if (typeof value !== "number")
      unsupportedNode(node, `${name} ${quote(input.name)} is not a constant number`);
    return value;
  };
  const [min, max] = [limit("min", 1), limit("max", 2)];
  node.attributes.refuseRest();
  const value = ctx.input(node, 0);
  if (value.kind === "constant" || value.kind === "public") {
    const inside = (v: number) => Math.min(Math.max(v, min ?? v), max ?? v);
    ctx.elementwise(node, [value], value.type, (v) => (typeof v === "number" ? inside(v) : undefined));
    return;
  }
  const x = ctx.privateInput(node, 0, HINT);
  const output = node.outputs[0] ?? "";
  // Exporters write "no limit" as the largest float.
  const low = min === undefined || min < -LARGEST ? undefined : min;
  const high = max === undefined || max > LARGEST ? undefined : max;
  if (low !== undefined && high !== undefined) {
    if (low > high) badNode(node, `its limits are ${low} and ${high}`);
    write(ctx, node, x, { name: "clip", alpha: low, beta: high }, output);
  } else if (low === 0) write(ctx, node, x, { name: "relu" }, output);
  else if (low !== undefined) {
    const edge = scalar(ctx, node, low);
    const above = write(ctx, node, combine(ctx, node, "sub", x, edge), { name: "relu" });
    combine(ctx, node, "add", above, edge, output);
  } else if (high !== undefined) {
    const edge = scalar(ctx, node, high);
    const below = write(ctx, node, combine(ctx, node, "sub", edge, x), { name: "relu" });
    combine(ctx, node, "sub", edge, below, output);
  } else ctx.define(output, x);
}

const LARGEST = 3e38;

function scalar(ctx: Context, node: Node, value: number): ConstantValue {
  return ctx.value(ctx.addScalar(`${node.name}.limit`, "float", value)) as ConstantValue;
}
