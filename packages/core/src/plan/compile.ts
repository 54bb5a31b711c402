/** The owner's compiler: model description -> plan and the tensors to share. docs/protocol.md, "Bounds". */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { SottoError } from "../errors.js";
import type { Values } from "../interpret/plain.js";
import { signedBits } from "../program/program.js";
import { gruBounds, publish, STATE_SLACK, tensorBound } from "./bounds.js";
import type { DenseLayer, GruLayer, ModelDescription, Tensor } from "./description.js";
import { walk } from "./instantiate.js";
import type { Operand } from "./operand.js";
import {
  type GruBounds,
  PLAN_VERSION,
  type Plan,
  type Precision,
  type Sizes,
  type TensorPlan,
} from "./plan.js";
import { denseTensors, gruTensors, type LayerTensors } from "./tensors.js";

export interface CompileOptions {
  /** |x| <= range of every real input, or by input. */
  range?: number | Record<string, number>;
  /** Sizes for which to check that the model fits; 1 for those not given. Bounds do not depend on them. */
  sizes?: Sizes;
}

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
const WORD = 64;
/** Integers of so many bits are exact in doubles. */
const EXACT_BITS = 53;

/** @throws SottoError does-not-fit naming the layer and what would make it fit; bad-model; unsupported. */
export function compile(model: ModelDescription, options: CompileOptions = {}): Compiled {
  let failure: unknown;
  for (const precision of LADDER) {
    try {
      return new Compiler(model, options, precision).run();
    } catch (error) {
      if (!(error instanceof SottoError) || error.code !== "does-not-fit") throw error;
      failure = error;
    }
  }
  throw failure;
}

class Compiler {
  private readonly model: ModelDescription;
  private readonly options: CompileOptions;
  private readonly precision: Precision;
  private readonly plans = new Map<string, TensorPlan>();
  private readonly values: Values = {};
  private readonly gruBounds: Record<string, GruBounds> = {};

  constructor(model: ModelDescription, options: CompileOptions, precision: Precision) {
    this.model = model;
    this.options = options;
    this.precision = precision;
  }

  run(): Compiled {
    const { model } = this;
    const names = new Set<string>();
    const layers = model.layers.map((layer, i) => {
      // tensors and bounds are kept by layer name
      const name = layer.name && !names.has(layer.name) ? layer.name : `${layer.name || layer.op}#${i}`;
      names.add(name);
      return { ...layer, name };
    });
    const tables = layers.flatMap((l) => (l.op === "embedding" ? [l.table] : []));
    const publicTensors = Object.fromEntries(tables.map((name) => [name, this.table(name)]));
    const sizes: Sizes = { ...this.options.sizes };
    for (const d of model.inputs.flatMap((i) => i.shape)) if (typeof d === "string") sizes[d] ??= 1;
    const skeleton = {
      version: PLAN_VERSION as typeof PLAN_VERSION,
      name: model.name,
      inputs: model.inputs,
      outputs: model.outputs,
      layers,
      constants: model.constants,
      precision: this.precision,
      ranges: this.ranges(layers, publicTensors),
      publicTensors: Object.entries(publicTensors).map(([name, t]) => ({
        name,
        shape: t.shape,
        sha256: tableHash(t.data),
      })),
    };
    walk(skeleton, sizes, this.plans, {
      tensor: (name) => this.plans.get(name)!,
      prepareDense: (layer, x) => this.prepareDense(layer, x),
      gruBounds: (layer, x, h) => this.prepareGru(layer, x, h),
    });
    return {
      plan: { ...skeleton, tensors: [...this.plans.values()], gruBounds: this.gruBounds },
      tensors: this.values,
      publicTensors,
    };
  }

  private ranges(layers: ModelDescription["layers"], tables: Record<string, Tensor>): Record<string, number> {
    const ranges: Record<string, number> = {};
    const declared = this.options.range;
    for (const { name, kind } of this.model.inputs) {
      if (kind === "real") {
        const range = (typeof declared === "number" ? declared : declared?.[name]) ?? DEFAULT_RANGE;
        if (!(range > 0 && Number.isFinite(range))) {
          throw new SottoError("bad-input", `input ${name}: range ${range}; expected a positive number`);
        }
        ranges[name] = range;
        continue;
      }
      const layer = layers.find((l) => l.op === "embedding" && l.inputs[0] === name);
      const table = layer?.op === "embedding" ? tables[layer.table] : undefined;
      ranges[name] = publish(table?.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0) ?? 1);
    }
    return ranges;
  }

  private table(name: string): Tensor {
    const t = this.model.tensors[name];
    if (t?.shape.length !== 2)
      throw new SottoError("bad-model", `the embedding's table ${name} is not a matrix`);
    return t;
  }

  private prepareGru(layer: GruLayer, x: Operand, h: Operand): GruBounds {
    const tensors = gruTensors(this.model, layer);
    const { weight, operand } = this.precision;
    this.add(layer.name, tensors, (suffix) => {
      if (suffix.startsWith("b")) return weight + operand;
      return suffix.startsWith("W") ? x.weightScale : weight;
    });
    const bounds = gruBounds(tensors, layer.resetAfter, this.precision, x, h);
    this.gruBounds[layer.name] = bounds;
    return bounds;
  }

  /** The finest weights with which the products fit the modulus that the operand's opening leaves. */
  private prepareDense(layer: DenseLayer, x: Operand): void {
    const tensors = denseTensors(this.model, layer);
    const bits = Math.min(WORD - x.shift, EXACT_BITS);
    const finest = Math.max(MAX_DENSE_SCALE, x.weightScale);
    for (let scale = finest; scale >= Math.min(finest, MIN_DENSE_SCALE); scale--) {
      const bound =
        publish(tensorBound(tensors.A!, scale)) * (x.bound + STATE_SLACK) +
        publish(tensorBound(tensors.b!, scale + x.scale));
      if (signedBits(-bound, bound) + 1 > bits) continue;
      this.add(layer.name, tensors, (suffix) => (suffix === "A" ? scale : scale + x.scale));
      return;
    }
    throw new SottoError(
      "does-not-fit",
      `layer ${layer.name}: its outputs can exceed 2^${bits - 2 - x.scale - MIN_DENSE_SCALE}; scale its weights down`,
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

/** Hex SHA-256 of float32 values, little-endian. */
export function tableHash(data: Float32Array): string {
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  data.forEach((v, i) => {
    view.setFloat32(i * 4, v, true);
  });
  return bytesToHex(sha256(bytes));
}
