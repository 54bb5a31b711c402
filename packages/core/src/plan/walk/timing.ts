/**
 * Which time step each element of a network belongs to, while it is walked: whether a network can be streamed, that is,
 * whether each of its layers but the recurrent ones works on one step at a time. Views move element numbers, so they need
 * nothing here; every layer that computes is judged by what it reads. docs/protocol.md, "Streams".
 */
import { SottoError } from "../../errors.js";
import type { Conv1dLayer, GruLayer, Layer, ReduceLayer } from "../description.js";
import { broadcastTo } from "../fold.js";
import type { GroupFunction, PrivateTensor } from "../values.js";
import { revealedFor } from "./groups.js";
import type { Walk } from "./walk.js";

/** Of an element that depends on no time step. */
const NEVER = -1;

export class Timing {
  /** Whether a recurrent layer has taken the axis as its time. */
  recurrent = false;
  /** Inputs without a time axis: they begin the first chunk. */
  readonly initialInputs = new Set<string>();
  private readonly axes: ReadonlyMap<string, number>;
  private readonly steps: number[] = [];

  /** @param axes the time axis of the inputs that have one. */
  constructor(axes: ReadonlyMap<string, number>) {
    this.axes = axes;
  }

  /** @param shape as the model declares it; the tensor has more numbers where tokens are looked up. */
  input(name: string, shape: readonly number[], { data }: PrivateTensor): void {
    const axis = this.axes.get(name);
    if (axis === undefined) {
      this.initialInputs.add(name);
      for (const e of data) this.steps[e] = NEVER;
      return;
    }
    const stride = (shape.slice(axis + 1).reduce((n, d) => n * d, 1) * data.length) / product(shape);
    data.forEach((e, i) => {
      this.steps[e] = Math.floor(i / stride) % shape[axis]!;
    });
  }

  /** The same values under other numbers. */
  moved(from: Float64Array, to: Float64Array): void {
    to.forEach((e, i) => {
      this.steps[e] = this.steps[from[i]!]!;
    });
  }

  /** Judges a layer that is to be walked: lengths may not even fit the steps. @throws SottoError unsupported, as after(). */
  before(walk: Walk, layer: Layer): void {
    if (layer.op === "gru") this.beforeGru(walk, layer);
    if (layer.op === "reduce" && (layer.inputs[1] || layer.inputs[2]))
      throw refusal(`layer ${layer.name}`, "takes lengths of sequences, and a stream has none");
  }

  /** Judges a layer that has been walked. @throws SottoError unsupported naming it, and why it cannot be streamed. */
  after(walk: Walk, layer: Layer): void {
    const x = () => walk.computed(layer, 0);
    const y = walk.tensors.get(layer.outputs[0]!);
    switch (layer.op) {
      case "gru":
        this.afterGru(walk, layer);
        break;
      case "dense":
        this.rows(layer, x().data, x().shape.at(-1)!, y!.data, y!.shape.at(-1)!);
        break;
      case "embedding": {
        const input = walk.tensors.get(layer.inputs[0]!);
        if (!layer.private || !input) break;
        const tokens = product(y!.shape) / y!.shape.at(-1)!;
        this.rows(layer, input.data, input.data.length / tokens, y!.data, y!.shape.at(-1)!);
        break;
      }
      case "conv1d":
        this.conv(layer, x(), y!);
        break;
      case "affine":
        this.moved(x().data, y!.data);
        break;
      case "sum":
      case "product": {
        const parts = layer.inputs.map((_, i) => walk.computed(layer, i));
        const indexes = parts.map((t) => broadcastTo(layer.name, t.shape, y!.shape));
        y!.data.forEach((e, i) => {
          this.steps[e] = this.common(
            layer,
            parts.map((t, p) => t.data[indexes[p]![i]!]!),
          );
        });
        break;
      }
      case "reduce":
        this.reduce(layer, x(), y!);
        break;
      case "softmax":
      case "logSoftmax":
      case "argMax": {
        const { size } = y!.pending as GroupFunction;
        for (let at = 0; at < y!.data.length; at += size) this.common(layer, y!.data.subarray(at, at + size));
        break;
      }
    }
  }

  /**
   * An output must have a time axis, or be what is left after the last step.
   * @returns the axis, if there is one.
   */
  output(name: string, tensor: PrivateTensor, steps: number): number | undefined {
    const { shape } = tensor;
    const data = revealedFor(tensor);
    if (data.every((e) => this.steps[e] === steps - 1)) return undefined;
    const strides = shape.map((_, i) => product(shape.slice(i + 1)));
    const axis = shape.findIndex(
      (d, a) => d === steps && data.every((e, i) => Math.floor(i / strides[a]!) % d === this.steps[e]),
    );
    if (axis >= 0) return axis;
    throw refusal(`output ${name}`, "belongs to no time step, or to one in the middle of the sequence");
  }

