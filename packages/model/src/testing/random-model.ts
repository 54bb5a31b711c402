/** Random ONNX models of recurrent networks, over all attributes of GRU and what exporters put around it. */
import { GraphWriter } from "./graph-writer.js";
import { uniform } from "./random.js";
import type { Feed } from "./run-onnx.js";

export interface ActivationSpec {
  name: string;
  alpha?: number;
  beta?: number;
}

export interface LayerSpec {
  hidden: number;
  direction: "forward" | "reverse" | "bidirectional";
  batchFirst: boolean;
  resetAfter: boolean;
  bias: boolean;
  initial: "none" | "zero" | "constant" | "rows" | "input";
  /** Two for each direction; the default ones if absent. */
  activations?: ActivationSpec[];
  clip?: number;
}

export interface ModelSpec {
  seed: number;
  opset: number;
  steps: number;
  batch: number;
  /** Whether steps and batch have names instead of sizes in the file. */
  open: boolean;
  inputSize: number;
  /** Weights are uniform in +-scale / sqrt(hidden). */
  scale: number;
  before: (typeof BEFORE)[number];
  lengths: "none" | "constant" | "input";
  layers: LayerSpec[];
  outputs: "Y" | "Y_h" | "both";
  head: (typeof HEADS)[number];
}

const BEFORE = ["none", "none", "conv", "dense", "standardise", "batchNorm"] as const;
const HEADS = [
  "none",
  "gemm",
  "matMul",
  "mlp",
  "batchNorm",
  "mean",
  "max",
  "last",
  "residual",
  "gated",
  "softmax",
] as const;

/** Names as ONNX has them, and how to draw parameters; in any case of letters, as ONNX allows. */
const BOUNDED: (() => ActivationSpec)[] = [
  () => ({ name: "Sigmoid" }),
  () => ({ name: "HardSigmoid" }),
  () => ({ name: "hardsigmoid", alpha: 0.3, beta: 0.4 }),
];
const CANDIDATES: (() => ActivationSpec)[] = [
  ...BOUNDED,
  () => ({ name: "Tanh" }),
  () => ({ name: "TANH" }),
  () => ({ name: "Softsign" }),
  () => ({ name: "ScaledTanh", alpha: 1.2, beta: 0.7 }),
];
const UNBOUNDED: (() => ActivationSpec)[] = [
  () => ({ name: "Relu" }),
  () => ({ name: "LeakyRelu" }),
  () => ({ name: "LeakyRelu", alpha: 0.2 }),
  () => ({ name: "Elu" }),
  () => ({ name: "Elu", alpha: 0.6 }),
  () => ({ name: "Softplus" }),
  () => ({ name: "Affine", alpha: 0.8, beta: 0.1 }),
  () => ({ name: "ThresholdedRelu", alpha: 0.3 }),
];

/** @param activations usual: sigmoid and tanh; bounded: gates within [0, 1]; any: all that ONNX has. */
export function randomModel(seed: number, activations: "usual" | "bounded" | "any", scale = 1): ModelSpec {
  const random = uniform(seed);
  const real = () => (random() + 1) / 2;
  const whole = (low: number, high: number) => low + Math.floor(real() * (high - low + 1));
  const pick = <T>(list: readonly T[]): T => list[whole(0, list.length - 1)]!;
  const chance = (p: number) => real() < p;
  const opset = pick([7, 9, 11, 13, 14, 15, 17, 18, 21]);
  const draw = (candidate: boolean): ActivationSpec => {
    if (activations === "any" && chance(candidate ? 0.6 : 0.15)) return pick(UNBOUNDED)();
    if (activations === "any" && chance(0.2)) return pick(CANDIDATES)();
    return pick(candidate ? CANDIDATES : BOUNDED)();
  };
  const layer = (): LayerSpec => {
    const direction = pick(["forward", "reverse", "bidirectional"] as const);
    const count = direction === "bidirectional" ? 4 : 2;
    const drawn =
      activations === "usual" || chance(0.2)
        ? undefined
        : complete(Array.from({ length: count }, (_, i) => draw(i % 2 === 1)));
    return {
      hidden: whole(1, 12),
      direction,
      batchFirst: opset >= 14 && chance(0.3),
      resetAfter: chance(0.5),
      bias: chance(0.7),
      initial: pick(["none", "none", "zero", "constant", "rows", "input"] as const),
      ...(drawn && { activations: drawn }),
      ...(chance(0.2) && { clip: pick([0.3, 1, 5]) }),
    };
  };
  return {
    seed,
    opset,
    steps: whole(1, 9),
    batch: whole(1, 3),
    open: chance(0.5),
    inputSize: whole(1, 6),
    scale,
    before: pick(BEFORE),
    lengths: pick(["none", "none", "constant", "input"] as const),
    layers: Array.from({ length: pick([1, 1, 2, 3]) }, layer),
    outputs: pick(["Y", "Y_h", "both"] as const),
    head: pick(HEADS),
  };
}

