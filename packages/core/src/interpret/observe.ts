/**
 * A clear run that looks on: how large what enters activations, what linear layers give, and states get, next to what the
 * weights and the declared ranges prove of them. For choosing ranges on samples; nothing private is computed.
 */

import type { FunctionSpec } from "../plan/activation.js";
import type { Layer } from "../plan/description.js";
import type { Network } from "../plan/instantiate.js";
import { realBound } from "../plan/walk/walk.js";
import type {
  AddNode,
  InterpolateNode,
  LookupNode,
  Node,
  NodeId,
  SelectNode,
  SharedNode,
} from "../program/nodes.js";
import type { Program } from "../program/program.js";
import { runClear, type Values } from "./plain.js";

export interface Observation {
  layer: string;
  /**
   * z, r, n: what a GRU's gates and candidate are given; candidate: what it gives, where --state-bound limits it; state;
   * input: what an activation is given; output: what a linear layer gives, with the affine layers in its weights, or a
   * sum or product.
   */
  what: "z" | "r" | "n" | "candidate" | "state" | "input" | "output";
  /** The activation's function. */
  fn?: string;
  /** At least the largest |value| of any private run, in real units. */
  proven: number;
  /** The largest |value| of this run. */
  observed: number;
  /** |value| beyond it is clipped in a private run: the state's bound that the user gave. */
  limit?: number;
}

type Place = Omit<Observation, "proven" | "observed">;

/** @param inputs may be outside the declared ranges (prepareInputs, outside "keep"). */
export function observeClear(
  network: Network,
  tensors: Values,
  inputs: Values,
): { outputs: Values; observations: Observation[] } {
  const { program, plan } = network;
  const places = placesOf(program, plan.layers);
  const found = new Map<string, Observation>();
  const outputs = runClear(program, tensors, inputs, (node, values) => {
    const here = places.get(node.id);
    if (!here) return;
    const observed = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    for (const place of here) {
      const key = `${place.layer}/${place.what}`;
      const known = found.get(key);
      const proven = place.limit ?? realBound(node as SharedNode);
      found.set(key, {
        ...place,
        proven: Math.max(proven, known?.proven ?? 0),
        observed: Math.max(observed, known?.observed ?? 0),
      });
    }
  });
  const order = new Map(plan.layers.map((l, i) => [l.name, i]));
  const WHATS = ["z", "r", "n", "candidate", "state", "output", "input"];
  const observations = [...found.values()].sort(
    (a, b) => order.get(a.layer)! - order.get(b.layer)! || WHATS.indexOf(a.what) - WHATS.indexOf(b.what),
  );
  return { outputs, observations };
}

function placesOf({ nodes }: Program, layers: readonly Layer[]): Map<NodeId, Place[]> {
  const byName = new Map(layers.map((l) => [l.name, l]));
  const places = new Map<NodeId, Place[]>();
  const put = (id: NodeId, place: Place) => places.set(id, [...(places.get(id) ?? []), place]);
  const summed = new Set<NodeId>();
  for (const node of nodes) {
    if (node?.op === "add")
      for (const id of [node.a, node.b]) if (nodes[id]?.label === node.label) summed.add(id);
  }
  for (const node of nodes) {
    const layer = node && byName.get(node.label);
    if (!layer) continue;
    const name = layer.name;
    if (node.op === "select" || node.op === "lookup") {
      const { spec } = node.table;
      const input = (nodes[node.x] as Node & { op: "open" }).x;
      const gate = layer.op === "gru" ? gateOf(nodes, input, name) : undefined;
      if (gate) {
        put(input, { layer: name, what: gate });
        if (gate === "n" && spec.limit !== undefined)
          put(node.id, { layer: name, what: "candidate", fn: spec.name, limit: spec.limit });
      } else if (layer.op === "gru" && spec.limit !== undefined) {
        put(node.id, { layer: name, what: "state", limit: spec.limit });
      } else if (layer.op !== "reduce" || !isDifference(nodes, input)) {
        put(input, { layer: activationBefore(layers, layer, node) ?? name, what: "input", fn: spec.name });
      }
    } else if (isState(nodes, node)) {
      const { limit } = candidateOf(nodes, node as InterpolateNode | AddNode);
      put(node.id, { layer: name, what: "state", ...(limit === undefined ? {} : { limit }) });
    } else if (node.op === "add" && LINEAR.has(layer.op) && !summed.has(node.id)) {
      if (reaches(nodes, node.id, (n) => n.op === "linear" && n.label === name))
        put(node.id, { layer: name, what: "output" });
    } else if (isResult(node, layer) && !summed.has(node.id)) {
      put(node.id, { layer: name, what: "output" });
    }
  }
  return places;
}

