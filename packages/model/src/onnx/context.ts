import {
  applyView,
  type Constant,
  foldConstant,
  isShapeLayer,
  type Layer,
  type ShapeLayer,
  SottoError,
  type Tensor,
  type ViewLayer,
} from "@sotto/core";
import { badModel, badNode, quote, unsupported, unsupportedNode } from "./errors.js";
import type { Node } from "./graph.js";
import type { Numbers } from "./tensor.js";
import { type ConstantValue, fillOf, type PrivateValue, type PublicValue, type Value } from "./values.js";

/**
 * What has been imported so far: the values met, the layers written, the weights taken.
 * Converters read values by the file's names and define their node's outputs.
 */
export class Context {
  readonly layers: Layer[] = [];
  readonly tensors = new Map<string, Tensor>();
  private readonly values = new Map<string, Value>();
  private readonly taken: Set<string>;
  private budget: number;

  /**
   * @param fileSize in bytes; folding may make constants in proportion to it, so that a few damaged
   *   bytes can't ask for gigabytes.
   * @param outputRanks of the model's outputs, where the file declares them.
   * @param names of all values of the file, to keep away from when making up new ones.
   */
  constructor(
    fileSize: number,
    readonly outputRanks: ReadonlyMap<string, number>,
    names: Iterable<string>,
  ) {
    this.taken = new Set(names);
    this.budget = 16 * Math.max(fileSize, 2 ** 16);
  }

  /** Gives a value of the file (or one made up here) its meaning. */
  define(name: string, value: Value): void {
    if (name === "") return;
    this.values.set(name, value);
  }

  /** All constants by their names in the description. */
  *constants(): Iterable<ConstantValue> {
    for (const value of this.values.values()) if (value.kind === "constant") yield value;
  }

  value(name: string): Value {
    // The graph is in order, so what is missing is an output that a converter has no meaning for.
    return (
      this.values.get(name) ??
      unsupported(`the value ${quote(name)} is an optional output that can't be used`)
    );
  }

  /** An input of a node, undefined if it is left out. */
  optional(node: Node, position: number): Value | undefined {
    const name = node.inputs[position];
    return name ? this.value(name) : undefined;
  }

  input(node: Node, position: number): Value {
    return this.optional(node, position) ?? badNode(node, `input ${position} is missing`);
  }

  /** An input that depends on the model's inputs and of which more may be computed. */
  privateInput(node: Node, position: number, hint: string): PrivateValue {
    const value = this.input(node, position);
    if (value.kind !== "private")
      unsupportedNode(node, `input ${quote(value.name)} should be computed from a real input; ${hint}`);
    return this.notFinal(node, value);
  }

  /** A weight: a constant of reals. */
  weight(node: Node, position: number, what: string): ConstantValue {
    const value = this.input(node, position);
    if (value.kind !== "constant")
      unsupportedNode(
        node,
        `${what} ${quote(value.name)} is not constant. Weights must be stored in the model: export it in ` +
          "evaluation mode, with constant folding, and with the weights as initialisers",
      );
    if (value.type !== "float") badNode(node, `${what} ${quote(value.name)} should hold reals`);
    return value;
  }

  /** Keeps a weight in the description, converted to single precision. @returns its name there. */
  addTensor(name: string, shape: number[], data: Iterable<number>): string {
    const single = Float32Array.from(data);
    if (!single.every((v) => Number.isFinite(v)))
      badModel(`the weights ${quote(name)} exceed what single precision holds, or are not numbers`);
    const unique = this.unique(name);
    this.tensors.set(unique, { shape, data: single });
    return unique;
  }

  /** A constant vector of integers that the file gives as an attribute. @returns its name. */
  addIntegers(name: string, integers: readonly number[]): string {
    const unique = this.unique(name);
    const shape = [integers.length];
    this.define(unique, { kind: "constant", name: unique, type: "integer", shape, data: [...integers] });
    return unique;
  }

