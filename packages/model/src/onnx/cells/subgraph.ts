/** The bodies of Loop, Scan and If. */
import { fromBinary } from "@bufbuild/protobuf";
import { badModel, quote } from "../errors.js";
import { type GraphProto, GraphProtoSchema, type NodeProto } from "../onnx_pb.js";

/** Bodies within bodies; what people write has two or three. */
const DEEPEST = 16;

export function decodeSubgraph(bytes: Uint8Array, label: string): GraphProto {
  try {
    return fromBinary(GraphProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    badModel(`a subgraph of node ${quote(label)} can't be parsed`, cause);
  }
}

const captured = new WeakMap<NodeProto, string[]>();

/** The names that a node's subgraphs read from the graph around it. */
export function capturedNames(node: NodeProto, depth = 0): string[] {
  const known = captured.get(node);
  if (known) return known;
  const names = new Set<string>();
  for (const attribute of node.attribute) {
    if (attribute.g.length === 0) continue;
    if (depth > DEEPEST) badModel(`the subgraphs of node ${quote(node.name)} are nested too deeply`);
    const graph = decodeSubgraph(attribute.g, node.name);
    const own = new Set<string>();
    for (const { name } of [...graph.initializer, ...graph.input]) own.add(name);
    for (const inner of graph.node) for (const name of inner.output) own.add(name);
    const read = graph.node.flatMap((inner) => [...inner.input, ...capturedNames(inner, depth + 1)]);
    for (const name of [...read, ...graph.output.map((o) => o.name)]) if (!own.has(name)) names.add(name);
  }
  const result = [...names].filter((name) => name !== "");
  captured.set(node, result);
  return result;
}
