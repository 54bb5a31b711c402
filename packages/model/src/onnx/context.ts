import {
  dataOperands,
  type Layer,
  type ModelInput,
  type ShapeLayer,
  type Tensor,
  type ViewLayer,
} from "@sotto/core";
import { badModel, badNode, quote, unsupported, unsupportedNode } from "./errors.js";
import { Folder } from "./folding.js";
import type { Node } from "./graph.js";
import { refuseLengths, viewOfLengths } from "./ops/lengths.js";
import { materialise } from "./ops/materialise.js";
import { expansion, publicResult, sizeLayers } from "./publics.js";
import { isKnown, mapElements, viewElements, viewShape } from "./sizes.js";
import { keepOrder } from "./sorted.js";
import {
  type ConstantValue,
  elementsOf,
  fillOf,
  type PrivateValue,
  type PublicValue,
  type Size,
  type Value,
} from "./values.js";

/**
 * What has been imported so far: the values met, the layers written, the weights taken.
 * Converters read values by the file's names and define their node's outputs.
 */
export class Context {
  readonly layers: Layer[] = [];
  readonly tensors = new Map<string, Tensor>();
  private readonly values = new Map<string, Value>();
  private readonly taken: Set<string>;
  private readonly folder: Folder;
  private readonly shared = new Map<string, string>();
  /** What to number a name with that is taken. */
  private readonly numbers = new Map<string, number>();

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
    readonly inputs: readonly ModelInput[] = [],
  ) {
    this.taken = new Set(names);
    this.folder = new Folder(16 * Math.max(fileSize, 2 ** 16));
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

  /** A value that may not have been met yet. */
  find(name: string): Value | undefined {
    return this.values.get(name);
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

  /** A weight that is kept once, however many layers have it. @param add keeps it. @returns its name. */
  sharedTensor(key: string, add: () => string): string {
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const name = add();
    this.shared.set(key, name);
    return name;
  }

  /** A constant vector of integers that the file gives as an attribute. @returns its name. */
  addIntegers(name: string, integers: readonly number[]): string {
    const unique = this.unique(name);
    const shape = [integers.length];
    this.define(unique, { kind: "constant", name: unique, type: "integer", shape, data: [...integers] });
    return unique;
  }

  /** A constant that the importer makes up. @returns its name. */
  addScalar(name: string, type: ConstantValue["type"], data: number): string {
    const unique = this.unique(name);
    this.define(unique, { kind: "constant", name: unique, type, shape: [], data: [data] });
    return unique;
  }

  /** Writes a layer of private results and defines them. @returns the first. */
  write(layer: Layer, shape: Size[] | undefined, more: Partial<PrivateValue> = {}): PrivateValue {
    const [name] = layer.outputs as [string];
    const value: PrivateValue = { kind: "private", name, ...more, ...(shape ? { shape } : {}) };
    const sources = layer.inputs.map((input) => this.values.get(input)).filter((v) => v?.kind === "private");
    keepOrder(layer, sources, shape);
    this.layers.push(layer);
    this.define(name, value);
    return value;
  }

  /** A name for a value, or a layer, that the file does not have. */
  fresh(name: string): string {
    return this.unique(name);
  }

  /** Moves a private value's elements in a way that the file does not say itself. @param name of the result. */
  move(
    node: Node,
    x: PrivateValue,
    view: Pick<ViewLayer, "op" | "perm" | "axis"> & { parameters?: number[][] },
    name = this.fresh(`${node.outputs.find(Boolean)}.${view.op}`),
  ): PrivateValue {
    const { parameters = [], ...rest } = view;
    const inputs = parameters.map((p, i) => this.addIntegers(`${node.name}.${view.op}.${i}`, p));
    const layer: ViewLayer = { ...rest, name: node.name, inputs: [x.name, ...inputs], outputs: [name] };
    return this.write(layer, viewShape(layer, [x.shape], [undefined, ...parameters]));
  }

  /**
   * Defines a view's output: folded if all is constant, otherwise as a layer.
   * layer.inputs are names in the file; layer.outputs has one name.
   */
  view(node: Node, layer: ViewLayer): void {
    const inputs = layer.inputs.map((name) => (name ? this.value(name) : undefined));
    const data = inputs.slice(0, dataOperands(layer)).map((v) => v ?? badNode(node, "an input is missing"));
    for (const value of inputs.slice(data.length)) {
      if (value?.kind === "length") refuseLengths(node, value);
      if (value && value.kind !== "constant" && value.kind !== "public")
        unsupportedNode(node, `parameter ${quote(value.name)} depends on the data of the model's inputs`);
    }
    const [name] = layer.outputs as [string];
    const first = data[0] ?? badNode(node, "it has no inputs");
    if (inputs.every((v) => v === undefined || v.kind === "constant")) {
      const folded = this.folder.fold(node, layer, inputs as (ConstantValue | undefined)[]);
      this.define(name, { kind: "constant", name, type: (first as ConstantValue).type, ...folded });
      return;
    }
    layer.inputs = inputs.map((v) => v?.name ?? "");
    const parameters = inputs.map((v) => v && elementsOf(v));
    const indices = layer.op === "gather" ? [first.shape, inputs[1]?.shape] : undefined;
    const shape = viewShape(layer, indices ?? data.map((v) => v.shape), parameters);
    if (first.kind === "token" && data.length === 1 && first.shape) {
      const views = [...(first.views ?? []), { layer, rank: first.shape.length }];
      this.define(name, { ...first, shape, views });
      return;
    }
    if (first.kind === "length" && data.length === 1) {
      viewOfLengths(this, node, layer, first, shape);
      return;
    }
    for (const value of data) {
      if (value.kind === "length") refuseLengths(node, value);
      if (value.kind === "token" || value.kind === "order")
        unsupportedNode(
          node,
          "indices of an embedding must be a model input as it is; move this to after the look-up",
        );
    }
    if (data.some((v) => v.kind === "private")) {
      for (const value of data)
        if (value.kind !== "private") {
          const shared = materialise(this, node, value as ConstantValue | PublicValue);
          layer.inputs = layer.inputs.map((name) => (name === value.name ? shared.name : name));
        } else if (layer.op === "concat") this.notFinal(node, value);
        else this.notPadded(node, value);
      const { final, whole } = data.length === 1 ? (first as PrivateValue) : {};
      this.write(layer, shape, defined({ final, whole }));
      return;
    }
    const known = data as (ConstantValue | PublicValue)[];
    const [fill, ...others] = known.map(fillOf);
    const found = viewElements(
      layer,
      known.map((v) => ({ shape: v.shape, elements: elementsOf(v) })),
      inputs.map((v, i) => v && { shape: v.shape, elements: parameters[i] }),
    );
    this.definePublic(layer, (first as PublicValue).type, {
      shape: found?.shape ?? shape,
      elements: found?.elements,
      fill: others.every((f) => f === fill) ? fill : undefined,
      expanded: expansion(layer, known[0]!, parameters, shape),
    });
  }

  /** Defines the output of shape arithmetic, folded if all inputs are constant. */
  shape(node: Node, layer: ShapeLayer, inputs: readonly Value[], type: PublicValue["type"]): void {
    const [name] = layer.outputs as [string];
    if (inputs.every((v) => v.kind === "constant")) {
      const folded = this.folder.fold(node, layer, inputs as ConstantValue[]);
      this.define(name, { kind: "constant", name, type, ...folded });
      return;
    }
    layer.inputs = inputs.map((v) => v.name);
    this.definePublic(layer, type, publicResult(layer, inputs));
  }

  /** What is made of public values by a function of their elements, of which some may be known only by name. */
  elementwise(
    node: Node,
    inputs: readonly (ConstantValue | PublicValue)[],
    type: PublicValue["type"],
    f: (...elements: Size[]) => Size,
  ): void {
    const name = node.outputs[0] ?? "";
    const size = Math.max(...inputs.map((v) => (v.kind === "constant" ? v.data.length : 0)));
    const limit = this.folder.spend(node, size);
    const found = mapElements(
      inputs.map((v) => ({
        shape: v.shape,
        elements: v.kind === "constant" ? Array.from(v.data) : v.elements,
      })),
      f,
      limit,
    );
    const elements = found?.elements;
    if (!found || !elements || elements.includes(undefined))
      unsupportedNode(
        node,
        "it computes with public values that are not known before the model runs; export the model with fixed sizes",
      );
    if (elements.some((v) => typeof v === "number" && !Number.isFinite(v)))
      badNode(node, "its result is not a number, or infinite");
    this.publish(node, name, type, found.shape, elements);
  }

  /** A vector of numbers and names of sizes. @returns its name. */
  sizes(node: Node, elements: readonly Size[]): string {
    const name = this.fresh(`${node.outputs.find(Boolean)}.sizes`);
    this.publish(node, name, "integer", [elements.length], elements);
    return name;
  }

  /** A public value whose elements are numbers and names of sizes. */
  private publish(
    node: Node,
    name: string,
    type: PublicValue["type"],
    shape: number[],
    elements: readonly Size[],
  ): void {
    if (isKnown(elements)) {
      this.define(name, { kind: "constant", name, type, shape, data: [...elements] });
      return;
    }
    for (const layer of sizeLayers(this, node, name, shape, elements)) this.layers.push(layer);
    this.define(name, { kind: "public", name, type, shape, elements: [...elements] });
  }

  /** A public value; a constant if all of it is known. */
  private definePublic(
    layer: ViewLayer | ShapeLayer,
    type: PublicValue["type"],
    known: Pick<PublicValue, "shape" | "elements" | "fill" | "expanded">,
  ): void {
    const [name] = layer.outputs as [string];
    const { shape, elements } = known;
    if (shape && elements && isKnown(shape) && isKnown(elements)) {
      this.define(name, { kind: "constant", name, type, shape, data: elements });
      return;
    }
    const value: PublicValue = { kind: "public", name, type };
    this.define(name, Object.assign(value, defined(known)));
    this.layers.push(layer);
  }

  private notFinal(node: Node, value: PrivateValue): PrivateValue {
    if (value.final)
      unsupportedNode(
        node,
        "it computes with the result of a softmax or an ArgMax, which is supported only at the model's end; " +
          "after it, elements may be selected and moved",
      );
    return this.notPadded(node, value);
  }

  private notPadded(node: Node, value: PrivateValue): PrivateValue {
    if (value.padding)
      unsupportedNode(node, "it reads what a Pad has padded; a Pad is supported only right before a Conv");
    return value;
  }

  private unique(name: string): string {
    let unique = name;
    let number = this.numbers.get(name) ?? 2;
    while (this.taken.has(unique)) unique = `${name}#${number++}`;
    this.numbers.set(name, number);
    this.taken.add(unique);
    return unique;
  }
}

/** Without properties that are undefined. */
function defined<T extends object>(record: T): Partial<T> {
  return Object.fromEntries(Object.entries(record).filter(([, v]) => v !== undefined)) as Partial<T>;
}
