/** What a view does with the last axis, which is the one that matrices act on. */
import type { Node } from "../graph.js";
import type { Facts } from "./facts.js";
import { axisOf, cutsOf, integersOf, partsOf } from "./parameters.js";

/** Which part of the last axis a node's output is, if it is nothing but that. */
export function lastRange(
  facts: Facts,
  node: Node,
  position: number,
): { from: number; to: number; width: number } | undefined {
  const { shape } = facts.get(node.inputs[0] ?? "");
  const width = shape?.at(-1);
  if (!shape || width === undefined) return undefined;
  const get = (name: string) => facts.get(name);
  if (node.opType === "Slice") {
    const cuts = cutsOf(node, get);
    const [cut] = cuts ?? [];
    if (!cut || cuts!.length !== 1 || cut.axis !== shape.length - 1) return undefined;
    if (cut.step !== 1 || cut.size === undefined || cut.size < 1) return undefined;
    return { from: cut.start, to: cut.start + cut.size, width };
  }
  if (node.opType !== "Split") return undefined;
  if (axisOf(node.attributes.integer("axis") ?? 0, shape.length) !== shape.length - 1) return undefined;
  const parts = partsOf(node, get);
  if (!parts || parts.includes(undefined)) return undefined;
  const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce<number>((s, p) => s + p!, 0));
  const to = ends[position]!;
  const from = to - parts[position]!;
  return ends.at(-1) === width && from < to ? { from, to, width } : undefined;
}

/** Whether a view leaves the last axis as and where it is. */
export function sparesLast(facts: Facts, node: Node): boolean {
  const { shape } = facts.get(node.inputs[0] ?? "");
  if (!shape || shape.length < 2) return false;
  const last = shape.length - 1;
  const get = (name: string) => facts.get(name);
  switch (node.opType) {
    case "Gather":
    case "Split":
      return (axisOf(node.attributes.integer("axis") ?? 0, shape.length) ?? last) !== last;
    case "Slice":
      return cutsOf(node, get)?.every((c) => c.axis !== last) ?? false;
    case "Transpose":
      return node.attributes.integers("perm")?.at(-1) === last;
    case "Squeeze":
    case "Unsqueeze": {
      const axes = integersOf(node, "axes", 1, get);
      const rank = shape.length + (node.opType === "Unsqueeze" ? (axes?.length ?? 0) : 0);
      return axes?.every((a) => a !== undefined && axisOf(a, rank) !== rank - 1) ?? false;
    }
  }
  return false;
}
