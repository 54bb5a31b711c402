/**
 * Walks the network once, with all sizes known, and records the program that every interpretation runs.
 */
import { SottoError } from "../errors.js";
import { dense } from "../nets/dense.js";
import { type GruStep, gruInput, gruStep } from "../nets/gru.js";
import { Builder } from "../program/builder.js";
import type { SharedNode } from "../program/nodes.js";
import { finishProgram, type Program } from "../program/program.js";
import { maxSteps } from "./bounds.js";
import type {
  Constant,
  DenseLayer,
  GruLayer,
  Layer,
  ShapeLayer,
  SoftmaxLayer,
  ViewLayer,
} from "./description.js";
import { applyView, dataOperands, foldConstant, isShapeLayer, shapeOf } from "./fold.js";
import { inputScale, type Operand, operandOf, shiftedOperand } from "./operand.js";
import type { GruBounds, Plan, Sizes, TensorPlan } from "./plan.js";
import { inputShape } from "./sizes.js";
import { activationTable } from "./table.js";
import { type ClientFunction, Pool, type PrivateTensor } from "./values.js";

/** A run's input at most: a server must not be made to build an endless program by the sizes it is sent. */
const MAX_INPUT_ELEMENTS = 2 ** 22;

export interface NetworkInput {
  name: string;
  kind: "real" | "token";
  /** As the model declares it, sizes filled in. */
  shape: number[];
  /** For tokens: the public table [V, E]; the program's input is the looked-up rows, E numbers a token. */
  table?: string;
  /** |x| <= range for what is shared. */
  range: number;
}

export interface NetworkOutput {
  name: string;
  shape: number[];
  /** What the client applies to the values it reconstructs. */
  pending?: ClientFunction;
}

/** A plan with its sizes fixed: what a session runs. */
export interface Network {
  plan: Plan;
  sizes: Sizes;
  program: Program;
  inputs: NetworkInput[];
  outputs: NetworkOutput[];
}

/** What the owner's compiler supplies while the plan is being made (plan/compile.ts). */
export interface Oracle {
  tensor(name: string): TensorPlan;
  /** For a dense layer: fixes the weights' scale, given its operand. */
  prepareDense(layer: DenseLayer, x: Operand): void;
  /** @param h the state as operand; its bound holds for every step. */
  gruBounds(layer: GruLayer, x: Operand, h: Operand): GruBounds;
}

/** @throws SottoError bad-input for sizes that the model does not take; does-not-fit, naming the layer. */
export function instantiate(plan: Plan, sizes: Sizes): Network {
  const tensors = new Map(plan.tensors.map((t) => [t.name, t]));
  return walk(plan, sizes, tensors, {
    tensor: (name) => tensors.get(name)!,
    prepareDense: () => {},
    gruBounds: (layer, x, h) => {
      const bounds = plan.gruBounds[layer.name];
      if (!bounds) throw new SottoError("plan-mismatch", `the plan has no bounds for layer ${layer.name}`);
      if (x.bound > bounds.x || h.bound > bounds.h) {
        throw new SottoError(
          "does-not-fit",
          `layer ${layer.name}: its input or state exceeds the bound that the plan assumes`,
        );
      }
      return bounds;
    },
  });
}

/** @internal The walk itself; `tensors` may still be filled by the oracle while it goes on. */
export function walk(
  plan: Omit<Plan, "tensors" | "gruBounds">,
  sizes: Sizes,
  tensors: ReadonlyMap<string, TensorPlan>,
  oracle: Oracle,
): Network {
  const walker = new Walker(plan, sizes, new Builder(tensors), oracle);
  const { inputs, outputs } = walker.run();
  return { plan: plan as Plan, sizes, program: finishProgram(walker.builder.nodes), inputs, outputs };
}

class Walker {
  readonly builder: Builder;
  private readonly plan: Omit<Plan, "tensors" | "gruBounds">;
  private readonly sizes: Sizes;
  private readonly oracle: Oracle;
  private readonly pool: Pool;
  private readonly constants = new Map<string, Constant>();
  private readonly tensors = new Map<string, PrivateTensor>();
  private readonly tokens = new Map<string, number[]>();
  private readonly inputs: NetworkInput[] = [];

  constructor(plan: Omit<Plan, "tensors" | "gruBounds">, sizes: Sizes, builder: Builder, oracle: Oracle) {
    this.plan = plan;
    this.sizes = sizes;
    this.builder = builder;
    this.oracle = oracle;
    this.pool = new Pool(builder);
  }

