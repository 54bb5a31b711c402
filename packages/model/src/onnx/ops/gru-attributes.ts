import type { Activation } from "@sotto/core";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";

/** What a GRU's attributes say. */
export interface GruAttributes {
  /** For each direction, in the order of the weights. */
  directions: { reverse: boolean; gate: Activation; candidate: Activation }[];
  hidden: number | undefined;
  resetAfter: boolean;
  batchFirst: boolean;
  clip: number | undefined;
}

const DIRECTIONS = new Map([
  ["forward", [false]],
  ["reverse", [true]],
  ["bidirectional", [false, true]],
]);

/**
 * ONNX's names in lower case, and the parameters' defaults. Affine, ScaledTanh and ThresholdedRelu must say
 * theirs: ONNX has no default for the first two, and ONNX Runtime not ONNX's for the third.
 */
const ACTIVATIONS: ReadonlyMap<string, Activation & { required?: true }> = new Map(
  Object.entries({
    sigmoid: { name: "sigmoid" },
    tanh: { name: "tanh" },
    relu: { name: "relu" },
    softsign: { name: "softsign" },
    softplus: { name: "softplus" },
    hardsigmoid: { name: "hardSigmoid", alpha: 0.2, beta: 0.5 },
    leakyrelu: { name: "leakyRelu", alpha: 0.01 },
    elu: { name: "elu", alpha: 1 },
    affine: { name: "affine", alpha: 1, beta: 0, required: true },
    scaledtanh: { name: "scaledTanh", alpha: 1, beta: 1, required: true },
    thresholdedrelu: { name: "thresholdedRelu", alpha: 1, required: true },
  } as const),
);

/** Reads and checks them all. */
export function gruAttributes(node: Node): GruAttributes {
  const { attributes } = node;
  const direction = attributes.string("direction") ?? "forward";
  const reverse = DIRECTIONS.get(direction.toLowerCase());
  if (!reverse)
    badNode(node, `direction is ${quote(direction)}; there are ${[...DIRECTIONS.keys()].join(", ")}`);
  const activations = readActivations(node, reverse.length);
  const layout = flag(node, "layout");
  const clip = attributes.float("clip");
  if (clip !== undefined && !(clip > 0)) badNode(node, `clip should be positive, not ${clip}`);
  const result: GruAttributes = {
    directions: reverse.map((r, i) => ({
      reverse: r,
      gate: activations[2 * i]!,
      candidate: activations[2 * i + 1]!,
    })),
    hidden: attributes.integer("hidden_size"),
    resetAfter: flag(node, "linear_before_reset"),
    batchFirst: layout,
    // Some exporters write "no limit" as the largest float.
    clip: clip === undefined || clip > 3e38 ? undefined : clip,
  };
  attributes.refuseRest();
  return result;
}

function flag(node: Node, name: string): boolean {
  const value = node.attributes.integer(name) ?? 0;
  if (value !== 0 && value !== 1) badNode(node, `${name} should be 0 or 1, not ${value}`);
  return value === 1;
}

/** Parameters are taken in order from the two lists, by those activations only that have them. */
function readActivations(node: Node, directions: number): Activation[] {
  const names = node.attributes.strings("activations") ?? [];
  const lists = {
    alpha: node.attributes.floats("activation_alpha") ?? [],
    beta: node.attributes.floats("activation_beta") ?? [],
  };
  const next = { alpha: 0, beta: 0 };
  const given = names.length > 0 ? names : new Array<string[]>(directions).fill(["Sigmoid", "Tanh"]).flat();
  if (given.length !== 2 * directions)
    badNode(
      node,
      `activations should be ${2 * directions}, two for each direction, not ${quote(given.join())}`,
    );
  return given.map((name) => {
    const known = ACTIVATIONS.get(name.toLowerCase());
    if (!known)
      unsupportedNode(
        node,
        `activation ${quote(name)} is not supported; supported are ${[...ACTIVATIONS.values()].map((a) => a.name).join(", ")}`,
      );
    const { required, ...activation } = known;
    for (const key of ["alpha", "beta"] as const) {
      if (known[key] === undefined) continue;
      const value = lists[key][next[key]++];
      if (value === undefined && required)
        unsupportedNode(
          node,
          `activation ${quote(name)} has no ${key}; its default differs between runtimes, so give activation_${key}`,
        );
      activation[key] = value ?? known[key];
      if (!Number.isFinite(activation[key])) badNode(node, `activation_${key} holds ${activation[key]}`);
    }
    return activation;
  });
}
