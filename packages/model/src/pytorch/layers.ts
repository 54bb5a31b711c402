/** Modules with weights other than GRUs, as layers of the description. */
import type { Dimension, Tensor } from "@sotto/core";
import type { Emitter, Value } from "./emit.js";
import { badConfig, quote } from "./errors.js";
import { parameter, vector, weight } from "./parameters.js";
import { arrange } from "./recurrent.js";
import { type Conv1dStep, label, type Step } from "./steps.js";
import type { Weights } from "./weights.js";

/** Where a module is put. */
export interface Site {
  out: Emitter;
  weights: Weights;
  /** Throws: the module takes something else than x. */
  misfit: (step: Step, expected: number, what: string, x: Value) => never;
}

/** Row look-up: tokens [...] to [..., E]. */
export function embedding(site: Site, step: Extract<Step, { op: "embedding" | "linear" }>, x: Value): Value {
  const rows = weight(site.weights, step, 2);
  const table = tensor(site, step, "weight", rows);
  const [y] = site.out.layer({ op: "embedding", name: step.name || "embedding", table }, [x.name]);
  return { ...x, name: y!, shape: [...x.shape, rows.shape[1]!], axes: [...x.axes, "feature"] };
}

/** x A^T + b over the last axis. */
export function linear(site: Site, step: Extract<Step, { op: "embedding" | "linear" }>, x: Value): Value {
  const A = weight(site.weights, step, 2);
  const [outputs, inputs] = A.shape as [number, number];
  if (x.shape.at(-1) !== inputs) site.misfit(step, inputs, "numbers", x);
  const bias = vector(site.weights, step, "bias", outputs);
  const draft = { op: "dense", name: step.name || "linear", A: tensor(site, step, "weight", A) } as const;
  const [y] = site.out.layer(bias ? { ...draft, b: tensor(site, step, "bias", bias) } : draft, [x.name]);
  return { ...x, name: y!, shape: [...x.shape.slice(0, -1), outputs] };
}

/** Convolution over time, which gives [batch, channels, time]. */
export function convolution(site: Site, step: Conv1dStep, before: Value): Value {
  if (before.shape.length !== 3) site.misfit(step, 3, "axes", before);
  const W = weight(site.weights, step, 3);
  const [outputs, inputs, width] = W.shape as [number, number, number];
  const { stride, dilation, groups } = step;
  const x = arrange(site.out, before, ["batch", "feature", "time"]);
  if (x.shape[1] !== inputs * groups) site.misfit(step, inputs * groups, "channels", x);
  if (outputs % groups !== 0)
    badConfig(`${label(step)}: ${outputs} channels can't be split into ${groups} groups`);
  const total = dilation * (width - 1);
  if (step.padding === "same" && stride !== 1) badConfig(`${label(step)}: padding "same" needs stride 1`);
  const left = Math.floor(total / 2);
  const pads: [number, number] =
    step.padding === "same" ? [left, total - left] : [step.padding, step.padding];
  const bias = vector(site.weights, step, "bias", outputs);
  const W1 = tensor(site, step, "weight", W);
  const draft = {
    op: "conv1d",
    name: step.name || "conv1d",
    W: W1,
    stride,
    dilation,
    groups,
    pads,
  } as const;
  const [y] = site.out.layer(bias ? { ...draft, b: tensor(site, step, "bias", bias) } : draft, [x.name]);
  const grow = pads[0] + pads[1] - total;
  const time = x.shape[2]!;
  const length: Dimension =
    typeof time === "number"
      ? Math.floor((time + grow - 1) / stride) + 1
      : stride === 1 && grow === 0
        ? time
        : `${y}.time`;
  if (typeof length === "number" && length < 1) site.misfit(step, total + 1, "steps or more", x);
  if (x.lengths !== undefined && length !== time)
    badConfig(`${label(step)} changes the number of steps, so that "lengths" fit no longer`);
  return { ...x, name: y!, shape: [x.shape[0]!, outputs, length] };
}

/** Normalisation by the running statistics, of the axis of features. */
export function batchNorm(site: Site, step: Extract<Step, { op: "batchNorm" }>, x: Value): Value {
  const size = site.weights.shape(parameter(step, "running_mean"))?.[0] ?? 0;
  const mean = vector(site.weights, step, "running_mean", size);
  const variance = vector(site.weights, step, "running_var", size);
  if (!mean || !variance || size === 0)
    badConfig(
      `${label(step)} needs ${quote(parameter(step, "running_mean"))} and running_var, which the file does not have`,
    );
  if (step.expected && step.expected[0] !== size)
    badConfig(`${label(step)} should have ${step.expected[0]} features, but the file's has ${size}`);
  site.weights.ignore(parameter(step, "num_batches_tracked"));
  const axis = x.axes.indexOf("feature");
  if (x.shape[axis] !== size) site.misfit(step, size, "numbers", x);
  const gamma = vector(site.weights, step, "weight", size);
  const beta = vector(site.weights, step, "bias", size);
  const scale = variance.data.map((v, i) => (gamma?.data[i] ?? 1) / Math.sqrt(v + step.eps));
  const offset = mean.data.map((m, i) => (beta?.data[i] ?? 0) - m * scale[i]!);
  if (![...scale, ...offset].every((v) => Number.isFinite(v)))
    badConfig(`${label(step)}: its running variance is negative, or too small for eps ${step.eps}`);
  const shape = [size, ...x.shape.slice(axis + 1).map(() => 1)];
  const base = step.name || "batch_norm";
  const draft = {
    op: "affine",
    name: base,
    scale: site.out.tensor(`${base}.scale`, shape, scale),
    offset: site.out.tensor(`${base}.offset`, shape, offset),
  } as const;
  return { ...x, name: site.out.layer(draft, [x.name])[0]! };
}

function tensor(site: Site, step: { name: string }, suffix: string, { shape, data }: Tensor): string {
  return site.out.tensor(parameter(step, suffix), shape, data);
}