/** Parameters are taken from one list in order, so if one activation says its own, all have to. */
function complete(activations: ActivationSpec[]): ActivationSpec[] {
  if (activations.every((a) => a.alpha === undefined)) return activations;
  const defaults: Record<string, Omit<ActivationSpec, "name">> = {
    HardSigmoid: { alpha: 0.2, beta: 0.5 },
    LeakyRelu: { alpha: 0.01 },
    Elu: { alpha: 1 },
  };
  return activations.map((a) => ({ ...defaults[a.name], ...a }));
}

/** The data for a model: numbers in [-1, 1), lengths from 1 to all steps. */
export function randomFeeds(spec: ModelSpec): Record<string, Feed> {
  const random = uniform(spec.seed + 1);
  const reals = (...shape: number[]): Feed => ({
    shape,
    data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random())),
  });
  const feeds: Record<string, Feed> = { x: reals(spec.steps, spec.batch, spec.inputSize) };
  if (spec.lengths === "input") feeds.lengths = { shape: [spec.batch], data: lengthsOf(spec), type: "int32" };
  spec.layers.forEach(({ initial, direction, hidden }, i) => {
    if (initial === "input")
      feeds[`h${i}`] = reals(direction === "bidirectional" ? 2 : 1, spec.batch, hidden);
  });
  return feeds;
}

function lengthsOf({ seed, batch, steps }: ModelSpec): number[] {
  const random = uniform(seed + 2);
  return Array.from({ length: batch }, () => 1 + Math.floor(((random() + 1) / 2) * steps));
}

/**
 * The bytes of the model's file.
 * @param timeFirst writes every GRU with layout 0, as ONNX Runtime needs it; what is computed is the same.
 */
export function writeRandomModel(spec: ModelSpec, timeFirst = false): Uint8Array {
  const { opset, open, steps, batch } = spec;
  const g = new GraphWriter(opset, uniform(spec.seed + 3));
  const [T, B] = open ? ["time", "batch"] : [steps, batch];
  g.input("x", [T, B, spec.inputSize]);
  if (spec.lengths === "input") g.input("lengths", [B], "int32");
  if (spec.lengths === "constant") g.constant("lengths", [batch], lengthsOf(spec), "int32");
  let [x, size] = before(g, spec);
  let y = "";
  let state = "";
  spec.layers.forEach((layer, i) => {
    const last = i === spec.layers.length - 1;
    if (layer.initial === "input")
      g.input(`h${i}`, [layer.direction === "bidirectional" ? 2 : 1, B, layer.hidden]);
    [y, state] = gru(g, spec, layer, i, x, size, timeFirst);
    size = layer.hidden * (layer.direction === "bidirectional" ? 2 : 1);
    if (!last || spec.head !== "none") x = g.reshape(g.transpose(y, [0, 2, 1, 3]), [0, 0, -1]);
  });
  if (spec.head === "none") {
    if (spec.outputs !== "Y_h") g.output(y);
    if (spec.outputs !== "Y") g.output(state);
  } else g.output(head(g, spec, x, state, size));
  return g.bytes();
}

function before(g: GraphWriter, { before, inputSize: I }: ModelSpec): [string, number] {
  if (before === "conv") {
    const c = g.node("Conv", [g.transpose("x", [1, 2, 0]), g.weights([4, I, 3], 0.5), g.weights([4], 0.5)], {
      pads: [1, 1],
    });
    return [g.transpose(g.node("Relu", [c]), [2, 0, 1]), 4];
  }
  if (before === "dense") {
    const product = g.node("MatMul", ["x", g.weights([I, 5], 0.5)]);
    return [g.node("Tanh", [g.node("Add", [product, g.weights([5], 0.5)])]), 5];
  }
  if (before === "standardise") {
    const centred = g.node("Sub", ["x", g.weights([I], 0.5)]);
    return [
      g.node("Div", [
        centred,
        g.constant(
          "deviation",
          [I],
          Array.from({ length: I }, (_, i) => 0.7 + i / 5),
        ),
      ]),
      I,
    ];
  }
  if (before === "batchNorm") return [g.transpose(g.batchNorm(g.transpose("x", [1, 2, 0]), I), [2, 0, 1]), I];
  return ["x", I];
}

