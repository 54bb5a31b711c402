/** The owner's compiler: model description -> plan and the tensors to share. docs/protocol.md, "Bounds". */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { SottoError } from "../errors.js";
import type { Values } from "../interpret/plain.js";
import { signedBits } from "../program/bits.js";
import { gruBounds, publish, STATE_SLACK, tensorBound } from "./bounds.js";
import type { Layer, ModelDescription, Tensor } from "./description.js";
import { walk } from "./instantiate.js";
import { isExtreme, type Operand } from "./operand.js";
import {
  type GruBounds,
  PLAN_VERSION,
  type Plan,
  type Precision,
  type Profile,
  type Sizes,
  type TensorPlan,
} from "./plan.js";
import { gruTensors, type LayerTensors, type Matrix } from "./tensors.js";

/** Below it, what is computed from an input before its first weights (a sum, a difference) would have no bits left. */
const LEAST_RANGE = 2 ** -30;

export interface CompileOptions {
  /** |x| <= range of every real input, or by input; a list has one for each feature (the last axis). */
  range?: Range | Record<string, Range>;
  /** Sizes for which to check that the model fits; 1 for those not given. Bounds do not depend on them. */
  sizes?: Sizes;
  /** |h| <= stateBound of every GRU whose functions do not bound its state, or by layer; beyond it h is clipped. */
  stateBound?: number | Record<string, number>;
  /** Keep embedding tables secret: the client shares a one-hot vector for each token instead of looking up itself. */
  privateEmbeddings?: boolean;
  /** Default "lan". */
  profile?: Profile;
}

export type Range = number | number[];

export interface Compiled {
  plan: Plan;
  /** The owner's secrets in doubles, by the plan's names. */
  tensors: Values;
  /** Tables that everybody may see, by name. */
  publicTensors: Record<string, Tensor>;
}

/** Wide enough for normalised features; declare more, or less, where it matters. */
export const DEFAULT_RANGE = 8;

/** Bits of fraction, best first; each later one holds larger pre-activations (2^7, 2^8, 2^10, 2^13). */
const LADDER: readonly Precision[] = [
  { operand: 14, weight: 14, gate: 14, activation: 28 },
  { operand: 14, weight: 13, gate: 14, activation: 28 },
  { operand: 14, weight: 13, gate: 13, activation: 27 },
  { operand: 14, weight: 12, gate: 12, activation: 26 },
];

const MAX_DENSE_SCALE = 14;
const MIN_DENSE_SCALE = 6;
const SMALL_WEIGHT_BITS = 10;
const MAX_WEIGHT_SCALE = 33;
/** Integers of so many bits are exact in doubles. */
const EXACT_BITS = 53;
/** Some layers need several steps (a convolution without padding): sizes to try for those that the model leaves open. */
const OPEN_SIZES = [1, 16, 256];

/** @throws SottoError does-not-fit naming the layer and what would make it fit; bad-model; unsupported. */
export function compile(model: ModelDescription, options: CompileOptions = {}): Compiled {
  let failure: unknown;
  for (const precision of LADDER) {
    try {
      return compileAt(model, options, precision);
    } catch (error) {
      if (!(error instanceof SottoError) || error.code !== "does-not-fit") throw error;
      failure = error;
    }
  }
  throw withLargestWeight(model, failure as SottoError);
}

/** A weight from which one would not expect a trained network may be why a model does not fit. */
const UNUSUAL = 1000;

function withLargestWeight(model: ModelDescription, error: SottoError): SottoError {
  let [name, most] = ["", 0];
  for (const [tensor, { data }] of Object.entries(model.tensors)) {
    const largest = data.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    if (largest > most) [name, most] = [tensor, largest];
  }
  if (most < UNUSUAL) return error;
  const hint = `the largest weight is ${most.toPrecision(3)}, in ${name}: if that is not meant, it is the cause`;
  return new SottoError(error.code, `${error.message}; ${hint}`, { cause: error });
}

