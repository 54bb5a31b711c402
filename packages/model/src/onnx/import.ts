import type { ModelDescription } from "@sotto/core";
import { recogniseCells } from "./cells/recognise.js";
import { Context } from "./context.js";
import { decodeModel, isStandardDomain } from "./decode.js";
import { quote, unsupportedNode } from "./errors.js";
import { finish } from "./finish.js";
import { liveNodes, type Node } from "./graph.js";
import { modelInputs, outputRanks } from "./inputs.js";
import type { GraphProto } from "./onnx_pb.js";
import { branch } from "./ops/branch.js";
import { CONVERTERS, REFUSED } from "./ops/index.js";
import { readTensor } from "./tensor.js";

export interface ImportOptions {
  /** The model's name, instead of the graph's own. */
  name?: string;
}

/**
 * Reads an ONNX file into a model description. What is constant is folded; nodes that no output
 * depends on are left out.
 * @throws SottoError `bad-model` if the file is damaged or contradicts itself, `unsupported` if it
 *   has an operator or attribute that this version does not do; the message names it.
 */
export function importOnnx(bytes: Uint8Array, options: ImportOptions = {}): ModelDescription {
  const { graph, opset } = decodeModel(bytes);
  const nodes = liveNodes(graph, opset);
  const inputs = modelInputs(graph, nodes);
  const ctx = new Context(bytes.length, outputRanks(graph), valueNames(graph), inputs);
  for (const tensor of graph.initializer)
    ctx.define(tensor.name, { kind: "constant", name: tensor.name, ...readTensor(tensor) });
  for (const { name, kind, shape } of inputs)
    ctx.define(name, { kind: kind === "real" ? "private" : kind, name, shape });
  const outputs = graph.output.map((output) => output.name);
  const cells = { inputs, outputs, fileSize: bytes.length, convert };
  for (const node of recogniseCells(ctx, nodes, cells)) convert(ctx, node);
  return finish(ctx, options.name ?? (graph.name || "model"), inputs, outputs);
}

function convert(ctx: Context, node: Node): void {
  if (!isStandardDomain(node.domain))
    unsupportedNode(
      node,
      `it is of the operator domain ${quote(node.domain)}; supported are ONNX's standard operators`,
    );
  if (node.opType === "If") {
    branch(ctx, node, convert);
    return;
  }
  const converter = CONVERTERS.get(node.opType);
  if (!converter)
    unsupportedNode(
      node,
      REFUSED.get(node.opType) ??
        `this operator is not supported; supported are ${[...CONVERTERS.keys()].join(", ")}`,
    );
  converter(ctx, node);
}

function* valueNames(graph: GraphProto): Iterable<string> {
  for (const { name } of graph.initializer) yield name;
  for (const { name } of graph.input) yield name;
  for (const node of graph.node) yield* node.output;
}
