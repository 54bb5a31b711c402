import type { Activation, Constant, Layer, ModelInput, Tensor, ViewLayer } from "@sotto/core";
import { isIncreasing } from "../parts.js";
import { badModel, quote, unsupported } from "./errors.js";
import type { Mask, Shape, Value } from "./values.js";

/** What has been imported so far: the layers written, the weights taken, the model's inputs. */
export class Context {
  readonly layers: Layer[] = [];
  readonly inputs: ModelInput[] = [];
  readonly tensors = new Map<string, Tensor>();
  readonly constants = new Map<string, Constant>();
  private readonly taken = new Set<string>();
  private readonly lengths = new Map<string, [string, string]>();

  /** @param keras the version of Keras whose meanings count: some functions changed with Keras 3. */
  constructor(readonly keras: 2 | 3) {}

  /** A name that nothing has yet. */
  unique(name: string): string {
    let unique = name;
    for (let i = 2; this.taken.has(unique); i++) unique = `${name}#${i}`;
    this.taken.add(unique);
    return unique;
  }

  /** Keeps a weight. A layer that is called twice keeps one. @returns its name. */
  tensor(name: string, shape: number[], data: Float32Array): string {
    if (!data.every((v) => Number.isFinite(v)))
      badModel(`the weights ${quote(name)} exceed what single precision holds, or are not numbers`);
    const known = this.tensors.get(name);
    if (known && known.shape.join() === shape.join() && known.data.every((v, i) => v === data[i]))
      return name;
    const unique = this.unique(name);
    this.tensors.set(unique, { shape, data });
    return unique;
  }

  private integers(data: number[]): string {
    const name = this.unique(`constant [${data}]`);
    this.constants.set(name, { shape: [data.length], data });
    return name;
  }

  /** Adds a layer with one output. @returns its value, which has the mask of `like`, if given. */
  add<L extends Layer>(layer: Omit<L, "outputs">, shape: Shape, mask?: Mask): Value {
    const name = this.unique(layer.name);
    this.layers.push({ ...layer, outputs: [name] } as unknown as Layer);
    return { name, shape, kind: "real", ...(mask ? { mask } : {}) };
  }

  private view(
    name: string,
    op: ViewLayer["op"],
    inputs: string[],
    more: Partial<ViewLayer>,
    shape: Shape,
    mask?: Mask,
  ): Value {
    return this.add<ViewLayer>({ op, name, inputs, ...more }, shape, mask);
  }

  transpose(name: string, x: Value, perm: number[], mask?: Mask): Value {
    return this.view(
      name,
      "transpose",
      [x.name],
      { perm },
      perm.map((axis) => x.shape[axis]!),
      mask,
    );
  }

  /** From the last to the first along an axis. */
  flip(name: string, x: Value, axis: number): Value {
    // ONNX's way to say "from the end past the start".
    const inputs = [x.name, ...[[-1], [-(2 ** 31)], [axis], [-1]].map((v) => this.integers(v))];
    return this.view(name, "slice", inputs, {}, x.shape, x.mask);
  }

  /** The increasing function that a value is the result of, and what goes into it. */
  beforeFunction(x: Value): { input: string; activation: Activation } | undefined {
    const layer = this.layers.find((l) => l.outputs.includes(x.name));
    if (layer?.op !== "activation" || !isIncreasing(layer.activation)) return undefined;
    return { input: layer.inputs[0]!, activation: layer.activation };
  }

  /** Every step-th element from start on, up to end, which counts from the axis' end; 0 is the end itself. */
  slice(
    name: string,
    x: Value,
    { axis, start, end, step }: { axis: number; start: number; end: number; step: number },
    shape: Shape,
  ): Value {
    const list = [start, end === 0 ? 2 ** 31 - 1 : end, axis, step];
    return this.view(name, "slice", [x.name, ...list.map((v) => this.integers([v]))], {}, shape);
  }

  squeeze(name: string, x: Value, axis: number): Value {
    const shape = x.shape.filter((_, i) => i !== axis);
    return this.view(name, "squeeze", [x.name, this.integers([axis])], {}, shape);
  }

  unsqueeze(name: string, x: Value, axis: number): Value {
    const shape = [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)];
    return this.view(name, "unsqueeze", [x.name, this.integers([axis])], {}, shape);
  }

  /** @param target sizes as ONNX has them: 0 copies, one may be -1. */
  reshape(name: string, x: Value, target: number[], shape: Shape): Value {
    return this.view(name, "reshape", [x.name, this.integers(target)], {}, shape);
  }

  expand(name: string, x: Value, target: number[], shape: Shape): Value {
    return this.view(name, "expand", [x.name, this.integers(target)], {}, shape);
  }

  concat(name: string, xs: readonly Value[], axis: number, shape: Shape, mask?: Mask): Value {
    return this.view(
      name,
      "concat",
      xs.map((x) => x.name),
      { axis },
      shape,
      mask,
    );
  }

  /** Declares the model inputs that the client derives from another. @returns the names of [lengths, starts]. */
  lengthsOf(mask: Mask): [string, string] {
    if (mask.mixed) unsupported(mask.mixed);
    const key = JSON.stringify([mask.input, mask.value]);
    const known = this.lengths.get(key);
    if (known) return known;
    const source = this.inputs.find((input) => input.name === mask.input)!;
    const names = (["end", "start"] as const).map((edge) => {
      const name = this.unique(`${mask.input}.${edge}`);
      const { input, value } = mask;
      this.inputs.push({
        name,
        shape: source.shape.slice(0, 1),
        kind: "length",
        mask: { input, value, edge },
      });
      return name;
    }) as [string, string];
    this.lengths.set(key, names);
    return names;
  }
}
