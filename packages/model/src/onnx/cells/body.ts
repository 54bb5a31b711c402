/** Reads the body of a Loop or Scan into nodes under names that nothing else has. */
import type { Context } from "../context.js";
import { badNode, quote } from "../errors.js";
import { type Node, wrap } from "../graph.js";
import { readTensor } from "../tensor.js";
import { foldConstants } from "./constants.js";
import { ordered } from "./rewrite.js";
import { decodeSubgraph } from "./subgraph.js";

export interface Body {
  /** In order, without those of constants. */
  nodes: Node[];
  inputs: string[];
  outputs: string[];
  /** All operators in the file's body, for messages. */
  operators: string[];
}

export function readBody(ctx: Context, node: Node, convert: (ctx: Context, node: Node) => void): Body {
  const bytes = node.attributes.graph("body") ?? badNode(node, "attribute body is missing");
  const graph = decodeSubgraph(bytes, node.name);
  const names = new Map<string, string>();
  const own = (name: string) => {
    if (name === "") return "";
    if (names.has(name)) badNode(node, `its body defines ${quote(name)} twice`);
    const fresh = ctx.fresh(`${node.name}.body.${name}`);
    names.set(name, fresh);
    return fresh;
  };
  for (const tensor of graph.initializer) {
    const name = own(tensor.name);
    ctx.define(name, { kind: "constant", name, ...readTensor(tensor) });
  }
  const inputs = graph.input.map((input) => names.get(input.name) ?? own(input.name));
  const outputs = graph.node.map((inner) => inner.output.map(own));
  const read = (name: string) => names.get(name) ?? name;
  const nodes = graph.node.map((inner, i): Node => {
    const wrapped = wrap(inner, i, node.opset);
    return { ...wrapped, inputs: inner.input.map(read), outputs: outputs[i]! };
  });
  const results = graph.output.map((output) => read(output.name));
  const live = ordered(nodes, results) ?? badNode(node, "nodes of its body depend on each other in a circle");
  const operators = [...new Set(graph.node.map((inner) => inner.opType))];
  return { nodes: foldConstants(ctx, live, convert), inputs, outputs: results, operators };
}