/** z h + (1 - z) n. */
function isState(nodes: Program["nodes"], node: Node): boolean {
  if (node.op === "interpolate") return true;
  const rest = node.op === "add" ? nodes[node.b] : undefined;
  return rest?.op === "scaled" && rest.unit !== undefined;
}

/** The function of n. */
function candidateOf(nodes: Program["nodes"], node: InterpolateNode | AddNode): FunctionSpec {
  const at = node.op === "interpolate" ? node.n.select : (nodes[node.b] as Extract<Node, { op: "scaled" }>).x;
  return (nodes[at] as SelectNode | LookupNode).table.spec;
}

/** Of layers that make values larger. */
function isResult({ op }: Node, layer: Layer): boolean {
  if (layer.op === "sum") return op === "add";
  if (layer.op === "product") return op === "product";
  return layer.op === "reduce" && layer.fn === "sum" && op === "total";
}

const LINEAR = new Set(["dense", "conv1d", "affine"]);

/** Which gate of a GRU a table's input belongs to: each is a sum with a product of W_z, W_r or W_n. */
function gateOf(nodes: Program["nodes"], id: NodeId, layer: string): "z" | "r" | "n" | undefined {
  const gates = ["z", "r", "n"] as const;
  let found: (typeof gates)[number] | undefined;
  reaches(nodes, id, (n) => {
    if (n.op === "linear") found = gates.find((g) => n.tensor === `${layer}.W${g}`);
    return found !== undefined;
  });
  return found;
}

/** Whether such a node is among the summands of a value. */
function reaches(nodes: Program["nodes"], id: NodeId, wanted: (node: Node) => boolean): boolean {
  const seen = new Set<NodeId>();
  const left = [id];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const node = nodes[next];
    if (!node || seen.has(next)) continue;
    seen.add(next);
    if (wanted(node)) return true;
    switch (node.op) {
      case "add":
        left.push(node.a, node.b);
        break;
      case "concat":
        left.push(...node.xs);
        break;
      case "slice":
      case "truncate":
      case "lift":
      case "open":
      case "gather":
        left.push(node.x);
        break;
    }
  }
  return false;
}

/** A maximum compares by relu(a - b). */
function isDifference(nodes: Program["nodes"], id: NodeId): boolean {
  return reaches(nodes, id, (n) => n.op === "times" && n.factor === -1);
}

/** Activations are computed with the layer that reads them: the one with this function among what it reads. */
function activationBefore(
  layers: readonly Layer[],
  reader: Layer,
  { table }: SelectNode | LookupNode,
): string | undefined {
  const found = new Set<string>();
  const left = [...reader.inputs];
  const seen = new Set<string>();
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (value === "" || seen.has(value)) continue;
    seen.add(value);
    const layer = layers.find((l) => l.outputs.includes(value));
    if (layer?.op === "activation") {
      if (layer.activation.name === table.spec.name) found.add(layer.name);
    } else if (layer && isView(layer)) left.push(...layer.inputs);
  }
  const [name] = found;
  return found.size === 1 ? name : undefined;
}

const VIEWS = new Set(
  "identity cast transpose reshape flatten squeeze unsqueeze slice gather concat expand".split(" "),
);

/** Whether a layer only moves elements. */
export function isView(layer: Layer): boolean {
  return VIEWS.has(layer.op);
}
