/** `sotto inspect --error`: what the integers of a private run change of a model's results, on samples. */
import {
  applyPending,
  type ClientFunction,
  type Compiled,
  type GroupFunction,
  type NetworkOutput,
  prepareInputs,
  runClear,
  runExact,
} from "@sotto/core";
import { outsideOf, prepared, type Samples } from "./samples.js";

/**
 * The largest entry of the last axis; or, where that has one entry, the sign, or which side of 0.5 a probability is on.
 * Of a position (argmax) or some results of a softmax: the largest of the logits that they are made of.
 */
export type Rule = "largest" | "sign" | "half" | "logits";

export interface Decisions {
  rule: Rule;
  /** Positions at which something is decided; padding, which is zero, is none. */
  count: number;
  unchanged: number;
  /** unchanged / count. */
  share: number;
  /** Of the decisions over reals: from the largest entry to the next one, or to where the decision changes. */
  smallestMargin: number;
  /** Where the decision is another one, the largest margins first; MAX_SHOWN at most. */
  changed: { sample: number; position: number[]; margin: number }[];
}

export interface OutputError {
  name: string;
  maxAbsError: number;
  meanAbsError: number;
  decisions: Decisions;
}

export interface ErrorReport {
  samples: number;
  /** Elements outside the declared range, by input: clipped in the integers, not in the reals. */
  clipped: Record<string, number>;
  outputs: OutputError[];
}

export const MAX_SHOWN = 10;

/** @param progress is told how many samples are done. */
export function errorReport(
  compiled: Compiled,
  samples: Samples,
  progress: (done: number) => void = () => {},
): ErrorReport {
  const tallies = new Map<string, Tally>();
  const clipped: Record<string, number> = {};
  for (const { sample, network, inputs, values } of prepared(compiled, samples)) {
    for (const { name, kind, range } of network.inputs) {
      const outside = kind === "real" ? outsideOf(range, inputs[name]!.data) : 0;
      if (outside > 0) clipped[name] = (clipped[name] ?? 0) + outside;
    }
    const shared = prepareInputs(network, inputs, compiled.publicTensors, { outside: "clip" });
    const clear = runClear(network.program, compiled.tensors, values);
    const exact = runExact(network.program, compiled.plan, compiled.tensors, shared);
    for (const output of network.outputs) {
      const tally = tallies.get(output.name) ?? new Tally(output);
      tallies.set(output.name, tally);
      tally.add(sample, output, clear[output.name]!, exact[output.name]!);
    }
    progress(sample + 1);
  }
  return { samples: samples.count, clipped, outputs: [...tallies.values()].map((t) => t.report()) };
}

/** What is known of one output so far. */
class Tally {
  private readonly name: string;
  private readonly rule: Rule;
  private most = 0;
  private sum = 0;
  private elements = 0;
  private count = 0;
  private differing = 0;
  private smallestMargin = Infinity;
  private changed: Decisions["changed"] = [];

  constructor({ name, shape, pending }: NetworkOutput) {
    this.name = name;
    const probability =
      pending?.op === "softmax" || (pending?.op === "activation" && pending.activation.name === "sigmoid");
    if (isPart(pending)) this.rule = "logits";
    else this.rule = (shape.at(-1) ?? 1) > 1 ? "largest" : probability ? "half" : "sign";
  }

  /** @param inReals what the client would get @param inIntegers what it gets. */
  add(sample: number, output: NetworkOutput, inReals: Float64Array, inIntegers: Float64Array): void {
    const [clear, exact] = [applyPending(output, inReals), applyPending(output, inIntegers)];
    for (let i = 0; i < clear.length; i++) {
      // equal infinities (the logarithm of a vanishing probability) do not differ
      const error = clear[i] === exact[i] ? 0 : Math.abs(clear[i]! - exact[i]!);
      this.most = Math.max(this.most, error);
      this.sum += error;
    }
    this.elements += clear.length;
    const { width, shape, of } = deciding(output, [clear, exact], [inReals, inIntegers]);
    for (let at = 0; at < of[0].length; at += width) {
      const [a, b] = [of[0].subarray(at, at + width), of[1].subarray(at, at + width)];
      if (a.every((v) => v === 0) && b.every((v) => v === 0)) continue;
      const [decided, privately] = [this.decide(a), this.decide(b)];
      this.count++;
      this.smallestMargin = Math.min(this.smallestMargin, decided.margin);
      if (decided.choice === privately.choice) continue;
      this.differing++;
      this.changed.push({
        sample,
        position: positionOf(at / width, shape),
        margin: decided.margin,
      });
      this.changed.sort((x, y) => y.margin - x.margin);
      this.changed.length = Math.min(this.changed.length, MAX_SHOWN);
    }
  }

  report(): OutputError {
    const unchanged = this.count - this.differing;
    return {
      name: this.name,
      maxAbsError: this.most,
      meanAbsError: this.sum / Math.max(1, this.elements),
      decisions: {
        rule: this.rule,
        count: this.count,
        unchanged,
        share: this.count > 0 ? unchanged / this.count : 1,
        smallestMargin: Number.isFinite(this.smallestMargin) ? this.smallestMargin : 0,
        changed: this.changed,
      },
    };
  }

  private decide(values: Float64Array): { choice: number; margin: number } {
    if (this.rule === "largest" || this.rule === "logits") {
      let [best, second] = [0, -Infinity];
      for (let i = 1; i < values.length; i++) {
        if (values[i]! > values[best]!) [best, second] = [i, values[best]!];
        else second = Math.max(second, values[i]!);
      }
      return { choice: best, margin: values[best] === second ? 0 : values[best]! - second };
    }
    const value = values[0]! - (this.rule === "half" ? 0.5 : 0);
    return { choice: value > 0 ? 1 : 0, margin: Math.abs(value) };
  }
}

/**
 * What decides: an output's last axis; of a position (argmax), and of some of a softmax's results, the numbers that it is
 * made of. @returns also the shape of the positions.
 */
function deciding(
  { shape, pending }: NetworkOutput,
  results: [Float64Array, Float64Array],
  revealed: [Float64Array, Float64Array],
) {
  if (!isPart(pending)) return { width: shape.at(-1) ?? 1, shape: shape.slice(0, -1), of: results };
  const groups = revealed[0].length / pending.size;
  const alike = shape.reduce((n, d) => n * d, 1) === groups;
  return { width: pending.size, shape: alike ? shape : [groups], of: revealed };
}

function isPart(pending: ClientFunction | undefined): pending is GroupFunction {
  if (!pending || pending.op === "activation") return false;
  return pending.op === "argMax" || pending.picked !== undefined;
}

/** A position's indices, given its number. */
function positionOf(position: number, shape: readonly number[]): number[] {
  let left = position;
  const indices: number[] = [];
  for (const size of [...shape].reverse()) {
    indices.unshift(left % size);
    left = Math.floor(left / size);
  }
  return indices;
}
