/**
 * Walks the network once, with all sizes known, and records the program that every interpretation runs.
 */
import { SottoError } from "../errors.js";
import { Builder } from "../program/builder.js";
import { finishProgram, type Program } from "../program/program.js";
import type { EmbeddingLayer, Layer } from "./description.js";
import type { Plan, Sizes, TensorPlan } from "./plan.js";
import { inputShape, lengthsOf } from "./sizes.js";
import type { ClientFunction, PrivateTensor } from "./values.js";
import { walkAffine, walkProduct, walkReduce, walkSum } from "./walk/elementwise.js";
import { walkArgMax, walkSoftmax } from "./walk/groups.js";
import { walkGru } from "./walk/gru.js";
import { walkConv1d, walkDense, walkTable } from "./walk/linear.js";
import { walkView } from "./walk/views.js";
import { type Oracle, type Skeleton, Walk } from "./walk/walk.js";

export interface NetworkInput {
  name: string;
  kind: "real" | "token";
  /** As the model declares it, sizes filled in. */
  shape: number[];
  /** For tokens: the public table [V, E]; the program's input is the looked-up rows, E numbers a token. */
  table?: string;
  /** For tokens of a secret table: V; the program's input is a one-hot vector a token. */
  vocabulary?: number;
  /** |x| <= range for what is shared; a list, by feature or of one number for all: what the client divides by before it shares. */
  range: number | number[];
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

/** @throws SottoError bad-input for sizes that the model does not take; does-not-fit, naming the layer. */
export function instantiate(plan: Plan, sizes: Sizes): Network {
  return walkPlan(plan, plan, sizes);
}

/** @internal @param skeleton the plan, or the plan with sizes of its inputs left open (plan/stream.ts). */
export function walkPlan(plan: Plan, skeleton: Skeleton, sizes: Sizes, about: WalkAbout = {}): Network {
  const tensors = new Map(plan.tensors.map((t) => [t.name, t]));
  const oracle: Oracle = {
    tensor: (name) => {
      const t = tensors.get(name);
      if (!t) throw new SottoError("plan-mismatch", `the plan has no tensor ${name}`);
      return t;
    },
    linear: () => {},
    vector: () => {},
    table: () => {},
    folded: (name, folds) => {
      const planned = Object.hasOwn(plan.folds, name) ? plan.folds[name] : "";
      if (planned === folds) return;
      throw new SottoError(
        "does-not-fit",
        `layer ${name}: with this run's sizes other scales and offsets apply to it than with those that the plan was made for`,
      );
    },
    gruBounds: (layer, _folds, _functions, x, h) => {
      const bounds = plan.gruBounds[layer.name];
      if (!bounds) throw new SottoError("plan-mismatch", `the plan has no bounds for layer ${layer.name}`);
      // bounds are integers: they say something at their own scale only
      if (x.scale !== bounds.scale || x.bound > bounds.x || h.bound > bounds.h) {
        throw new SottoError(
          "does-not-fit",
          `layer ${layer.name}: its input or state can be larger in this run than the plan assumes; ` +
            "a sum over time grows with the number of steps: compile the model for as many as there will be (--size)",
        );
      }
      return bounds;
    },
  };
  return { ...walk(skeleton, sizes, tensors, oracle, about), plan };
}

/** What a walk is for besides the program: see Walk. */
export type WalkAbout = Pick<Walk, "timing" | "states"> & {
  /** Is shown what the outputs are made of. */
  outputs?: (tensors: Map<string, PrivateTensor>) => void;
};

/** @internal The walk itself; `tensors` may still be filled by the oracle while it goes on. */
export function walk(
  plan: Skeleton,
  sizes: Sizes,
  tensors: ReadonlyMap<string, TensorPlan>,
  oracle: Oracle,
  { outputs: onOutputs, ...about }: WalkAbout = {},
): Network {
  const w = Object.assign(new Walk(plan, sizes, new Builder(tensors, plan.profile), oracle), about);
  for (const [name, constant] of Object.entries(plan.constants)) w.constants.set(name, constant);
  for (const input of plan.inputs) {
    const shape = inputShape(input, sizes);
    if (input.kind === "token") w.tokens.set(input.name, shape);
    else if (input.kind === "length") w.lengths.set(input.name, lengthsOf(input, sizes));
    else w.tensors.set(input.name, w.input({ name: input.name, kind: "real", shape }, shape));
  }
  for (const layer of plan.layers) {
    w.builder.label = layer.name;
    w.timing?.before(w, layer);
    walkLayer(w, layer);
    w.timing?.after(w, layer);
  }
  const outputs = w.outputs();
  onOutputs?.(new Map(plan.outputs.map(({ name }) => [name, w.tensors.get(name)!])));
  return { plan: plan as Plan, sizes, program: finishProgram(w.builder.nodes), inputs: w.inputs, outputs };
}

function walkLayer(w: Walk, layer: Layer): void {
  switch (layer.op) {
    case "gru":
      walkGru(w, layer);
      break;
    case "dense":
      walkDense(w, layer);
      break;
    case "conv1d":
      walkConv1d(w, layer);
      break;
    case "embedding":
      walkEmbedding(w, layer);
      break;
    case "activation":
      w.put(layer, {
        ...w.computed(layer, 0),
        pending: { op: layer.op, activation: layer.activation },
      });
      break;
    case "affine":
      walkAffine(w, layer);
      break;
    case "sum":
      walkSum(w, layer);
      break;
    case "product":
      walkProduct(w, layer);
      break;
    case "reduce":
      walkReduce(w, layer);
      break;
    case "softmax":
    case "logSoftmax":
      walkSoftmax(w, layer);
      break;
    case "argMax":
      walkArgMax(w, layer);
      break;
    default:
      walkView(w, layer);
      break;
  }
}

/** A public table's rows are the client's input; a secret table is multiplied with what the client shares. */
function walkEmbedding(w: Walk, layer: EmbeddingLayer): void {
  const [input] = layer.inputs as [string];
  const shape = w.tokens.get(input);
  if (!shape)
    throw new SottoError(
      "unsupported",
      `layer ${layer.name}: an embedding looks up a model input, not ${input}`,
    );
  if (layer.private) {
    walkTable(w, layer, shape);
    return;
  }
  const width = w.plan.publicTensors.find((t) => t.name === layer.table)?.shape[1];
  if (width === undefined)
    throw new SottoError("plan-mismatch", `layer ${layer.name}: the plan has no public table ${layer.table}`);
  if (w.inputs.some((i) => i.name === input)) {
    throw new SottoError(
      "unsupported",
      `layer ${layer.name}: input ${input} is looked up twice, and the client looks up an input in one table; give each ` +
        "embedding an input of its own",
    );
  }
  const about = { name: input, kind: "token" as const, shape, table: layer.table };
  w.put(layer, w.input(about, [...shape, width]));
}
