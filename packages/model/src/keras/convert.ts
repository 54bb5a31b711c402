import type { Context } from "./context.js";
import type { Layer } from "./graph.js";
import type { NumberArray } from "./hdf5/reader.js";
import { Options } from "./options.js";
import type { Mask, Shape, Value } from "./values.js";
import type { WeightSource } from "./weights.js";

/** One call of a layer that is being converted. */
export class LayerCall {
  readonly options: Options;

  constructor(
    readonly ctx: Context,
    readonly layer: Layer,
    readonly inputs: Value[],
    private readonly source: WeightSource,
    /** Arguments that are not tensors. */
    readonly values: unknown[] = [],
    readonly json: Layer["json"] = layer.json,
    private readonly path = "",
  ) {
    this.options = new Options(layer.name, json.class_name, json.config);
  }

  get name(): string {
    return this.layer.name;
  }

  get type(): string {
    return this.json.class_name;
  }

  /** The call of a layer inside of this one, which keeps its weights in a part of this one's. */
  inner(json: Layer["json"], part: string): LayerCall {
    const path = [this.path, part].filter((p) => p !== "").join("/");
    return new LayerCall(this.ctx, this.layer, this.inputs, this.source, this.values, json, path);
  }

  /** The weights of this layer, in Keras's order; they must have these shapes (-1 fits all). */
  weights(shapes: Record<string, number[]>): Record<string, NumberArray> {
    const names = Object.keys(shapes);
    const found = this.source.read(this.layer, this.path, names.length);
    names.forEach((name, i) => {
      const [expected, actual] = [shapes[name]!, found[i]!.shape];
      if (
        expected.length !== actual.length ||
        expected.some((size, axis) => size !== -1 && size !== actual[axis])
      )
        this.options.bad(
          `the weights ${name} have shape [${actual}], expected [${expected.map((s) => (s < 0 ? "any" : s))}]`,
        );
    });
    return Object.fromEntries(names.map((name, i) => [name, found[i]!]));
  }

  /** Keeps weights in the description under this layer's name. */
  tensor(what: string, shape: number[], data: Float32Array): string {
    const parts = this.path.split("/").filter((part) => !["", "cell", "cells", "layer"].includes(part));
    return this.ctx.tensor([this.layer.name, ...parts, what].join("."), shape, data);
  }

  /** The only input, of reals, with nothing left to do to it. */
  input(): Value {
    if (this.inputs.length !== 1) this.options.bad(`it has ${this.inputs.length} inputs, expected one`);
    return this.real(0);
  }

  real(position: number): Value {
    const value = this.inputs[position];
    if (!value) this.options.bad(`input ${position} is missing`);
    if (value.kind !== "real")
      this.options.unsupported(
        value.kind === "token"
          ? "its input is also looked up in an embedding; use a separate input for each"
          : "it computes with a mask",
      );
    if (value.final)
      this.options.unsupported(
        "it computes with the result of a softmax, which is supported only at the model's end",
      );
    if (value.pads)
      this.options.unsupported("its input is a ZeroPadding1D, which is supported only before a convolution");
    return value;
  }

  /** Known sizes of axes of an input, from a position on. */
  sizes(value: Value, from: number, what: string): number[] {
    const sizes = value.shape.slice(from);
    if (sizes.some((size) => size === null))
      this.options.unsupported(
        `${what} need known sizes, but its input has shape [${shapeText(value.shape)}]`,
      );
    return sizes as number[];
  }

  lastSize(value: Value): number {
    return this.sizes(value, value.shape.length - 1, "its weights")[0]!;
  }

  rank(value: Value, ...expected: number[]): void {
    if (!expected.includes(value.shape.length))
      this.options.bad(
        `its input has ${value.shape.length} axes [${shapeText(value.shape)}], expected ${expected.join(" or ")}`,
      );
  }

  /** For layers that look at all time steps alike: Keras drops the mask here. */
  dropMask(value: Value): void {
    if (value.mask?.dirty)
      this.options.unsupported(
        `it looks at steps that a Masking layer with mask_value = ${value.mask.value} has set to 0; ` +
          "use mask_value = 0, which changes nothing",
      );
  }

  /** The mask of several inputs that are combined elementwise. */
  commonMask(values: readonly Value[]): Mask | undefined {
    const [first] = values;
    const masks = values.map((v) => v.mask);
    if (masks.every((m) => m?.input === first?.mask?.input && m?.value === first?.mask?.value && !m?.mixed))
      return masks.find((m) => m?.dirty) ?? first?.mask;
    const mixed = `the mask after layer ${JSON.stringify(this.name)} combines several; supported is one mask from one input`;
    return { input: "", value: 0, dirty: masks.some((m) => m?.dirty), mixed };
  }
}

export function shapeText(shape: Shape): string {
  return shape.map((size) => size ?? "any").join(", ");
}

/** Turns a call into layers of the description. @returns the call's outputs. */
export type Converter = (call: LayerCall) => Value[];
