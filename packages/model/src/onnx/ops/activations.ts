import type { Context } from "../context.js";
import { unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";

const HINT = "activations of constants are not supported";

export function activation(activation: "sigmoid" | "tanh") {
  return (ctx: Context, node: Node): void => {
    node.attributes.refuseRest();
    const x = ctx.privateInput(node, 0, HINT);
    const name = node.outputs[0] ?? "";
    ctx.layers.push({
      op: "activation",
      name: node.name,
      inputs: [x.name],
      outputs: [name],
      activation: { name: activation },
    });
    ctx.define(name, { kind: "private", name });
  };
}

/** Softmax and LogSoftmax: supported as the model's last layer. */
export function softmax(op: "softmax" | "logSoftmax") {
  return (ctx: Context, node: Node): void => {
    const axis = node.attributes.integer("axis") ?? (node.opset < 13 ? 1 : -1);
    node.attributes.refuseRest();
    const x = ctx.privateInput(node, 0, HINT);
    const name = node.outputs[0] ?? "";
    // Before opset 13 it ran over all axes from `axis` on; that is the same only for the last one.
    const rank = ctx.outputRanks.get(name);
    if (node.opset < 13 && axis !== -1 && axis + 1 !== rank)
      unsupportedNode(
        node,
        `attribute axis = ${axis} is supported in opset ${node.opset} only for the last axis; export with opset_version=13 or newer`,
      );
    ctx.layers.push({ op, name: node.name, inputs: [x.name], outputs: [name], axis });
    ctx.define(name, { kind: "private", name, final: true });
  };
}
