import type { ModelDescription } from "@sotto/core";
import { type Axis, Emitter, type Value } from "./emit.js";
import { badConfig, quote, shown, some, unsupported } from "./errors.js";
import { modelInputs } from "./inputs.js";
import { batchNorm, convolution, embedding, linear, type Site } from "./layers.js";
import { windowPool } from "./pooling.js";
import {
  arrange,
  lastStates,
  overTime,
  type Recurrent,
  recurrent,
  taken,
  wholeSequence,
} from "./recurrent.js";
import { type Chain, label, type Step } from "./steps.js";
import type { Weights } from "./weights.js";

/** The description of a chain of modules, and how it reads: "x -> gru \"rnn\" -> take last_state -> ...". */
export interface Wired {
  description: ModelDescription;
  reading: string;
  /** Whether a GRU was followed by another module without saying what is taken. */
  assumed: boolean;
}

/** @throws SottoError naming the module that does not fit what comes before it, or its weights. */
export function wire(name: string, chain: Chain, weights: Weights): Wired {
  const input = modelInputs(chain, weights);
  const last = chain.output ?? "y";
  const names = [...input.declared.map((i) => i.name), last, "h"];
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice !== undefined) badConfig(`two of the inputs and outputs are named ${quote(twice)}`);
  const wiring = new Wiring(new Emitter(names), weights, chain, input.value);
  for (const step of chain.steps) wiring.add(step);
  wiring.checkUnused();
  const outputs = wiring.outputs(last);
  const description = wiring.out.finish(name, input.declared, outputs);
  const reading = [input.value.name, ...wiring.trace, outputs.map(([output]) => output).join(", ")].join(
    " -> ",
  );
  return { description, reading, assumed: wiring.assumed };
}

class Wiring {
  readonly trace: string[] = [];
  assumed = false;
  private current: Value | Recurrent;
  private readonly site: Site;
  private end: Step | undefined;

  constructor(
    readonly out: Emitter,
    private readonly weights: Weights,
    private readonly chain: Chain,
    input: Value,
  ) {
    this.current = input;
    this.site = { out, weights, misfit: (step, expected, what, x) => this.misfit(step, expected, what, x) };
  }

  add(step: Step): void {
    if (this.end)
      unsupported(`${label(step)} after ${label(this.end)}, which is supported only at the model's end`);
    if (step.op === "take") {
      this.current =
        "states" in this.current
          ? taken(this.out, this.current, step.what)
          : overTime(this.out, this.current, step.what);
    } else if (step.op === "gru") {
      const x = "states" in this.current ? this.current.sequence : this.current;
      this.current = recurrent(this.out, this.weights, step, x);
    } else {
      const x = this.settle(step);
      this.current = this.module(step, x);
    }
    this.trace.push(label(step));
  }

  /** What the modules so far give: a GRU's result needs a decision now. */
  private settle(next: Step): Value {
    if (!("states" in this.current)) return this.current;
    if (["conv1d", "flatten", "pool", "windows", "transpose"].includes(next.op) && !this.chain.take)
      badConfig(
        `${label(next)} follows ${label(this.current.step)} without saying what it reads: ` +
          'put {"take": "all"} between them, for every step, or another take',
      );
    const what = this.chain.take ?? "last_state";
    if (!this.chain.take) this.assumed = true;
    this.trace.push(`take ${what}`);
    return taken(this.out, this.current, what);
  }