  /**
   * Defines a view's output: folded if all is constant, otherwise as a layer.
   * layer.inputs are names in the file; layer.outputs has one name.
   */
  view(node: Node, layer: ViewLayer): void {
    const inputs = layer.inputs.map((name) => (name ? this.value(name) : undefined));
    const data = inputs.slice(0, dataOperands(layer)).map((v) => v ?? badNode(node, "an input is missing"));
    for (const value of inputs.slice(data.length))
      if (value?.kind === "private" || value?.kind === "token")
        unsupportedNode(node, `parameter ${quote(value.name)} depends on the data of the model's inputs`);
    const [name] = layer.outputs as [string];
    const first = data[0] ?? badNode(node, "it has no inputs");
    if (inputs.every((v) => v === undefined || v.kind === "constant")) {
      const folded = this.fold(node, layer, inputs as (ConstantValue | undefined)[]);
      this.define(name, { kind: "constant", name, type: (first as ConstantValue).type, ...folded });
      return;
    }
    layer.inputs = inputs.map((v) => v?.name ?? "");
    if (data.some((v) => v.kind === "token"))
      unsupportedNode(
        node,
        "indices of an embedding must be a model input as it is; move this to after the look-up",
      );
    if (data.some((v) => v.kind === "private")) {
      for (const value of data)
        if (value.kind !== "private")
          unsupportedNode(node, `${quote(value.name)} is constant and can't be joined with private values`);
        else this.notFinal(node, value);
      this.define(name, { kind: "private", name });
    } else {
      const [fill, ...others] = (data as (ConstantValue | PublicValue)[]).map(fillOf);
      const type = (first as PublicValue).type;
      this.define(name, {
        kind: "public",
        name,
        type,
        fill: others.every((f) => f === fill) ? fill : undefined,
      });
    }
    this.layers.push(layer);
  }

  /** Defines the output of shape arithmetic, folded if all inputs are constant. */
  shape(node: Node, layer: ShapeLayer, inputs: readonly Value[], type: PublicValue["type"]): void {
    const [name] = layer.outputs as [string];
    if (inputs.every((v) => v.kind === "constant")) {
      const folded = this.fold(node, layer, inputs as ConstantValue[]);
      this.define(name, { kind: "constant", name, type, ...folded });
      return;
    }
    const fill = layer.op === "constantOfShape" ? (layer.value ?? 0) : undefined;
    this.define(name, { kind: "public", name, type, fill });
    this.layers.push({ ...layer, inputs: inputs.map((v) => v.name) });
  }

  private notFinal(node: Node, value: PrivateValue): PrivateValue {
    if (value.final)
      unsupportedNode(
        node,
        "it computes with the result of a softmax, which is supported only at the model's end",
      );
    return value;
  }

  private fold(node: Node, layer: ViewLayer | ShapeLayer, inputs: readonly (ConstantValue | undefined)[]) {
    try {
      const result = this.evaluate(layer, inputs);
      const moved = inputs.every((v) => v?.data !== result.data);
      if (moved) this.budget -= result.data.length;
      return { shape: result.shape, data: result.data };
    } catch (error) {
      if (error instanceof SottoError && error.code === "bad-model")
        badNode(node, "its constants don't fit", error);
      throw error;
    }
  }

  private evaluate(layer: ViewLayer | ShapeLayer, inputs: readonly (ConstantValue | undefined)[]) {
    const plain = (v: ConstantValue | undefined): Constant | undefined =>
      v && { shape: v.shape, data: Array.from(v.data) };
    const limit = Math.max(0, this.budget);
    if (isShapeLayer(layer)) return foldConstant(layer, inputs.map(plain), limit)[0]!;
    // Weights may be large: move them as they are instead of copying them to plain arrays.
    const parameters = inputs.map((v, i) => (i < dataOperands(layer) ? undefined : plain(v)));
    return applyView<Numbers>(layer, inputs, parameters, limit)[0]!;
  }

  private unique(name: string): string {
    let unique = name;
    for (let i = 2; this.taken.has(unique); i++) unique = `${name}#${i}`;
    this.taken.add(unique);
    return unique;
  }
}

/** How many of a view's inputs are moved; the rest are parameters. */
function dataOperands(layer: ViewLayer): number {
  return layer.op === "concat" ? layer.inputs.length : 1;
}
