/** Functions at a model's end, which the client computes on the logits. */
import type { Context } from "../context.js";
import { unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { position } from "../sizes.js";

const HINT = "functions of constants are not supported";

/** Softmax and LogSoftmax: supported as the model's last layer. */
export function softmax(op: "softmax" | "logSoftmax") {
  return (ctx: Context, node: Node): void => {
    const axis = node.attributes.integer("axis") ?? (node.opset < 13 ? 1 : -1);
    node.attributes.refuseRest();
    const x = ctx.privateInput(node, 0, HINT);
    const name = node.outputs[0] ?? "";
    // Before opset 13 it ran over all axes from `axis` on; that is the same only for the last one.
    const rank = x.shape?.length ?? ctx.outputRanks.get(name);
    if (node.opset < 13 && axis !== -1 && axis + 1 !== rank)
      unsupportedNode(
        node,
        `attribute axis = ${axis} is supported in opset ${node.opset} only for the last axis; export with opset_version=13 or newer`,
      );
    ctx.write({ op, name: node.name, inputs: [x.name], outputs: [name], axis }, x.shape, { final: true });
  };
}

/** The logarithm of a softmax; of constants elsewhere. */
export function logarithm(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const value = ctx.input(node, 0);
  const producer =
    value.kind === "private" && value.final && ctx.layers.find((l) => l.outputs.includes(value.name));
  if (value.kind === "private" && producer && producer.op === "softmax") {
    const outputs = [node.outputs[0] ?? ""];
    ctx.write({ ...producer, op: "logSoftmax", outputs }, value.shape, { final: true });
    return;
  }
  unsupportedNode(node, "logarithms are supported only of a Softmax at the model's end");
}

/** The position of the largest. A softmax before it is left out in the end, as it changes no order. */
export function argMax(ctx: Context, node: Node): void {
  const axis = node.attributes.integer("axis") ?? 0;
  const keepDims = (node.attributes.integer("keepdims") ?? 1) !== 0;
  if (node.attributes.integer("select_last_index"))
    unsupportedNode(node, "select_last_index = 1 is not supported; of equal numbers the first is taken");
  node.attributes.refuseRest();
  const found = ctx.input(node, 0);
  const x = found.kind === "private" && found.final ? found : ctx.privateInput(node, 0, HINT);
  const at = x.shape && position(axis, x.shape.length);
  const shape = x.shape?.flatMap((d, a) => (a !== at ? [d] : keepDims ? [1] : []));
  const layer = { name: node.name, inputs: [x.name], outputs: [node.outputs[0] ?? ""], axis, keepDims };
  ctx.write({ op: "argMax", ...layer }, shape, { final: true, whole: true });
}