  run(): { inputs: NetworkInput[]; outputs: NetworkOutput[] } {
    for (const [name, constant] of Object.entries(this.plan.constants)) this.constants.set(name, constant);
    for (const input of this.plan.inputs) {
      const shape = inputShape(input, this.sizes);
      if (input.kind === "token") this.tokens.set(input.name, shape);
      else
        this.tensors.set(
          input.name,
          this.input(input.name, shape, { name: input.name, kind: "real", shape }),
        );
    }
    for (const layer of this.plan.layers) {
      this.builder.label = layer.name;
      this.layer(layer);
    }
    const outputs = this.plan.outputs.map(({ name }): NetworkOutput => {
      const t = this.tensors.get(name);
      if (!t) throw new SottoError("unsupported", `output ${name} does not depend on the model's input`);
      this.builder.label = `output ${name}`;
      this.builder.output(name, this.pool.collect(t.data));
      return { name, shape: t.shape, ...(t.pending ? { pending: t.pending } : {}) };
    });
    return { inputs: this.inputs, outputs };
  }

  private input(name: string, shape: number[], about: Omit<NetworkInput, "range">): PrivateTensor {
    const range = this.plan.ranges[name];
    if (range === undefined)
      throw new SottoError("plan-mismatch", `the plan declares no range for input ${name}`);
    const scale = inputScale(range);
    const bound = Math.round(range * 2 ** scale);
    this.builder.label = `input ${name}`;
    const length = shape.reduce((n, d) => n * d, 1);
    if (length > MAX_INPUT_ELEMENTS) {
      throw new SottoError(
        "bad-input",
        `input ${name} of shape [${shape}] has ${length} numbers; a run takes at most ${MAX_INPUT_ELEMENTS}`,
      );
    }
    this.inputs.push({ ...about, range });
    return this.pool.tensor(shape, [this.builder.input(name, length, scale, bound)]);
  }

  private layer(layer: Layer): void {
    switch (layer.op) {
      case "gru":
        this.gru(layer);
        break;
      case "dense":
        this.dense(layer);
        break;
      case "embedding":
        this.embedding(layer.name, layer.inputs[0]!, layer.outputs[0]!, layer.table);
        break;
      case "activation":
        this.put(layer, {
          ...this.computed(layer, 0),
          pending: { op: layer.op, activation: layer.activation },
        });
        break;
      case "affine":
      case "sum":
      case "product":
      case "reduce":
      case "conv1d":
        throw new SottoError("unsupported", `layer ${layer.name}: ${layer.op} is not supported yet`);
      case "softmax":
      case "logSoftmax":
        this.softmax(layer);
        break;
      default:
        this.view(layer);
    }
  }

  private gru(layer: GruLayer): void {
    const x = this.computed(layer, 0);
    const [steps, batch, inputSize] = x.shape;
    if (steps === undefined || batch === undefined || inputSize === undefined || x.shape.length !== 3) {
      throw new SottoError(
        "bad-model",
        `layer ${layer.name}: input of shape [${x.shape}], expected [time, batch, features]`,
      );
    }
    const most = maxSteps(this.plan.precision);
    if (steps > most) {
      throw new SottoError(
        "bad-input",
        `layer ${layer.name}: ${steps} time steps; at most ${most} are proven safe`,
      );
    }
    const { builder } = this;
    const { precision } = this.plan;
    const H = layer.hidden;
    const stateScale = precision.gate + precision.activation;
    let h: SharedNode;
    if (layer.inputs[1]) {
      // a client's initial state: brought to the state's scale, so that all steps are alike
      const initial = this.pool.collect(this.computed(layer, 1).data);
      h = builder.add(initial, builder.zero(initial.length, stateScale));
    } else h = builder.zero(batch * H, stateScale);

    const width = batch * inputSize;
    const at = (t: number) => x.data.subarray(t * width, (t + 1) * width);
    const together = this.pool.level(at(0)) === this.pool.level(x.data);
    const whole = together ? this.pool.collect(x.data) : undefined;
    const first = whole ?? this.pool.collect(at(0));
    const state = shiftedOperand(h, precision);
    state.bound = Math.max(2 ** precision.operand, state.bound);
    const gru: GruStep = {
      name: layer.name,
      resetAfter: layer.resetAfter,
      batch,
      precision,
      bounds: this.oracle.gruBounds(layer, operandOf(first, precision), state),
    };
    const all = whole ? gruInput(builder, gru, whole, steps * batch) : undefined;
    const states: SharedNode[] = [];
    for (let t = 0; t < steps; t++) {
      const part = (n: SharedNode) => builder.slice(n, t * batch * H, batch * H);
      const products = all
        ? { z: part(all.z), r: part(all.r), n: part(all.n) }
        : gruInput(builder, gru, this.pool.collect(at(t)), batch);
      h = gruStep(builder, gru, products, h);
      states.push(h);
    }
    if (shiftedOperand(h, precision).bound > gru.bounds.h) {
      throw new SottoError(
        "internal",
        `layer ${layer.name}: its state may exceed the bound that was assumed`,
      );
    }
    const [sequence, last] = layer.outputs;
    if (sequence) this.tensors.set(sequence, this.pool.tensor([steps, 1, batch, H], states));
    if (last) this.tensors.set(last, this.pool.tensor([1, batch, H], [h]));
  }

