import type { ViewLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { position } from "../sizes.js";
import { embedding } from "./embedding.js";
import { gatherSorted } from "./order.js";

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
  const indices = ctx.input(node, 1);
  if (indices.kind === "token") embedding(ctx, node, indices, axis);
  else if (indices.kind === "order") gatherSorted(ctx, node, indices, axis);
  else write(ctx, node, "gather", node.inputs.slice(0, 2), { axis });
}

/** One slice for each part; sizes are an attribute before opset 13, then an input, or parts are equal. */
export function split(ctx: Context, node: Node): void {
  const axis = node.attributes.integer("axis") ?? 0;
  const attribute = node.attributes.integers("split");
  const parts = node.attributes.integer("num_outputs") ?? node.outputs.length;
  node.attributes.refuseRest();
  const input = ctx.optional(node, 1);
  if (input && input.kind !== "constant")
    unsupportedNode(node, "the sizes of the parts must be given as constants");
  const sizes = attribute ?? (input ? Array.from(input.data) : equalParts(ctx, node, axis, parts));
  if (sizes.length !== node.outputs.length)
    badNode(node, `${sizes.length} sizes are given for ${node.outputs.length} outputs`);
  const axes = ctx.addIntegers(`${node.name}.axes`, [axis]);
  let start = 0;
  sizes.forEach((size, i) => {
    const starts = ctx.addIntegers(`${node.name}.starts`, [start]);
    start += size;
    const ends = ctx.addIntegers(`${node.name}.ends`, [start]);
    const inputs = [node.inputs[0] ?? "", starts, ends, axes];
    if (node.outputs[i]) ctx.view(node, { op: "slice", name: node.name, inputs, outputs: [node.outputs[i]] });
  });
}

/** The last part is smaller where the parts can't be equal. */
function equalParts(ctx: Context, node: Node, axis: number, parts: number): number[] {
  const { shape } = ctx.input(node, 0);
  const size = shape?.[position(axis, shape.length)];
  if (typeof size !== "number")
    unsupportedNode(node, "it splits an axis of unknown size into equal parts; export it with sizes");
  const part = Math.ceil(size / parts);
  const rest = size - part * (parts - 1);
  if (parts !== node.outputs.length || rest < 0)
    badNode(node, `it splits an axis of ${size} into ${parts} parts, and has ${node.outputs.length} outputs`);
  return node.outputs.map((_, i) => (i === parts - 1 ? rest : part));
}
