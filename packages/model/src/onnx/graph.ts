import { Attributes } from "./attributes.js";
import { capturedNames } from "./cells/subgraph.js";
import { badModel, quote } from "./errors.js";
import type { GraphProto, NodeProto } from "./onnx_pb.js";

/** An operator of the file, made ready for a converter. */
export interface Node {
  name: string;
  opType: string;
  domain: string;
  /** Names of values; "" where an optional input or output is absent. */
  inputs: string[];
  outputs: string[];
  /** What its subgraphs read besides. */
  captured?: string[];
  /** In a branch of an If: what its subgraphs call a value, and what that is called here. */
  scope?: ReadonlyMap<string, string>;
  attributes: Attributes;
  /** The version of the standard operator set. */
  opset: number;
}

/**
 * The nodes that the model's outputs depend on, each after the nodes that it reads from.
 * @throws SottoError `bad-model` for names that are defined twice or not at all, and for cycles.
 */
export function liveNodes(graph: GraphProto, opset: number): Node[] {
  const producers = definitions(graph);
  for (const output of graph.output)
    if (!producers.has(output.name)) badModel(`no node computes the model's output ${quote(output.name)}`);
  const live = reach(graph, producers);
  return sort(graph, producers, live).map((index) => wrap(graph.node[index]!, index, opset));
}

/** For each value's name the index of the node that computes it, or -1: given. */
function definitions(graph: GraphProto): Map<string, number> {
  const producers = new Map<string, number>();
  // Before IR version 4 initialisers were inputs too.
  const initialisers = new Set<string>();
  for (const { name } of graph.initializer) {
    if (name === "") badModel("an initialiser has no name");
    if (initialisers.has(name)) badModel(`two initialisers are named ${quote(name)}`);
    initialisers.add(name);
    producers.set(name, -1);
  }
  const inputs = new Set<string>();
  for (const { name } of graph.input) {
    if (name === "") badModel("a model input has no name");
    if (inputs.has(name)) badModel(`two model inputs are named ${quote(name)}`);
    inputs.add(name);
    producers.set(name, -1);
  }
  graph.node.forEach((node, index) => {
    for (const name of node.output) {
      if (name === "") continue;
      if (producers.has(name)) badModel(`the value ${quote(name)} is defined twice`);
      producers.set(name, index);
    }
  });
  return producers;
}

function dependencies(node: NodeProto, producers: ReadonlyMap<string, number>): number[] {
  const captured = node.attribute.some((a) => a.g.length > 0) ? capturedNames(node) : [];
  return [...node.input, ...captured]
    .filter((name) => name !== "")
    .map(
      (name) =>
        producers.get(name) ??
        badModel(`node ${quote(node.name)} (${node.opType}) reads ${quote(name)}, which nothing defines`),
    )
    .filter((index) => index >= 0);
}

function reach(graph: GraphProto, producers: ReadonlyMap<string, number>): Set<number> {
  const live = new Set<number>();
  const open = graph.output.map((o) => producers.get(o.name)!).filter((index) => index >= 0);
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    if (live.has(index)) continue;
    live.add(index);
    for (const needed of dependencies(graph.node[index]!, producers)) open.push(needed);
  }
  return live;
}

/** Depth first in the file's order (with our own stack: graphs may be deep); a file in order stays as it is. */
function sort(graph: GraphProto, producers: ReadonlyMap<string, number>, live: Set<number>): number[] {
  const sorted: number[] = [];
  const state = new Map<number, "open" | "done">();
  for (const start of [...live].sort((a, b) => a - b)) {
    const stack = [start];
    while (stack.length > 0) {
      const index = stack[stack.length - 1]!;
      if (!state.has(index)) {
        state.set(index, "open");
        const needed = dependencies(graph.node[index]!, producers).filter((d) => state.get(d) !== "done");
        const cycle = needed.find((d) => state.get(d) === "open");
        if (cycle !== undefined) badModel(`node ${quote(graph.node[cycle]!.name)} depends on its own result`);
        for (const next of needed) stack.push(next);
        continue;
      }
      stack.pop();
      if (state.get(index) === "open") sorted.push(index);
      state.set(index, "done");
    }
  }
  return sorted;
}

/** A node of a graph or a subgraph. */
export function wrap(proto: NodeProto, index: number, opset: number): Node {
  const label = { name: proto.name || `${proto.opType}_${index}`, opType: proto.opType };
  return {
    ...label,
    domain: proto.domain,
    inputs: [...proto.input],
    outputs: [...proto.output],
    ...(proto.attribute.some((a) => a.g.length > 0) && { captured: capturedNames(proto) }),
    attributes: new Attributes(label, proto.attribute),
    opset,
  };
}
