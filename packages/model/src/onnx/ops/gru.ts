import type { GruLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { type ConstantValue, fillOf } from "../values.js";

/** ONNX's GRU. Its rows are the gates z, r, n, as in the description. */
export function gru(ctx: Context, node: Node): void {
  const resetAfter = readAttributes(node);
  const x = ctx.privateInput(node, 0, "the sequence of a GRU comes from the data");
  const W = ctx.weight(node, 1, "input weights W");
  const R = ctx.weight(node, 2, "recurrent weights R");
  const B = ctx.optional(node, 3) && ctx.weight(node, 3, "biases B");
  if (ctx.optional(node, 4))
    unsupportedNode(
      node,
      "sequence_lens is not supported; all sequences of a batch have the same length. Export the model without packed or masked sequences",
    );
  const hidden = R.shape[2] ?? 0;
  const declared = node.attributes.integer("hidden_size") ?? hidden;
  node.attributes.refuseRest();
  if (hidden < 1 || declared !== hidden)
    badNode(node, `hidden_size is ${declared}, but recurrent weights R have shape [${R.shape}]`);
  expectShape(node, "W", W, [1, 3 * hidden, W.shape[2] ?? 1]);
  expectShape(node, "R", R, [1, 3 * hidden, hidden]);
  if (B) expectShape(node, "B", B, [1, 6 * hidden]);

  const layer: GruLayer = {
    op: "gru",
    name: node.name,
    hidden,
    resetAfter,
    inputs: [x.name],
    outputs: [node.outputs[0] ?? "", node.outputs[1] ?? ""],
    W: ctx.addTensor(`${node.name}.W`, W.shape.slice(1), W.data),
    U: ctx.addTensor(`${node.name}.U`, R.shape.slice(1), R.data),
  };
  if (B) {
    layer.bW = ctx.addTensor(`${node.name}.bW`, [3 * hidden], B.data.slice(0, 3 * hidden));
    layer.bU = ctx.addTensor(`${node.name}.bU`, [3 * hidden], B.data.slice(3 * hidden));
  }
  const h0 = initialState(ctx, node, hidden);
  if (h0) layer.inputs.push(h0);
  ctx.layers.push(layer);
  for (const name of layer.outputs) ctx.define(name, { kind: "private", name });
}

/** Checks what is fixed in this version. @returns whether the reset gate acts after the matrix product. */
function readAttributes(node: Node): boolean {
  const { attributes } = node;
  const direction = attributes.string("direction") ?? "forward";
  if (direction !== "forward")
    unsupportedNode(
      node,
      `attribute direction = ${quote(direction)} is not supported; supported is "forward"`,
    );
  const layout = attributes.integer("layout") ?? 0;
  if (layout !== 0)
    unsupportedNode(node, `attribute layout = ${layout} is not supported; supported is 0 (time first)`);
  const activations = attributes.strings("activations") ?? ["Sigmoid", "Tanh"];
  if (activations.map((a) => a.toLowerCase()).join() !== "sigmoid,tanh")
    unsupportedNode(
      node,
      `attribute activations = ${quote(activations.join())} is not supported; supported is "Sigmoid,Tanh"`,
    );
  // Sigmoid and Tanh take no parameters, so empty lists say nothing.
  for (const name of ["activation_alpha", "activation_beta"])
    if ((attributes.floats(name) ?? []).length > 0)
      unsupportedNode(node, `attribute ${name} is not supported; Sigmoid and Tanh have no parameters`);
  if (attributes.float("clip") !== undefined)
    unsupportedNode(node, "attribute clip is not supported; export the model without clipping");
  const reset = attributes.integer("linear_before_reset") ?? 0;
  if (reset !== 0 && reset !== 1) badNode(node, `linear_before_reset should be 0 or 1, not ${reset}`);
  return reset === 1;
}

/** The name of the initial state, unless it is zero. */
function initialState(ctx: Context, node: Node, hidden: number): string | undefined {
  const h0 = ctx.optional(node, 5);
  if (!h0) return undefined;
  if (h0.kind === "private") return ctx.privateInput(node, 5, "").name;
  if (h0.kind === "token") badNode(node, `initial_h ${quote(h0.name)} should hold reals`);
  if (fillOf(h0) !== 0)
    unsupportedNode(
      node,
      `initial_h ${quote(h0.name)} is a constant other than zero; supported are zero and a model input. ` +
        "Make the initial state an input of the model",
    );
  if (h0.kind === "constant") {
    const [directions, , size] = h0.shape;
    if (h0.shape.length !== 3 || directions !== 1 || size !== hidden)
      badNode(node, `initial_h has shape [${h0.shape}], expected [1, batch, ${hidden}]`);
  }
  return undefined;
}

function expectShape(node: Node, what: string, tensor: ConstantValue, expected: number[]): void {
  if (`${tensor.shape}` !== `${expected}`)
    badNode(node, `${what} has shape [${tensor.shape}], expected [${expected}] for a forward GRU`);
}
