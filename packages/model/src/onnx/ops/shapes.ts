import type { ShapeLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";

/** The sizes of any value, which are public even where its elements are private. */
export function shape(ctx: Context, node: Node): void {
  const start = node.attributes.integer("start");
  const end = node.attributes.integer("end");
  node.attributes.refuseRest();
  const layer: ShapeLayer = { op: "shape", name: node.name, inputs: [], outputs: [node.outputs[0] ?? ""] };
  if (start !== undefined) layer.start = start;
  if (end !== undefined) layer.end = end;
  ctx.shape(node, layer, [ctx.input(node, 0)], "integer");
}

export function constantOfShape(ctx: Context, node: Node): void {
  const value = node.attributes.tensor("value");
  node.attributes.refuseRest();
  if (value && value.data.length !== 1)
    badNode(node, `value has ${value.data.length} elements, expected one`);
  const input = ctx.input(node, 0);
  if (input.kind !== "constant" && input.kind !== "public")
    unsupportedNode(node, `the shape ${quote(input.name)} depends on the data of the model's inputs`);
  const layer: ShapeLayer = {
    op: "constantOfShape",
    name: node.name,
    inputs: [input.name],
    outputs: [node.outputs[0] ?? ""],
    value: value?.data[0] ?? 0,
  };
  ctx.shape(node, layer, [input], value?.type ?? "float");
}
