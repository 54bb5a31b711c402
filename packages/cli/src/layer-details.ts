/** What `sotto inspect` says of a layer: sizes, form, who computes it, what of it is public. */
import {
  type Activation,
  type Compiled,
  costByLayer,
  type EmbeddingLayer,
  type GruLayer,
  gruFunctions,
  isView,
  type Layer,
  type Network,
  packedBytes,
} from "@sotto/core";
import { bytes, significant } from "./format.js";

/** What a secret table costs for each token, in bytes. */
export interface TableCost {
  vocabulary: number;
  /** From the client to each server: the share of a one-hot vector. */
  uploadBytes: number;
  /** From each server to the other. */
  openedBytes: number;
}

export function detailOf(layer: Layer, compiled: Compiled, network: Network): string {
  const { plan, publicTensors } = compiled;
  const tensor = (suffix: string) => plan.tensors.find((t) => t.name === `${layer.name}.${suffix}`);
  switch (layer.op) {
    case "gru":
      return gruDetail(layer, tensor("Wz")?.cols);
    case "dense":
      return `${tensor("A")?.cols} -> ${tensor("A")?.rows}`;
    case "embedding": {
      const cost = tableCost(layer, compiled, network);
      if (!cost)
        return `table [${publicTensors[layer.table]?.shape.join(", ")}] is PUBLIC; the client looks up its tokens itself`;
      return (
        `table [${cost.vocabulary}, ${tensor("A")?.rows}] is secret; by token, the client sends ` +
        `${bytes(cost.uploadBytes)} to each server, and they open ${bytes(cost.openedBytes)}`
      );
    }
    case "activation": {
      const what = described(layer.activation);
      return readByServers(plan.layers, layer.outputs[0]!)
        ? `${what}, by the servers; counted with the layer that reads it`
        : `${what}, by the client, on the result`;
    }
    case "softmax":
    case "logSoftmax":
    case "argMax":
      return "by the client, on the result";
    case "affine":
      if (tensor("A")) return "by itself: a product with a diagonal matrix";
      return tensor("b")
        ? "by itself: a sum, which costs nothing"
        : "in the weights of its neighbours; costs nothing";
    case "conv1d": {
      const [outer, inner, taps] = layer.shape ?? [];
      const more = [
        layer.stride !== 1 && `stride ${layer.stride}`,
        layer.dilation !== 1 && `dilation ${layer.dilation}`,
        layer.groups !== 1 && `${layer.groups} groups`,
        layer.pads.some((p) => p !== 0) && `pads ${layer.pads.join(", ")}`,
      ].filter((m) => m !== false);
      return [`${inner! * layer.groups} -> ${outer} channels, ${taps} taps`, ...more].join(", ");
    }
    case "reduce":
      return `${layer.fn} over axes ${layer.axes.join(", ")}${spanned(layer.inputs.slice(1, 3))}`;
    case "product":
      return "of two private values";
    default:
      return "";
  }
}

/** From the program, as it will be run. undefined for a public table. */
export function tableCost(
  layer: EmbeddingLayer,
  { plan }: Compiled,
  { program, inputs }: Network,
): TableCost | undefined {
  const [name] = layer.inputs as [string];
  const node = program.inputs.find((n) => n.op === "input" && n.name === name);
  const about = inputs.find((i) => i.name === name);
  if (!layer.private || !node || about?.vocabulary === undefined) return undefined;
  const tokens = node.length / about.vocabulary;
  // a second table of the same input reads the same opening
  const opened = plan.layers
    .filter((l) => l.op === "embedding" && l.inputs[0] === name)
    .map((l) => costByLayer(program).find((c) => c.label === l.name)?.openingBytes ?? 0);
  return {
    vocabulary: about.vocabulary,
    uploadBytes: Math.ceil(packedBytes(node.length, node.modulus) / tokens),
    openedBytes: Math.ceil(Math.max(...opened) / tokens),
  };
}

function gruDetail(layer: GruLayer, inputSize: number | undefined): string {
  const { gate, candidate, clip } = layer;
  const limit = gruFunctions(layer).candidate.limit;
  return [
    `${inputSize} -> ${layer.hidden}`,
    `reset ${layer.resetAfter ? "after" : "before"} the product`,
    layer.reverse && "backwards",
    gate && gate.name !== "sigmoid" && `gates ${described(gate)}`,
    candidate && candidate.name !== "tanh" && `candidate ${described(candidate)}`,
    clip !== undefined && `clipped to ${significant(clip)} before them`,
    limit !== undefined && `state bound ${significant(limit)}`,
    layer.initial && "initial state in the model",
    layer.inputs[1] && `initial state ${layer.inputs[1]}`,
    spanned(layer.inputs.slice(2, 4)).slice(2),
  ]
    .filter(Boolean)
    .join(", ");
}

/** The steps of sequences that are not equally long. */
function spanned([lengths, starts]: readonly string[]): string {
  return `${starts ? `, first steps in ${starts}` : ""}${lengths ? `, lengths in ${lengths}` : ""}`;
}

/** "leakyRelu(0.2)": with the parameters that the model states. */
function described({ name, alpha, beta }: Activation): string {
  const parameters = [alpha, beta].flatMap((p) => (p === undefined ? [] : [significant(p)]));
  return parameters.length > 0 ? `${name}(${parameters.join(", ")})` : name;
}

/** Whether a layer that computes reads this value, directly or through views. */
function readByServers(layers: readonly Layer[], value: string): boolean {
  const names = new Set([value]);
  for (const layer of layers) {
    if (!layer.inputs.some((i) => names.has(i))) continue;
    if (isView(layer)) for (const o of layer.outputs) names.add(o);
    else if (layer.op !== "shape") return true;
  }
  return false;
}
