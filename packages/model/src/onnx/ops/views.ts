import type { ViewLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";

type Parameters = Pick<ViewLayer, "perm" | "axis" | "allowzero">;

function write(ctx: Context, node: Node, op: ViewLayer["op"], inputs: string[], parameters: Parameters = {}) {
  ctx.view(node, { op, name: node.name, inputs, outputs: [node.outputs[0] ?? ""], ...parameters });
}

export function transpose(ctx: Context, node: Node): void {
  const perm = node.attributes.integers("perm");
  node.attributes.refuseRest();
  write(ctx, node, "transpose", node.inputs.slice(0, 1), perm ? { perm } : {});
}

export function reshape(ctx: Context, node: Node): void {
  const allowzero = node.attributes.integer("allowzero") === 1;
  node.attributes.refuseRest();
  write(ctx, node, "reshape", node.inputs.slice(0, 2), allowzero ? { allowzero } : {});
}

export function flatten(ctx: Context, node: Node): void {
  const axis = node.attributes.integer("axis") ?? 1;
  node.attributes.refuseRest();
  write(ctx, node, "flatten", node.inputs.slice(0, 1), { axis });
}

export function expand(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  write(ctx, node, "expand", node.inputs.slice(0, 2));
}

export function concat(ctx: Context, node: Node): void {
  const axis = node.attributes.integer("axis");
  node.attributes.refuseRest();
  if (axis === undefined) badNode(node, "attribute axis is missing");
  write(ctx, node, "concat", node.inputs, { axis });
}

/** Squeeze and Unsqueeze: axes are an attribute before opset 13, then an input. */
export function withAxes(op: "squeeze" | "unsqueeze") {
  return (ctx: Context, node: Node): void => {
    const axes = node.attributes.integers("axes");
    node.attributes.refuseRest();
    if (axes && node.inputs.length > 1) badNode(node, "axes are given both as attribute and as input");
    const extra = axes ? [ctx.addIntegers(`${node.name}.axes`, axes)] : node.inputs.slice(1, 2);
    write(ctx, node, op, [node.inputs[0] ?? "", ...extra]);
  };
}

/** Starts, ends and axes are attributes before opset 10, then inputs. */
export function slice(ctx: Context, node: Node): void {
  const [starts, ends, axes] = ["starts", "ends", "axes"].map((name) => node.attributes.integers(name));
  node.attributes.refuseRest();
  if (!starts || !ends) {
    write(ctx, node, "slice", node.inputs.slice(0, 5));
    return;
  }
  const given = Object.entries(axes ? { starts, ends, axes } : { starts, ends });
  const names = given.map(([name, values]) => ctx.addIntegers(`${node.name}.${name}`, values));
  write(ctx, node, "slice", [node.inputs[0] ?? "", ...names]);
}

/** Rows by constant indices; by a token input it is the look-up of an embedding. */
export function gather(ctx: Context, node: Node): void {
  const axis = node.attributes.integer("axis") ?? 0;
  node.attributes.refuseRest();
  const table = ctx.input(node, 0);
  const indices = ctx.input(node, 1);
  if (indices.kind !== "token") {
    write(ctx, node, "gather", node.inputs.slice(0, 2), { axis });
    return;
  }
  if (table.kind !== "constant" || table.type !== "float" || table.shape.length !== 2)
    unsupportedNode(
      node,
      `it looks up ${quote(table.name)} by the model input ${quote(indices.name)}; supported is a constant table [rows, columns] of reals`,
    );
  if (axis !== 0 && axis !== -2)
    unsupportedNode(node, `attribute axis = ${axis} is not supported in a look-up; supported is 0`);
  const name = node.outputs[0] ?? "";
  ctx.layers.push({
    op: "embedding",
    name: node.name,
    inputs: [indices.name],
    outputs: [name],
    table: ctx.addTensor(`${node.name}.table`, table.shape, table.data),
  });
  ctx.define(name, { kind: "private", name });
}

/** One slice for each part; sizes are an attribute before opset 13, then an input. */
export function split(ctx: Context, node: Node): void {
  const axis = node.attributes.integer("axis") ?? 0;
  const attribute = node.attributes.integers("split");
  node.attributes.ignore("num_outputs");
  node.attributes.refuseRest();
  const input = ctx.optional(node, 1);
  const sizes = attribute ?? (input?.kind === "constant" ? Array.from(input.data) : undefined);
  if (!sizes) unsupportedNode(node, "the sizes of the parts must be given as constants");
  if (sizes.length !== node.outputs.length)
    badNode(node, `${sizes.length} sizes are given for ${node.outputs.length} outputs`);
  const axes = ctx.addIntegers(`${node.name}.axes`, [axis]);
  let start = 0;
  sizes.forEach((size, i) => {
    const starts = ctx.addIntegers(`${node.name}.starts`, [start]);
    start += size;
    const ends = ctx.addIntegers(`${node.name}.ends`, [start]);
    const inputs = [node.inputs[0] ?? "", starts, ends, axes];
    ctx.view(node, { op: "slice", name: node.name, inputs, outputs: [node.outputs[i]!] });
  });
}