  private beforeGru(walk: Walk, layer: GruLayer): void {
    const x = walk.computed(layer, 0);
    const [steps = 1] = x.shape;
    const perStep = x.data.length / steps;
    // another axis of the input may be the right one
    if (!x.data.every((e, i) => this.steps[e] === Math.floor(i / perStep)))
      throw refusal(`layer ${layer.name}`, "does not go along this axis of the input");
    this.recurrent = true;
    const why = layer.reverse
      ? "goes backwards: it needs the end of the sequence first"
      : layer.inputs[2] || layer.inputs[3]
        ? "takes lengths of sequences, and a stream has none"
        : layer.inputs[1] && !walk.computed(layer, 1).data.every((e) => this.steps[e] === NEVER)
          ? "starts from a state that depends on the sequence"
          : undefined;
    if (why) throw refusal(`layer ${layer.name}`, why);
  }

  private afterGru(walk: Walk, layer: GruLayer): void {
    const [steps, batch] = walk.computed(layer, 0).shape as [number, number];
    const [Y, last] = layer.outputs.map((name) => walk.tensors.get(name));
    Y?.data.forEach((e, i) => {
      this.steps[e] = Math.floor(i / (batch * layer.hidden));
    });
    for (const e of last?.data ?? []) this.steps[e] = steps - 1;
  }

  private conv(layer: Conv1dLayer, x: PrivateTensor, y: PrivateTensor): void {
    const taps = layer.shape?.[2] ?? 0;
    const [batch, channels, length] = x.shape as [number, number, number];
    const [, M, out] = y.shape as [number, number, number];
    const pointwise = taps === 1 && layer.stride === 1 && out === length;
    for (let b = 0; b < batch; b++) {
      const row = x.data.subarray(b * channels * length, (b + 1) * channels * length);
      const at = (l: number) => this.common(layer, pointwise ? row.filter((_, i) => i % length === l) : row);
      for (let l = 0; l < out; l++) {
        const step = at(l);
        for (let m = 0; m < M; m++) this.steps[y.data[(b * M + m) * out + l]!] = step;
      }
    }
  }

  private reduce(layer: ReduceLayer, x: PrivateTensor, y: PrivateTensor): void {
    groups(x, new Set(layer.axes)).forEach((group, i) => {
      this.steps[y.data[i]!] = this.common(layer, group);
    });
  }

  /** Rows of `inner` elements give rows of `outer`. */
  private rows(layer: Layer, x: Float64Array, inner: number, y: Float64Array, outer: number): void {
    for (let r = 0; r * outer < y.length; r++) {
      const step = this.common(layer, x.subarray(r * inner, (r + 1) * inner));
      for (let i = 0; i < outer; i++) this.steps[y[r * outer + i]!] = step;
    }
  }

  /** The step that elements have in common. */
  private common(layer: Layer, elements: Iterable<number>): number {
    const found = new Set([...elements].map((e) => this.steps[e]));
    const [step] = found;
    if (found.size === 1 && step !== undefined && step !== NEVER) return step;
    throw refusal(
      `layer ${layer.name}`,
      found.has(NEVER)
        ? "reads an input without a time axis, which only a recurrent layer's initial state may be in a stream"
        : `(${layer.op}) reads several time steps at once`,
    );
  }
}

function refusal(what: string, why: string): SottoError {
  return new SottoError(
    "unsupported",
    `${what} ${why}; the model cannot be streamed, only run on whole sequences`,
  );
}

/** For each element of what is left of the other axes, the elements along these. */
function groups({ shape, data }: PrivateTensor, along: ReadonlySet<number>): number[][] {
  const strides = shape.map((_, i) => product(shape.slice(i + 1)));
  const reduced = new Set([...along].map((a) => (a < 0 ? a + shape.length : a)));
  const kept = shape.map((_, i) => i).filter((i) => !reduced.has(i));
  const result: number[][] = Array.from({ length: kept.reduce((n, i) => n * shape[i]!, 1) }, () => []);
  data.forEach((e, i) => {
    const at = (axis: number) => Math.floor(i / strides[axis]!) % shape[axis]!;
    result[kept.reduce((n, axis) => n * shape[axis]! + at(axis), 0)]!.push(e);
  });
  return result;
}

function product(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}
