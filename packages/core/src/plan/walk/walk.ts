/** What the parts of the walk over a network share: the values met, and how layers read and define them. */
import { SottoError } from "../../errors.js";
import type { GruFunctions } from "../../nets/gru.js";
import type { Builder } from "../../program/builder.js";
import type { SharedNode } from "../../program/nodes.js";
import type { Constant, GruLayer, Layer, ModelDescription } from "../description.js";
import type { NetworkInput, NetworkOutput } from "../instantiate.js";
import { inputScale, type Operand, operandOf } from "../operand.js";
import { type GruBounds, hashJson, type Plan, type Precision, type Sizes, type TensorPlan } from "../plan.js";
import { activationTable } from "../table.js";
import type { Fold, LayerTensors } from "../tensors.js";
import { Pool, type PrivateTensor } from "../values.js";
import { settle } from "./affine.js";
import type { CarriedStates } from "./carried.js";
import type { Timing } from "./timing.js";

/** A run's input at most: a server must not be made to build an endless program by the sizes it is sent. */
export const MAX_INPUT_ELEMENTS = 2 ** 22;

/** Bits of fraction of zeros, which have any where they meet other values. */
const ZERO_SCALE = 15;

/** Bits of a product before the point, at least. */
const PRODUCT_BITS = 8;

/** The owner's tensors, made from the model; nobody else has it. */
export type Tensors = (model: ModelDescription) => LayerTensors;

/** What the owner's compiler supplies while the plan is being made (plan/compile.ts). */
export interface Oracle {
  tensor(name: string): TensorPlan;
  /** A linear map: matrices whose products are added, and b. Fixes their scale, given the operand. */
  linear(name: string, tensors: Tensors, x: Operand): void;
  /** Vectors at this scale. */
  vector(name: string, tensors: Tensors, scale: number): void;
  /** @param folds a hash of the affine layers that are in a map's weights, "" if there are none. */
  folded(name: string, folds: string): void;
  /** An embedding's table. */
  table(name: string, tensors: Tensors, scale: number): void;
  /** @param h the state as operand; its bound holds for every step. */
  gruBounds(layer: GruLayer, folds: Fold[], functions: GruFunctions, x: Operand, h: Operand): GruBounds;
}

/** A plan that is being made has no tensors and bounds yet. */
export type Skeleton = Omit<Plan, "tensors" | "gruBounds" | "folds">;

export class Walk {
  readonly plan: Skeleton;
  readonly sizes: Sizes;
  readonly builder: Builder;
  readonly oracle: Oracle;
  readonly pool: Pool;
  readonly constants = new Map<string, Constant>();
  readonly tensors = new Map<string, PrivateTensor>();
  /** Shapes of inputs of tokens. */
  readonly tokens = new Map<string, number[]>();
  /** Public lengths, by the input's name. */
  readonly lengths = new Map<string, (number | undefined)[]>();
  readonly inputs: NetworkInput[] = [];
  /** While it is found out whether the network can be streamed: the time step of each element. */
  timing?: Timing;
  /** In a chunk of a stream: the states that the layers begin with and leave. */
  states?: CarriedStates;
  private readonly maps = new Map<string, number>();
  private readonly finished = new WeakMap<PrivateTensor, PrivateTensor>();
  /** What unfold() found, by the elements' array: both directions of a layer read the same. */
  readonly unfolded = new WeakMap<
    Float64Array,
    { features: number; elements: Float64Array; folds: Fold[] }
  >();

  constructor(plan: Skeleton, sizes: Sizes, builder: Builder, oracle: Oracle) {
    this.plan = plan;
    this.sizes = sizes;
    this.builder = builder;
    this.oracle = oracle;
    this.pool = new Pool(builder);
  }

  get precision(): Precision {
    return this.plan.precision;
  }

  /** An input of the program, shared by the client. */
  input(about: Omit<NetworkInput, "range">, shape: number[]): PrivateTensor {
    const { name } = about;
    const range = this.plan.ranges[name];
    if (range === undefined)
      throw new SottoError("plan-mismatch", `the plan declares no range for input ${name}`);
    const most = about.vocabulary !== undefined || typeof range !== "number" ? 1 : range;
    const scale = about.vocabulary === undefined ? inputScale(most) : 0;
    this.builder.label = `input ${name}`;
    const length = shape.reduce((n, d) => n * d, 1);
    if (length > MAX_INPUT_ELEMENTS) {
      throw new SottoError(
        "bad-input",
        `input ${name} of shape [${shape}] has ${length} numbers; a run takes at most ${MAX_INPUT_ELEMENTS}`,
      );
    }
    // a later chunk does not need what only begins the first one
    if (this.states?.isOver(name)) return this.pool.tensor(shape, [this.builder.zero(length, scale)]);
    this.inputs.push({ ...about, range });
    const node = this.builder.input(name, length, scale, Math.round(most * 2 ** scale));
    const tensor = this.pool.tensor(shape, [node]);
    this.timing?.input(name, about.shape, tensor);
    return tensor;
  }

  /** One value holding these elements, in this order. */
  collect(elements: Float64Array): SharedNode {
    return this.pool.collect(settle(this, elements));
  }