  private dense(layer: DenseLayer): void {
    const x = this.computed(layer, 0);
    const value = this.pool.collect(x.data);
    const operand = operandOf(value, this.plan.precision);
    this.oracle.prepareDense(layer, operand);
    const { rows: outer, cols: inner } = this.oracle.tensor(`${layer.name}.A`);
    if (x.shape.at(-1) !== inner) {
      throw new SottoError(
        "bad-model",
        `layer ${layer.name}: input of shape [${x.shape}], expected ${inner} features`,
      );
    }
    const rows = value.length / inner;
    const y = dense(this.builder, layer.name, value, rows, operand.shift);
    this.put(layer, this.pool.tensor([...x.shape.slice(0, -1), outer], [y]));
  }

  private embedding(name: string, input: string, output: string, table: string): void {
    const shape = this.tokens.get(input);
    const tensor = this.plan.publicTensors.find((t) => t.name === table);
    const width = tensor?.shape[1];
    if (!shape || width === undefined) {
      throw new SottoError(
        "unsupported",
        `layer ${name}: an embedding looks up a model input in a public table`,
      );
    }
    if (this.inputs.some((i) => i.name === input)) {
      throw new SottoError(
        "unsupported",
        `layer ${name}: input ${input} is looked up twice; one table an input`,
      );
    }
    const about = { name: input, kind: "token" as const, shape, table };
    this.tensors.set(output, this.input(input, [...shape, width], about));
  }

  private softmax(layer: SoftmaxLayer): void {
    const t = this.computed(layer, 0);
    const axis = layer.axis < 0 ? layer.axis + t.shape.length : layer.axis;
    this.put(layer, { ...t, pending: { op: layer.op, axis } });
  }

  private view(layer: ViewLayer | ShapeLayer): void {
    const constants = layer.inputs.map((name) => this.constants.get(name));
    if (layer.inputs.every((name, i) => name === "" || constants[i])) {
      foldConstant(layer, constants).forEach((c, i) => {
        if (layer.outputs[i]) this.constants.set(layer.outputs[i], c);
      });
      return;
    }
    if (isShapeLayer(layer)) {
      const shape = this.tokens.get(layer.inputs[0]!) ?? this.tensors.get(layer.inputs[0]!)?.shape;
      if (layer.op !== "shape" || !shape) {
        throw new SottoError(
          "unsupported",
          `layer ${layer.name}: ${layer.op} of private values; only of constants`,
        );
      }
      this.constants.set(layer.outputs[0]!, shapeOf(layer, shape));
      return;
    }
    const moved = layer.inputs.slice(0, dataOperands(layer)).map((name) => this.operand(layer, name));
    const pending = moved[0]!.pending;
    if (
      moved.some((t) => t.pending?.op !== pending?.op) ||
      (pending && "axis" in pending && layer.op !== "identity")
    ) {
      throw new SottoError(
        "unsupported",
        `layer ${layer.name}: softmax or a mix of activations before ${layer.op}; apply them last`,
      );
    }
    const [result] = applyView(layer, moved, constants);
    this.put(layer, { ...result!, ...(pending ? { pending } : {}) });
  }

  /** A tensor as a computing layer needs it: a pending activation is computed by the servers. */
  private computed(layer: Layer, input: number): PrivateTensor {
    const t = this.operand(layer, layer.inputs[input]!);
    if (!t.pending) return t;
    if ("axis" in t.pending) {
      throw new SottoError(
        "unsupported",
        `layer ${layer.name}: ${t.pending.op} before another layer; it is supported at the end`,
      );
    }
    const table = activationTable(t.pending.activation.name as "sigmoid", this.plan.precision.activation);
    const y = this.builder.finish(this.builder.activation(table, this.pool.collect(t.data)));
    return this.pool.tensor(t.shape, [y]);
  }

  private operand(layer: Layer, name: string): PrivateTensor {
    const t = this.tensors.get(name);
    if (t) return t;
    throw this.tokens.has(name)
      ? new SottoError(
          "unsupported",
          `layer ${layer.name}: input ${name} holds tokens; only an embedding takes them`,
        )
      : new SottoError("bad-model", `layer ${layer.name}: no private value named ${name}`);
  }

  private put(layer: Layer, tensor: PrivateTensor): void {
    this.tensors.set(layer.outputs[0]!, tensor);
  }
}