function compileAt(model: ModelDescription, options: CompileOptions, precision: Precision): Compiled {
  let failure: unknown;
  for (const sizes of openSizes(model)) {
    try {
      return new Compiler(model, options, precision, { ...sizes, ...options.sizes }).run();
    } catch (error) {
      if (!(error instanceof SottoError) || error.code !== "bad-input") throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Sizes to try for those that a model leaves open. */
function* openSizes(model: ModelDescription): Iterable<Sizes> {
  const names = new Set(model.inputs.flatMap((i) => i.shape).filter((d) => typeof d === "string"));
  const all = (size: number): Sizes => Object.fromEntries([...names].map((name) => [name, size]));
  for (const size of OPEN_SIZES) yield all(size);
  for (const batch of fixedBatches(model)) {
    for (const name of names) yield { ...all(OPEN_SIZES.at(-1)!), [name]: batch };
  }
}

/** Batches for which a model was exported, though it declares that any will do: initial states and lengths by row. */
function fixedBatches(model: ModelDescription): Set<number> {
  const rows = model.layers.flatMap((layer) => {
    if (layer.op !== "gru") return [];
    const lengths = layer.inputs.slice(2).map((name) => model.constants[name]?.data.length);
    return [layer.initial ? model.tensors[layer.initial]?.shape[0] : undefined, ...lengths];
  });
  return new Set(rows.filter((n) => n !== undefined && n > 1)) as Set<number>;
}

class Compiler {
  private readonly model: ModelDescription;
  private readonly options: CompileOptions;
  private readonly precision: Precision;
  private readonly sizes: Sizes;
  private readonly plans = new Map<string, TensorPlan>();
  private readonly values: Values = {};
  private readonly gruBounds: Record<string, GruBounds> = {};
  private readonly folds: Record<string, string> = {};

  constructor(model: ModelDescription, options: CompileOptions, precision: Precision, sizes: Sizes) {
    this.model = { ...model };
    this.options = options;
    this.precision = precision;
    this.sizes = sizes;
  }

  run(): Compiled {
    const ranges = this.ranges();
    const layers = this.layers(ranges);
    const { model } = this;
    const tables = layers.flatMap((l) => (l.op === "embedding" && !l.private ? [l.table] : []));
    const publicTensors = Object.fromEntries(tables.map((name) => [name, this.table(name)]));
    const skeleton = {
      version: PLAN_VERSION as typeof PLAN_VERSION,
      name: model.name,
      inputs: model.inputs,
      outputs: model.outputs,
      layers,
      constants: model.constants,
      precision: this.precision,
      profile: this.options.profile ?? "lan",
      ranges,
      publicTensors: Object.entries(publicTensors).map(([name, t]) => ({
        name,
        shape: t.shape,
        sha256: tableHash(t.data),
      })),
    };
    walk(skeleton, this.sizes, this.plans, {
      tensor: (name) => this.plans.get(name)!,
      linear: (name, tensors, x) => this.linear(name, tensors(model), x),
      vector: (name, tensors, scale) => this.add(name, tensors(model), () => scale),
      table: (name, tensors, scale) => this.add(name, tensors(model), () => scale),
      folded: (name, folds) => {
        if (folds) this.folds[name] = folds;
      },
      gruBounds: (layer, folds, functions, x, h) => {
        const tensors = gruTensors(model, layer, folds);
        const { weight, operand } = this.precision;
        this.add(layer.name, tensors, (suffix) => {
          if (suffix.startsWith("b")) return weight + operand;
          return suffix.startsWith("W") ? x.weightScale : weight;
        });
        const bounds = gruBounds(tensors, layer.resetAfter, functions.gate, this.precision, x, h);
        this.gruBounds[layer.name] = bounds;
        return bounds;
      },
    });
    return {
      plan: { ...skeleton, tensors: [...this.plans.values()], gruBounds: this.gruBounds, folds: this.folds },
      tensors: this.values,
      publicTensors,
    };
  }

  /** The model's layers under unique names, with what the plan has to say besides. */
  private layers(ranges: Plan["ranges"]): Layer[] {
    const { model, options } = this;
    const names = new Set<string>();
    const taken = new Set(model.layers.map((l) => l.name));
    const unique = (name: string, i: number) => {
      // tensors and bounds are kept by layer name, and "~" numbers maps that are written again (Walk.mapName)
      let own = name.replaceAll("~", "-") || "layer";
      while (names.has(own) || (own !== name && taken.has(own))) own = `${own}#${i}`;
      names.add(own);
      return own;
    };
    const scaled = this.scaledInputs(ranges);
    const layers = [...scaled, ...model.layers].map((layer, i): Layer => {
      const named = { ...layer, name: unique(layer.name, i), inputs: [...layer.inputs] };
      if (named.op === "gru") {
        const { stateBound: given } = options;
        const bound = typeof given === "object" ? given[layer.name] : given;
        if (bound !== undefined) named.stateBound = bound;
      }
      if (named.op === "embedding" && options.privateEmbeddings) {
        named.private = true;
        named.most = this.largestEntry(named.table);
      }
      if (named.op === "dense") named.features = this.tensor(named.A).shape[0];
      if (named.op === "conv1d") named.shape = this.tensor(named.W).shape;
      if (named.op === "affine") {
        const shape = (tensor: string | undefined) => tensor && this.tensor(tensor).shape;
        const [scale, offset] = [shape(named.scale), shape(named.offset)];
        named.shapes = { ...(scale ? { scale } : {}), ...(offset ? { offset } : {}) };
      }
      return named;
    });
    return layers;
  }

  private ranges(): Plan["ranges"] {
    const ranges: Plan["ranges"] = {};
    const declared = this.options.range;
    for (const { name, kind, shape } of this.model.inputs) {
      if (kind === "length") continue;
      if (kind === "real") {
        const range =
          (typeof declared === "number" || Array.isArray(declared) ? declared : declared?.[name]) ??
          DEFAULT_RANGE;
        const list = typeof range === "number" ? [range] : range;
        // as the tensor that an input in units of its range is multiplied with holds it
        if (!list.every((r) => Math.fround(r) > 0 && Number.isFinite(Math.fround(r)))) {
          throw new SottoError(
            "bad-input",
            `input ${name}: range ${range}; expected a positive number of single precision`,
          );
        }
        if (typeof range === "number" && range < LEAST_RANGE) {
          throw new SottoError(
            "bad-input",
            `input ${name}: range ${range}; expected 2^-30 at least: scale the input up, and the weights that it meets down as much`,
          );
        }
        if (typeof range !== "number" && range.length !== shape.at(-1)) {
          throw new SottoError(
            "bad-input",
            `input ${name}: ${range.length} ranges, expected one for each of ${shape.at(-1)} features`,
          );
        }
        ranges[name] = typeof range === "number" && isExtreme(range) ? [range] : range;
        continue;
      }
      const tables = this.model.layers.flatMap((l) =>
        l.op === "embedding" && l.inputs[0] === name ? [this.largestEntry(l.table)] : [],
      );
      ranges[name] = Math.max(1, ...tables);
    }
    return ranges;
  }

  /**
   * Inputs with a range for each feature, and those with an extreme one (a list of one number), come divided by it: the
   * first layer multiplies with it again, in the weights that the input meets. The layers of the model read the input under a name of its own.
   */
  private scaledInputs(ranges: Plan["ranges"]): Layer[] {
    const { model } = this;
    const layers: Layer[] = [];
    for (const [input, range] of Object.entries(ranges)) {
      if (typeof range === "number") continue;
      const name = `${input} in its units`;
      model.tensors = { ...model.tensors, [name]: { shape: [range.length], data: Float32Array.from(range) } };
      model.layers = model.layers.map(
        (l) => ({ ...l, inputs: l.inputs.map((i) => (i === input ? name : i)) }) as Layer,
      );
      layers.push({ op: "affine", name, inputs: [input], outputs: [name], scale: name });
      // an output of the model under the input's own name
      if (model.outputs.some((o) => o.name === input))
        model.layers = [...model.layers, { op: "identity", name: input, inputs: [name], outputs: [input] }];
    }
    return layers;
  }

  /** Rounded up, as it becomes public. */
  private largestEntry(table: string): number {
    return Math.max(1, publish(this.table(table).data.reduce((most, v) => Math.max(most, Math.abs(v)), 0)));
  }

  private table(name: string): Tensor {
    const t = this.model.tensors[name];
    if (t?.shape.length !== 2)
      throw new SottoError("bad-model", `the embedding's table ${name} is not a matrix`);
    return t;
  }

  private tensor(name: string): Tensor {
    const t = this.model.tensors[name];
    if (!t) throw new SottoError("bad-model", `the model has no tensor ${name}`);
    return t;
  }

  /** The finest weights with which the products fit the modulus that the operand's opening leaves. */
  private linear(name: string, tensors: LayerTensors, x: Operand): void {
    const bits = Math.min(x.room, EXACT_BITS);
    const matrices = Object.values(tensors).filter((t) => t.kind === "matrix");
    const finest = Math.max(MAX_DENSE_SCALE, x.weightScale, scaleOfSmall(matrices));
    for (let scale = finest; scale >= Math.min(finest, MIN_DENSE_SCALE); scale--) {
      const weights = matrices.reduce((sum, A) => sum + publish(tensorBound(A, scale)), 0);
      const bound = weights * (x.bound + STATE_SLACK) + publish(tensorBound(tensors.b!, scale + x.scale));
      if (signedBits(-bound, bound) + 1 > bits) continue;
      this.add(name, tensors, (suffix) => (suffix === "b" ? scale + x.scale : scale));
      return;
    }
    throw new SottoError(
      "does-not-fit",
      `layer ${name}: its outputs can exceed 2^${bits - 2 - x.scale - MIN_DENSE_SCALE}; scale its weights down`,
    );
  }

  private add(layer: string, tensors: LayerTensors, scaleOf: (suffix: string) => number): void {
    for (const [suffix, t] of Object.entries(tensors)) {
      const name = `${layer}.${suffix}`;
      const scale = scaleOf(suffix);
      const { kind, rows, cols } = t;
      this.plans.set(name, { name, kind, rows, cols, scale, bound: publish(tensorBound(t, scale)) });
      this.values[name] = t.values;
    }
  }
}

/** The scale at which the largest weight has ten bits: where all are small, a coarser one would leave nothing of them. */
function scaleOfSmall(matrices: readonly Matrix[]): number {
  const largest = (m: number, { values }: Matrix) => values.reduce((a, v) => Math.max(a, Math.abs(v)), m);
  const most = matrices.reduce(largest, 0);
  return most > 0 ? Math.min(MAX_WEIGHT_SCALE, SMALL_WEIGHT_BITS - Math.ceil(Math.log2(most))) : 0;
}

/** Hex SHA-256 of float32 values, little-endian. */
export function tableHash(data: Float32Array): string {
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  data.forEach((v, i) => {
    view.setFloat32(i * 4, v, true);
  });
  return bytesToHex(sha256(bytes));
}