function gru(
  g: GraphWriter,
  spec: ModelSpec,
  layer: LayerSpec,
  index: number,
  given: string,
  size: number,
  timeFirst: boolean,
): [string, string] {
  const { hidden: H, direction, initial, activations } = layer;
  const D = direction === "bidirectional" ? 2 : 1;
  const bound = spec.scale / Math.sqrt(H);
  const turned = layer.batchFirst && !timeFirst;
  const x = turned ? g.transpose(given, [1, 0, 2]) : given;
  const inputs = [x, g.weights([D, 3 * H, size], bound), g.weights([D, 3 * H, H], bound)];
  inputs.push(layer.bias ? g.weights([D, 6 * H], bound) : "", spec.lengths === "none" ? "" : "lengths");
  let state = initial === "input" ? `h${index}` : "";
  if (initial === "zero" || initial === "constant" || initial === "rows") {
    const row = g.numbers(D * H, initial === "zero" ? 0 : 0.8);
    const rows = g.numbers(D * spec.batch * H, 0.8);
    const data = Array.from({ length: D * spec.batch * H }, (_, i) => {
      const d = Math.floor(i / (spec.batch * H));
      return initial === "rows" ? rows[i]! : row[d * H + (i % H)]!;
    });
    state = g.constant(`initial${index}`, [D, spec.batch, H], data);
  }
  if (state) inputs.push(turned ? g.transpose(state, [1, 0, 2]) : state);
  while (inputs.at(-1) === "") inputs.pop();
  const alphas = activations?.flatMap((a) => a.alpha ?? []) ?? [];
  const betas = activations?.flatMap((a) => a.beta ?? []) ?? [];
  const [y, h] = g.nodes("GRU", inputs, 2, {
    hidden_size: H,
    direction,
    linear_before_reset: layer.resetAfter ? 1 : 0,
    ...(turned && { layout: 1 }),
    ...(activations && { activations: activations.map((a) => a.name) }),
    ...(alphas.length > 0 && { activation_alpha: { floats: alphas } }),
    ...(betas.length > 0 && { activation_beta: { floats: betas } }),
    ...(layer.clip !== undefined && { clip: { float: layer.clip } }),
  }) as [string, string];
  return turned ? [g.transpose(y, [1, 2, 0, 3]), g.transpose(h, [1, 0, 2])] : [y, h];
}

/** @param x [T, B, F]. @param state [D, B, H]. @returns the output. */
function head(g: GraphWriter, { head }: ModelSpec, x: string, state: string, F: number): string {
  const usual = 1 / Math.sqrt(F);
  const dense = (from: string, size: number, to: number) =>
    g.node("Gemm", [from, g.weights([to, size], 1 / Math.sqrt(size)), g.weights([to], 1 / Math.sqrt(size))], {
      transB: 1,
    });
  const last = () => g.reshape(g.transpose(state, [1, 0, 2]), [0, -1]);
  switch (head) {
    case "matMul":
      return g.node("Add", [g.weights([3], usual), g.node("MatMul", [x, g.weights([F, 3], usual)])]);
    case "mlp":
      return g.node("Sigmoid", [dense(g.node("Relu", [dense(last(), F, 5)]), 5, 2)]);
    case "batchNorm":
      return dense(g.batchNorm(last(), F), F, 3);
    case "mean":
      return dense(g.reduce("ReduceMean", x, [0]), F, 3);
    case "max":
      return dense(g.reduce("ReduceMax", x, [0]), F, 3);
    case "last":
      return dense(g.node("Gather", [x, g.constant("minusOne", [], [-1], "int64")], { axis: 0 }), F, 3);
    case "residual":
      return g.node("Add", [x, g.node("Tanh", [g.node("MatMul", [x, g.weights([F, F], usual)])])]);
    case "gated":
      return g.node("Mul", [g.node("Sigmoid", [g.node("MatMul", [x, g.weights([F, F], usual)])]), x]);
    case "softmax":
      return g.node("Softmax", [dense(last(), F, 4)], { axis: 1 });
    default:
      return dense(last(), F, 3);
  }
}