  /** A value as the operand of a linear map: made fresh, if the product would have no room. */
  factor(x: SharedNode): { value: SharedNode; operand: Operand } {
    const operand = operandOf(x, this.precision);
    if (operand.room >= operand.scale + operand.weightScale + PRODUCT_BITS) return { value: x, operand };
    const value = this.builder.lift(x, operand.scale);
    return { value, operand: operandOf(value, this.precision) };
  }

  /** A tensor as a computing layer needs it: a pending activation is computed by the servers. */
  computed(layer: Layer, input: number): PrivateTensor {
    const t = this.operand(layer, layer.inputs[input]!);
    if (!t.pending) return t;
    if ("size" in t.pending) {
      throw new SottoError(
        "unsupported",
        `layer ${layer.name}: ${t.pending.op} before another layer; it is supported at the end`,
      );
    }
    const known = this.finished.get(t);
    if (known) return known;
    const x = this.collect(t.data);
    const table = activationTable(t.pending.activation, realBound(x), this.precision.activation);
    const y = this.builder.finish(this.builder.activation(table, x));
    const result = this.pool.tensor(t.shape, [y]);
    this.finished.set(t, result);
    this.timing?.moved(t.data, result.data);
    return result;
  }

  operand(layer: Layer, name: string): PrivateTensor {
    const t = this.tensors.get(name) ?? this.zeros(name);
    if (t) return t;
    throw this.tokens.has(name)
      ? new SottoError(
          "unsupported",
          `layer ${layer.name}: input ${name} holds tokens; only an embedding takes them`,
        )
      : new SottoError("bad-model", `layer ${layer.name}: no private value named ${name}`);
  }

  /** Public zeros among private values: nobody has to share them. */
  private zeros(name: string): PrivateTensor | undefined {
    const constant = this.constants.get(name);
    if (!constant?.data.every((v) => v === 0)) return undefined;
    const { shape, data } = constant;
    const tensor = this.pool.tensor([...shape], [this.builder.zero(data.length, ZERO_SCALE)]);
    this.tensors.set(name, tensor);
    return tensor;
  }

  put(layer: Layer, tensor: PrivateTensor): void {
    this.tensors.set(layer.outputs[0]!, tensor);
  }

  /**
   * A name for the tensors of a linear map, which may be written more than once, with different affine layers in its
   * weights. These are part of the plan: a run whose sizes lead to others is refused.
   */
  mapName(layer: string, ...folds: (readonly Fold[])[]): string {
    const times = (this.maps.get(layer) ?? 0) + 1;
    this.maps.set(layer, times);
    const name = times === 1 ? layer : `${layer}~${times}`;
    this.oracle.folded(name, folds.flat().length > 0 ? hashJson(folds) : "");
    return name;
  }

  /**
   * The steps of each row of a batch: from start to before length, both inputs of kind `length` or public constants.
   * @param first the position of the lengths among the layer's inputs; that of the starts comes after it.
   */
  spans(layer: Layer, first: number, steps: number, batch: number): [start: number, end: number][] {
    const ends = this.lengthsOf(layer, first, batch);
    const starts = this.lengthsOf(layer, first + 1, batch);
    return Array.from({ length: batch }, (_, b) => {
      const [start, end] = [starts?.[b] ?? 0, ends?.[b] ?? steps];
      const whole = Number.isInteger(start) && Number.isInteger(end);
      if (!(whole && start >= 0 && start <= end && end <= steps)) {
        const given = layer.inputs.slice(first, first + 2).filter((name) => name);
        throw new SottoError(
          "bad-input",
          `${given.map((name) => `input ${name}`).join(", ")}: sequence ${b} has steps ${start} to ${end}, ` +
            `and the time axis of layer ${layer.name} has ${steps}`,
        );
      }
      return [start, end];
    });
  }

  outputs(): NetworkOutput[] {
    return this.plan.outputs.map(({ name }): NetworkOutput => {
      const t = this.tensors.get(name);
      if (!t) throw new SottoError("unsupported", `output ${name} does not depend on the model's input`);
      this.builder.label = `output ${name}`;
      this.builder.output(name, this.collect(t.data));
      return { name, shape: t.shape, ...(t.pending ? { pending: t.pending } : {}) };
    });
  }

  private lengthsOf(layer: Layer, input: number, batch: number): (number | undefined)[] | undefined {
    const name = layer.inputs[input];
    if (!name) return undefined;
    const lengths = this.lengths.get(name) ?? this.constants.get(name)?.data;
    if (!lengths) {
      throw new SottoError("bad-model", `layer ${layer.name}: no lengths named ${name}`);
    }
    if (lengths.length !== batch) {
      throw new SottoError(
        "bad-input",
        `layer ${layer.name}: ${lengths.length} lengths for a batch of ${batch}`,
      );
    }
    return lengths;
  }
}

/** The largest |value| that a node's bounds allow, in real units. */
export function realBound(x: { lo: number; hi: number; scale: number }): number {
  return Math.max(-x.lo, x.hi) / 2 ** x.scale;
}
