/** The weights of PyTorch's modules, checked against each other and against what the configuration claims. */
import type { Tensor } from "@sotto/core";
import { badConfig, badModel, quote, shown, some } from "./errors.js";
import { type GruStep, label, type Step } from "./steps.js";
import type { Weights } from "./weights.js";

type WeightedStep = Extract<Step, { name: string }>;

/** One layer of a GRU in one direction; rows z, r, n. */
export interface GruParameters {
  W: Tensor;
  U: Tensor;
  bW?: Tensor;
  bU?: Tensor;
}

/** The name of a module's tensor. */
export function parameter(step: { name: string }, suffix: string): string {
  return step.name === "" ? suffix : `${step.name}.${suffix}`;
}

/** The matrix (or, for convolutions, stack of matrices; for normalisation, vector) `weight`. */
export function weight(weights: Weights, step: WeightedStep, rank: number): Tensor {
  const tensor = read(weights, step, "weight");
  if (tensor.shape.length !== rank || tensor.data.length === 0)
    badConfig(
      `${label(step)}: ${quote(parameter(step, "weight"))} has shape ${shown(tensor.shape)}; expected are ${rank} axes`,
    );
  expect(step, "weight", tensor.shape);
  return tensor;
}

/** A vector of `size` numbers, undefined if the file has none. */
export function vector(
  weights: Weights,
  step: WeightedStep,
  suffix: string,
  size: number,
): Tensor | undefined {
  const name = parameter(step, suffix);
  if (!weights.has(name)) {
    if (suffix === "bias" && step.bias)
      badConfig(`${label(step)} has a bias, but the file has no ${quote(name)}`);
    return undefined;
  }
  if (suffix === "bias" && step.bias === false)
    badConfig(`${label(step)} has no bias, but the file has ${quote(name)}`);
  const tensor = weights.read(name);
  if (`${tensor.shape}` !== `${size}`)
    badModel(`${quote(name)} has shape ${shown(tensor.shape)}, expected [${size}]`);
  return tensor;
}

/** How many layers and directions the file has of a GRU. */
export function gruLayout(weights: Weights, step: GruStep): { layers: number; bidirectional: boolean } {
  if (step.cell) return { layers: 1, bidirectional: false };
  let layers = 0;
  while (weights.has(parameter(step, `weight_ih_l${layers}`))) layers++;
  if (layers === 0) read(weights, step, "weight_ih_l0");
  const bidirectional = weights.has(parameter(step, "weight_ih_l0_reverse"));
  if (step.layers !== undefined && step.layers !== layers)
    badConfig(`${label(step)} has num_layers ${step.layers}, but the file has weights of ${layers}`);
  if (step.bidirectional !== undefined && step.bidirectional !== bidirectional)
    badConfig(
      `${label(step)} has bidirectional ${step.bidirectional}, but the file has ${bidirectional ? "" : "no "}weights of the reverse direction`,
    );
  return { layers, bidirectional };
}

/** @param suffix of the weights' names: "_l0", "_l0_reverse", "" for a cell. @param inputs numbers of a step. */
export function gruParameters(
  weights: Weights,
  step: GruStep,
  suffix: string,
  inputs: number,
): GruParameters {
  const W = read(weights, step, `weight_ih${suffix}`);
  const U = read(weights, step, `weight_hh${suffix}`);
  const hidden = U.shape[1] ?? 0;
  if (hidden < 1 || `${U.shape}` !== `${[3 * hidden, hidden]}`)
    badConfig(
      `${label(step)}: ${quote(parameter(step, `weight_hh${suffix}`))} has shape ${shown(U.shape)}; a GRU's is ` +
        `[3 H, H]${U.shape[0] === 4 * hidden ? ", an LSTM's [4 H, H], and LSTMs are not supported" : ""}`,
    );
  if (suffix === "_l0" || suffix === "") expect(step, `weight_ih${suffix}`, W.shape);
  if (`${W.shape}` !== `${[3 * hidden, inputs]}`)
    badConfig(
      `${label(step)}: ${quote(parameter(step, `weight_ih${suffix}`))} has shape ${shown(W.shape)}; expected is ` +
        `[${3 * hidden}, ${inputs}], as ${inputs} numbers a step go in`,
    );
  const names = [`bias_ih${suffix}`, `bias_hh${suffix}`];
  const biased = names.filter((name) => weights.has(parameter(step, name)));
  if (biased.length === 1) badModel(`${label(step)} has only ${quote(biased[0]!)} of its two biases`);
  if (step.bias !== undefined && step.bias !== biased.length > 0)
    badConfig(`${label(step)} has bias ${step.bias}, but the file has ${biased.length} of its biases`);
  const [bW, bU] = biased.map((name) => {
    const bias = weights.read(parameter(step, name));
    if (`${bias.shape}` !== `${3 * hidden}`)
      badModel(`${quote(parameter(step, name))} has shape ${shown(bias.shape)}, expected [${3 * hidden}]`);
    return zrn(bias, hidden);
  });
  return { W: zrn(W, hidden), U: zrn(U, hidden), bW, bU };
}

/** PyTorch's rows are the gates r, z, n. */
function zrn({ shape, data }: Tensor, hidden: number): Tensor {
  const gate = data.length / 3;
  const swapped = data.slice();
  swapped.set(data.subarray(gate, 2 * gate), 0);
  swapped.set(data.subarray(0, gate), gate);
  return { shape: [3 * hidden, ...shape.slice(1)], data: swapped };
}

function read(weights: Weights, step: WeightedStep, suffix: string): Tensor {
  const name = parameter(step, suffix);
  if (!weights.has(name))
    badConfig(
      `${label(step)} needs ${quote(name)}, which the file does not have; it has ${some(weights.names)}`,
    );
  return weights.read(name);
}

function expect(step: WeightedStep, suffix: string, shape: readonly number[]): void {
  if (step.expected && `${step.expected}` !== `${shape}`)
    badConfig(
      `${label(step)} should have ${suffix} of shape ${shown(step.expected)}, but the file's ` +
        `${quote(parameter(step, suffix))} has ${shown(shape)}`,
    );
}
