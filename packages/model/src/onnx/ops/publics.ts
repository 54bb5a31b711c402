/** Arithmetic that exporters write on shapes, indices and weights, and that is done while importing. */
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import type { ElementType } from "../tensor.js";
import { type ConstantValue, fillOf, type PublicValue, type Size } from "../values.js";
import { refuseLengths } from "./lengths.js";

type Known = ConstantValue | PublicValue;

/** @param type of the result; the first operand's if not given. @param f of numbers. */
export function publicFunction(operands: number, f: (...v: number[]) => number, type?: ElementType) {
  return elementwise(operands, type, (...e) => (e.every((v) => typeof v === "number") ? f(...e) : undefined));
}

/** Sizes are known to be at least 1, and equal to themselves. */
export const equal = elementwise(2, "boolean", (a, b) => {
  if (a === undefined || b === undefined) return undefined;
  if (typeof a === typeof b) return a === b ? 1 : typeof a === "number" ? 0 : undefined;
  const number = typeof a === "number" ? a : (b as number);
  return number < 1 ? 0 : undefined;
});

/** One of two public values. */
export const where = elementwise(3, "float", (condition, a, b) =>
  condition === undefined ? undefined : condition === 0 ? b : a,
);

/** Numbers from start up to limit. */
export function range(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const end = known(ctx, node, 1);
  const [from, by] = [0, 2].map((i) => fillOf(known(ctx, node, i)));
  if (end.kind === "public" && from === 0 && by === 1) {
    // Only for the order of sorted sequences (ops/order.ts); as values, open sizes can't be counted.
    const [name, shape] = [node.outputs[0] ?? "", [fillOf(end)]];
    ctx.define(name, { kind: "public", name, type: end.type, shape, counts: true });
    return;
  }
  const [start, limit, delta] = [0, 1, 2].map((i) => {
    const value = known(ctx, node, i);
    if (value.kind !== "constant" || value.data.length !== 1)
      unsupportedNode(
        node,
        `${quote(value.name)} is not a constant number; export the model with fixed sizes`,
      );
    return value.data[0]!;
  }) as [number, number, number];
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (!(count <= 2 ** 20)) badNode(node, `it has ${count} numbers`);
  const name = node.outputs[0] ?? "";
  const data = Array.from({ length: count }, (_, i) => start + i * delta);
  const { type } = known(ctx, node, 0);
  ctx.define(name, { kind: "constant", name, type, shape: [count], data });
}

/** A value that is repeated along axes of size 1: an expansion. */
export function tile(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const [value, repeats] = [ctx.input(node, 0), known(ctx, node, 1)];
  const times = repeats.kind === "constant" ? Array.from(repeats.data) : repeats.elements;
  const { shape } = value;
  if (!times || !shape || times.length !== shape.length || !shape.every((d, i) => d === 1 || times[i] === 1))
    unsupportedNode(node, `it repeats ${quote(value.name)} along an axis that is longer than 1, or unknown`);
  ctx.view(node, {
    op: "expand",
    name: node.name,
    inputs: node.inputs.slice(0, 2),
    outputs: [node.outputs[0] ?? ""],
  });
}

function elementwise(operands: number, type: ElementType | undefined, f: (...elements: Size[]) => Size) {
  return (ctx: Context, node: Node): void => {
    node.attributes.ignore("fmod");
    node.attributes.refuseRest();
    const values = Array.from({ length: operands }, (_, i) => known(ctx, node, i));
    const own = operands === 3 ? values[1]!.type : (type ?? values[0]!.type);
    ctx.elementwise(node, values, own, f);
  };
}

function known(ctx: Context, node: Node, position: number): Known {
  const value = ctx.input(node, position);
  if (value.kind === "length") refuseLengths(node, value);
  if (value.kind !== "constant" && value.kind !== "public")
    unsupportedNode(
      node,
      `${quote(value.name)} depends on the model's inputs; this operator is supported only on constants and shapes`,
    );
  return value;
}
