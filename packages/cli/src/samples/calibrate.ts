/** `sotto inspect --calibrate`: what samples reach, next to the ranges that were declared and the bounds that are proven. */
import { type Compiled, type Observation, observeClear } from "@sotto/core";
import { outsideOf, prepared, type Samples } from "./samples.js";

export interface InputCalibration {
  name: string;
  declared: number | number[];
  /** The largest |x|, by feature (the last axis). */
  observed: number[];
  /** Elements outside the declared range, of so many. */
  outside: number;
  elements: number;
  /** A declaration for the command line that leaves room beyond the samples. */
  option: string;
}

export interface BoundCalibration extends Observation {
  /** observed / proven. */
  ratio: number;
  /**
   * near: within 10 % of a limit that clips; clipped: beyond it, so that a private run gives something else; unproven:
   * beyond what is proven, since the samples are outside the declared range.
   */
  mark?: "near" | "clipped" | "unproven";
}

export interface Calibration {
  samples: number;
  inputs: InputCalibration[];
  bounds: BoundCalibration[];
  /** For GRUs that need a bound: declarations that leave room beyond the samples. */
  stateBounds: { layer: string; observed: number; option: string }[];
}

/** Room beyond the samples in what is proposed. */
const MARGIN = 1.1;
/** Ranges by feature are proposed for so many features at most, and where they differ by so much. */
const MAX_LISTED = 16;
const WORTH_LISTING = 2;
/** This near to a limit is worth a mark. */
const NEAR = 0.9;

/** @param progress is told how many samples are done. */
export function calibrate(
  compiled: Compiled,
  samples: Samples,
  progress: (done: number) => void = () => {},
): Calibration {
  const inputs = new Map<string, InputCalibration>();
  const found = new Map<string, Observation>();
  for (const { sample, network, inputs: given, values } of prepared(compiled, samples)) {
    for (const { name, kind, range } of network.inputs) {
      if (kind !== "real") continue;
      const { data } = given[name]!;
      const known = inputs.get(name) ?? fresh(name, range, featuresOf(compiled, name));
      inputs.set(name, known);
      const { observed } = known;
      for (let i = 0; i < data.length; i++) {
        const feature = i % observed.length;
        observed[feature] = Math.max(observed[feature]!, Math.abs(data[i]!));
      }
      known.elements += data.length;
      known.outside += outsideOf(range, data);
    }
    for (const o of observeClear(network, compiled.tensors, values).observations) {
      const key = `${o.layer}/${o.what}`;
      const before = found.get(key);
      found.set(key, {
        ...o,
        observed: Math.max(o.observed, before?.observed ?? 0),
        proven: Math.max(o.proven, before?.proven ?? 0),
      });
    }
    progress(sample + 1);
  }
  return {
    samples: samples.count,
    inputs: [...inputs.values()].map((i) => ({ ...i, option: optionFor(i) })),
    bounds: [...found.values()].map(marked),
    stateBounds: stateBounds([...found.values()]),
  };
}

function stateBounds(observations: readonly Observation[]): Calibration["stateBounds"] {
  const most = new Map<string, number>();
  for (const { layer, observed, limit } of observations) {
    if (limit !== undefined) most.set(layer, Math.max(observed, most.get(layer) ?? 0));
  }
  return [...most].map(([layer, observed]) => ({
    layer,
    observed,
    option: `--state-bound ${quoted(`${layer}=${declarable(observed)}`)}`,
  }));
}

/** The last axis, unless its size is open: then it is time, or a batch. */
function featuresOf({ plan }: Compiled, input: string): number {
  const last = plan.inputs.find((i) => i.name === input)?.shape.at(-1);
  return typeof last === "number" ? last : 1;
}

function fresh(name: string, declared: number | number[], features: number): InputCalibration {
  return {
    name,
    declared,
    observed: new Array<number>(features).fill(0),
    outside: 0,
    elements: 0,
    option: "",
  };
}

function marked(o: Observation): BoundCalibration {
  const ratio = o.proven > 0 ? o.observed / o.proven : 0;
  const beyond = o.limit === undefined ? "unproven" : "clipped";
  const mark = ratio > 1 ? beyond : o.limit !== undefined && ratio >= NEAR ? "near" : undefined;
  return { ...o, ratio, ...(mark ? { mark } : {}) };
}

/** One range; one for each feature where there are few, and they differ. */
function optionFor({ name, observed }: InputCalibration): string {
  const ranges = observed.map(declarable);
  const [least, most] = [Math.min(...ranges), Math.max(...ranges)];
  const listed = observed.length <= MAX_LISTED && most >= WORTH_LISTING * least;
  const option = `${name}=${listed ? ranges.join(",") : most}`;
  return `--input-range ${quoted(option)}`;
}

/** For a shell, where that is needed. */
function quoted(text: string): string {
  return /^[\w./=,@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** With the margin, rounded up to two digits. A feature that is 0 in every sample says nothing: 1. */
export function declarable(observed: number): number {
  if (observed === 0) return 1;
  const unit = 10 ** (Math.floor(Math.log10(observed * MARGIN)) - 1);
  // a hair less, so that 1.1 stays 1.1; the product is rounded back to the digits it has
  return Number((Math.ceil((observed * MARGIN) / unit - 1e-9) * unit).toPrecision(2));
}