  private module(step: Exclude<Step, { op: "gru" | "take" }>, x: Value): Value {
    const { out } = this;
    switch (step.op) {
      case "embedding": {
        if (this.trace.length > 0) unsupported(`${label(step)} is supported only as the first module`);
        return embedding(this.site, step, x);
      }
      case "linear":
        return linear(this.site, step, x);
      case "conv1d":
        return convolution(this.site, step, x);
      case "batchNorm":
        return batchNorm(this.site, step, x);
      case "activation":
        return { ...x, name: out.layer({ ...step, name: step.activation.name }, [x.name])[0]! };
      case "softmax":
      case "logSoftmax": {
        this.end = step;
        // what PyTorch does where dim is not given
        const axis = step.axis ?? ([0, 1, 3].includes(x.shape.length) ? 0 : 1);
        this.axis(step, x, axis);
        return { ...x, name: out.layer({ op: step.op, name: step.op, axis }, [x.name])[0]! };
      }
      case "flatten":
        return this.flatten(step, x);
      case "pool": {
        const t =
          x.axes.includes("time") && x.shape.length === 3 ? arrange(out, x, ["batch", "feature", "time"]) : x;
        const axes = [x.shape.length - 1];
        const draft = { op: "reduce", name: `pool_${step.fn}`, fn: step.fn, axes, keepDims: true } as const;
        return { ...t, name: out.layer(draft, [t.name])[0]!, shape: [...t.shape.slice(0, -1), 1] };
      }
      case "windows":
        return windowPool(this.site, step, x);
      case "transpose": {
        const [a, b] = step.axes.map((axis) => this.axis(step, x, axis)) as [number, number];
        const perm = x.shape.map((_, i) => (i === a ? b : i === b ? a : i));
        return out.permute(x, perm);
      }
    }
  }

  private flatten(step: Extract<Step, { op: "flatten" }>, x: Value): Value {
    const [start, end] = [this.axis(step, x, step.start), this.axis(step, x, step.end)];
    if (start >= end) return x;
    const parts = x.shape.slice(start, end + 1);
    const known = parts.every((d) => typeof d === "number");
    const after = x.shape.slice(end + 1);
    if (!known || !after.every((d) => typeof d === "number"))
      unsupported(
        `flatten needs fixed sizes, but gets ${shown(x.shape)}; give them in a JSON configuration, as in ` +
          '{"inputs": {"x": ["batch", 20, 3]}}',
      );
    const size = (parts as number[]).reduce((a, b) => a * b, 1);
    // 0 keeps the size of that axis
    const target = [...x.shape.slice(0, start).map(() => 0), size, ...(after as number[])];
    const shape = this.out.integers("flatten.shape", target);
    const [y] = this.out.layer({ op: "reshape", name: "flatten" }, [x.name, shape]);
    const axes: Axis[] = [...x.axes.slice(0, start), "feature", ...x.axes.slice(end + 1)];
    return { name: y!, shape: [...x.shape.slice(0, start), size, ...after], axes };
  }

  /** The values that the model gives, with their names. */
  outputs(last: string): [string, Value][] {
    if ("states" in this.current)
      return [
        [last, wholeSequence(this.out, this.current)],
        ["h", lastStates(this.out, this.current)],
      ];
    if (!this.out.producer(this.current.name)) badConfig("no module of it computes anything");
    return [[last, this.current]];
  }

  /** Weights that nobody reads mean that the chain lacks a module. */
  checkUnused(): void {
    const { ignore } = this.chain;
    const left = this.weights
      .unused()
      .filter(
        (name) =>
          !ignore.some((i) => name === i || name.startsWith(`${i}.`)) &&
          !name.endsWith("num_batches_tracked"),
      );
    if (left.length > 0)
      badConfig(
        `nothing reads the weights ${some(left)}; add their modules, or name them under "ignore" in a JSON configuration`,
      );
  }

  private axis(step: Step, x: Value, axis: number): number {
    const at = axis < 0 ? axis + x.shape.length : axis;
    if (at < 0 || at >= x.shape.length)
      badConfig(`${label(step)}: there is no axis ${axis} in ${shown(x.shape)}`);
    return at;
  }

  private misfit(step: Step, expected: number, what: string, x: Value): never {
    badConfig(
      `${label(step)} expects ${expected} ${what}, but gets ${shown(x.shape)} from ` +
        `${this.trace.at(-1) ?? "the model's input"}. Is the order of the modules that of forward()?`,
    );
  }
}
