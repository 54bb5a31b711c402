import type { Constant, Dimension, Layer, ModelDescription, ModelInput, Tensor } from "@sotto/core";

/** What an axis of a value means. */
export type Axis = "batch" | "time" | "feature";

/** A value of the description being written. */
export interface Value {
  name: string;
  shape: Dimension[];
  axes: Axis[];
  /** The model input that bounds the steps of its sequences, where there is one. */
  lengths?: string;
}

/** A layer without what the emitter adds. */
type Draft = Layer extends infer L ? (L extends Layer ? Omit<L, "inputs" | "outputs"> : never) : never;

/** Writes layers, and gives values, tensors and constants names of their own. */
export class Emitter {
  private layers: Layer[] = [];
  private readonly tensors: Record<string, Tensor> = Object.create(null);
  private readonly constants: Record<string, Constant> = Object.create(null);
  private readonly taken = new Set<string>();

  /** @param reserved names of the model's inputs and outputs. */
  constructor(reserved: readonly string[]) {
    for (const name of reserved) this.taken.add(name);
  }

  /** Adds a layer. @returns its outputs' names. */
  layer(draft: Draft, inputs: readonly string[], outputs = 1): string[] {
    const names = Array.from({ length: outputs }, (_, i) =>
      this.unique(outputs === 1 ? draft.name : `${draft.name}:${i}`),
    );
    this.layers.push({ ...draft, inputs: [...inputs], outputs: names } as Layer);
    return names;
  }

  tensor(name: string, shape: number[], data: Float32Array): string {
    const unique = this.unique(name);
    this.tensors[unique] = { shape, data };
    return unique;
  }

  /** A public vector of integers. */
  integers(name: string, data: number[]): string {
    const unique = this.unique(name);
    this.constants[unique] = { shape: [data.length], data };
    return unique;
  }

  /** Reorders the axes of a value: axis i of the result is axis perm[i]. Two in a row become one. */
  permute(x: Value, perm: readonly number[]): Value {
    const before = this.producer(x.name);
    let [source, total] = [x.name, [...perm]];
    if (before?.op === "transpose" && before.perm) {
      source = before.inputs[0]!;
      total = perm.map((axis) => before.perm![axis]!);
    }
    const moved = {
      ...x,
      shape: perm.map((axis) => x.shape[axis]!),
      axes: perm.map((axis) => x.axes[axis]!),
    };
    if (total.every((axis, i) => axis === i)) return { ...moved, name: source };
    const [name] = this.layer({ op: "transpose", name: `${source}.transposed`, perm: total }, [source]);
    return { ...moved, name: name! };
  }

  /** The description, without what its outputs don't need. @param outputs by the names that they get. */
  finish(
    name: string,
    inputs: ModelInput[],
    outputs: readonly (readonly [string, Value])[],
  ): ModelDescription {
    for (const [output, value] of outputs) this.rename(value.name, output);
    const layers = this.needed(outputs.map(([output]) => output));
    const read = new Set([...layers.flatMap((l) => l.inputs), ...outputs.map(([output]) => output)]);
    for (const layer of layers) layer.outputs = layer.outputs.map((o) => (read.has(o) ? o : ""));
    const texts = new Set(
      layers.flatMap((layer) => Object.values(layer)).filter((v) => typeof v === "string"),
    );
    return {
      name,
      inputs,
      outputs: outputs.map(([output]) => ({ name: output })),
      layers,
      tensors: pick(this.tensors, (tensor) => texts.has(tensor)),
      constants: pick(this.constants, (constant) => read.has(constant)),
    };
  }

  /** Whether a layer computes the value; otherwise it is a model input. */
  producer(value: string): Layer | undefined {
    return this.layers.find((layer) => layer.outputs.includes(value));
  }

  private rename(from: string, to: string): void {
    const renamed = (name: string) => (name === from ? to : name);
    for (const layer of this.layers) {
      layer.inputs = layer.inputs.map(renamed);
      layer.outputs = layer.outputs.map(renamed);
    }
  }

  private needed(outputs: readonly string[]): Layer[] {
    const wanted = new Set(outputs);
    const kept: Layer[] = [];
    for (const layer of [...this.layers].reverse()) {
      if (!layer.outputs.some((o) => wanted.has(o))) continue;
      for (const input of layer.inputs) wanted.add(input);
      kept.push(layer);
    }
    return kept.reverse();
  }

  private unique(name: string): string {
    const base = name || "layer";
    let unique = base;
    for (let i = 2; this.taken.has(unique); i++) unique = `${base}#${i}`;
    this.taken.add(unique);
    return unique;
  }
}

/** Without a prototype: a value may be named "toString". */
function pick<T>(record: Record<string, T>, keep: (name: string) => boolean): Record<string, T> {
  const result: Record<string, T> = Object.create(null);
  for (const [name, item] of Object.entries(record)) if (keep(name)) result[name] = item;
  return result;
}
