/** Random models with every kind of layer, and inputs for them; for tests. */
import type { CompileOptions } from "../plan/compile.js";
import type { Activation, Layer, ModelDescription, Tensor } from "../plan/description.js";
import type { NumberTensor } from "../share/share.js";
import { seededUniform } from "./seeded.js";

export interface AnyModel {
  model: ModelDescription;
  options: CompileOptions;
  inputs: Record<string, NumberTensor>;
}

const BOUNDED: Activation[] = [
  { name: "sigmoid" },
  { name: "tanh" },
  { name: "hardSigmoid" },
  { name: "hardSigmoid", alpha: 1 / 6, beta: 0.5 },
  { name: "softsign" },
  { name: "scaledTanh", alpha: 0.7, beta: 1.3 },
  { name: "clip", alpha: -0.5, beta: 1.5 },
];
const UNBOUNDED: Activation[] = [
  { name: "relu" },
  { name: "leakyRelu", alpha: 0.2 },
  { name: "elu", alpha: 0.8 },
  { name: "softplus" },
  { name: "affine", alpha: 0.6, beta: 0.1 },
  { name: "thresholdedRelu", alpha: 0.3 },
];

/** @param kind `ordinary`: tanh and sigmoid at PyTorch's scale; `any`: all functions, clips and larger weights. */
export function anyModel(seed: string, kind: "ordinary" | "any"): AnyModel {
  const random = seededUniform(seed);
  const pick = <T>(...list: T[]): T => list[Math.floor(random() * list.length)]!;
  const chance = (p: number) => random() < p;
  const [B, I] = [pick(1, 1, 2, 3), pick(1, 2, 3, 4)];
  let T = pick(1, 2, 3, 5, 7);
  // sizes that only a run fixes: nothing of the model may have them as its own
  const [openTime, openBatch] = [chance(0.4), chance(0.4)];
  const [time, batch] = [openTime ? "time" : T, openBatch ? "batch" : B];
  const size = kind === "ordinary" ? 1 : pick(0.3, 1, 3, 8);
  const tensors: Record<string, Tensor> = {};
  const constants: ModelDescription["constants"] = {};
  const layers: Layer[] = [];
  const inputs: ModelDescription["inputs"] = [];
  const given: Record<string, NumberTensor> = {};
  const options: CompileOptions = { stateBound: 4 };
  const range: Record<string, number | number[]> = {};
  let count = 0;
  const fresh = (what: string) => `${what}${count++}`;
  const tensor = (width: number, ...shape: number[]): string => {
    const name = fresh("t");
    const length = shape.reduce((n, d) => n * d, 1);
    const data = Float32Array.from({ length }, () => ((2 * random() - 1) * size) / Math.sqrt(width));
    tensors[name] = { shape, data };
    return name;
  };
  const around = (centre: number, ...shape: number[]): string => {
    const name = fresh("t");
    const length = shape.reduce((n, d) => n * d, 1);
    tensors[name] = { shape, data: Float32Array.from({ length }, () => centre + (2 * random() - 1) * 0.5) };
    return name;
  };
  const integers = (...data: number[]): string => {
    const name = fresh("c");
    constants[name] = { shape: [data.length], data };
    return name;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the fields of whatever layer it is
  const put = (op: Layer["op"], from: string[], fields: any = {}): string => {
    const name = fresh(op);
    layers.push({ op, name, inputs: from, outputs: [`${name}.y`], ...fields });
    return `${name}.y`;
  };

  // the input: features, or tokens
  let [x, width] = ["x", I];
  if (chance(0.25)) {
    const V = pick(3, 9);
    width = pick(1, 3);
    inputs.push({ name: "tokens", shape: [time, batch], kind: "token" });
    given.tokens = { shape: [T, B], data: Array.from({ length: T * B }, () => Math.floor(random() * V)) };
    x = put("embedding", ["tokens"], { table: tensor(1, V, width) });
    options.privateEmbeddings = chance(0.6);
  } else {
    inputs.push({ name: "x", shape: [time, batch, I], kind: "real" });
    const most = Array.from({ length: I }, () => pick(0.5, 2, 4));
    range.x = chance(0.5) ? most : 4;
    given.x = {
      shape: [T, B, I],
      data: Array.from({ length: T * B * I }, (_, i) => (2 * random() - 1) * most[i % I]!),
    };
  }
  const affine = (from: string, shape: number[]) =>
    put("affine", [from], {
      ...(chance(0.8) ? { scale: around(0.8, ...shape) } : {}),
      ...(chance(0.8) ? { offset: around(0, ...shape) } : {}),
    });
  if (chance(0.3)) x = affine(x, pick([width], [1], [1, 1, width], openTime ? [1] : [T, 1, 1]));

  if (chance(0.3)) {
    const groups = width % 2 === 0 ? pick(1, 2) : 1;
    const [K, M, stride, dilation] = [pick(1, 2, 3), 2 * pick(1, 2), pick(1, 1, 2), pick(1, 1, 2)];
    const reach = dilation * (K - 1) + 1;
    const pads: [number, number] = reach > T || chance(0.5) ? [reach - 1, pick(0, 1)] : [0, 0];
    const b = chance(0.6) ? { b: tensor(width, M) } : {};
    x = put("transpose", [x], { perm: [1, 2, 0] });
    x = put("conv1d", [x], {
      W: tensor(width * K, M, width / groups, K),
      ...b,
      stride,
      dilation,
      groups,
      pads,
    });
    if (chance(0.5)) x = affine(x, [1, M, 1]);
    if (chance(0.5))
      x = put("activation", [x], { activation: pick<Activation>({ name: "relu" }, { name: "tanh" }) });
    x = put("transpose", [x], { perm: [2, 0, 1] });
    [T, width] = [Math.floor((T + pads[0] + pads[1] - reach) / stride) + 1, M];
  }

  // lengths of the sequences, public
  const spans = chance(0.35);
  const [ends, starts] = [[] as number[], [] as number[]];
  for (let b = 0; b < B; b++) {
    const end = 1 + Math.floor(random() * T);
    ends.push(end);
    starts.push(Math.floor(random() * end));
  }
  let lengths: string[] = [];
  if (spans) {
    if (openTime || openBatch || chance(0.5)) {
      inputs.push({ name: "lengths", shape: [batch], kind: "length" });
      given.lengths = { shape: [B], data: ends };
      lengths = ["lengths"];
    } else lengths = [integers(...ends)];
    if (!openTime && !openBatch && chance(0.4)) lengths.push(integers(...starts));
  }

  let state = "";
  const stack = pick(1, 1, 2);
  const functions = kind === "any" && chance(0.7);
  const padding = pick("zero", "carry");
  for (let l = 0; l < stack; l++) {
    const H = pick(1, 2, 4, 6);
    const [resetAfter, directions] = [pick(true, false), pick([false], [true], [false, true])];
    const outputs: [string, string][] = [];
    for (const reverse of directions) {
      const name = fresh("gru");
      let initial = "";
      const own: Partial<Layer> = {};
      const start = pick("zero", "zero", "zero", "constant", "input");
      if (start === "constant") Object.assign(own, { initial: tensor(1, openBatch ? 1 : pick(1, B), H) });
      if (start === "input") {
        initial = fresh("h");
        inputs.push({ name: initial, shape: [1, batch, H], kind: "real" });
        range[initial] = pick(0.5, 1, 3);
        given[initial] = { shape: [1, B, H], data: Array.from({ length: B * H }, () => random() - 0.5) };
      }
      if (functions) {
        const gate = chance(0.75) ? pick(...BOUNDED) : pick(...UNBOUNDED);
        Object.assign(own, { gate, candidate: pick(...BOUNDED, ...UNBOUNDED) });
        if (chance(0.3)) Object.assign(own, { clip: pick(0.5, 2, 5) });
      }
      layers.push({
        op: "gru",
        name,
        inputs: [x, initial, ...lengths],
        outputs: [`${name}.Y`, `${name}.h`],
        hidden: H,
        resetAfter,
        W: tensor(H, 3 * H, width),
        U: tensor(H, 3 * H, H),
        ...(chance(0.8) ? { bW: tensor(H, 3 * H), bU: tensor(H, 3 * H) } : {}),
        ...(reverse ? { reverse } : {}),
        padding,
        ...own,
      } as Layer);
      outputs.push([`${name}.Y`, `${name}.h`]);
    }
    const [ys, hs] = [outputs.map(([y]) => y), outputs.map(([, h]) => h)];
    const merge = outputs.length === 1 ? "none" : pick("concat", "sum", "product", "mean");
    const merged = (names: string[], axis: number): string => {
      if (merge === "none") return put("squeeze", [names[0]!, integers(axis)]);
      if (merge === "mean")
        return put("reduce", [put("concat", names, { axis })], { fn: "mean", axes: [axis], keepDims: false });
      const flat = names.map((n) => put("squeeze", [n, integers(axis)]));
      if (merge === "concat") return put("concat", flat, { axis: -1 });
      if (merge === "product") return put("product", flat);
      return put("sum", flat, chance(0.5) ? { signs: [1, -1] } : {});
    };
    x = merged(ys, 1);
    state = merged(hs, 0);
    width = merge === "concat" ? 2 * H : H;
    if (chance(0.3)) x = affine(x, openTime ? [width] : pick([width], [T, 1, width]));
  }

  // what is made of the sequence
  // a sum grows with the number of steps: it needs to know them
  let y = pick("state", "mean", "max", openTime ? "mean" : "sum", "sequence");
  const batched = spans && chance(0.5) ? lengths : [];
  if (y === "state") y = state;
  else if (y === "sequence") y = x;
  else {
    const fn = y;
    const byRow = put("transpose", [x], { perm: [1, 0, 2] });
    y = put("reduce", [byRow, ...batched], { fn, axes: [1], keepDims: false });
  }
  for (let d = pick(0, 1, 2); d > 0; d--) {
    const out = pick(1, 2, 4);
    y = put("dense", [y], { A: tensor(width, out, width), ...(chance(0.7) ? { b: tensor(1, out) } : {}) });
    width = out;
    if (chance(0.3)) y = affine(y, [width]);
    const last =
      kind === "ordinary"
        ? [{ name: "relu" } as const, { name: "tanh" } as const]
        : [...BOUNDED, ...UNBOUNDED];
    if (chance(0.5)) y = put("activation", [y], { activation: pick<Activation>(...last) });
  }
  if (chance(0.2)) y = affine(y, [1]);
  if (chance(0.2)) y = put(pick("softmax", "logSoftmax"), [y], { axis: -1 });
  options.range = range;
  const model = {
    name: seed,
    inputs,
    outputs: [{ name: y }, ...(chance(0.3) && state !== y ? [{ name: state }] : [])],
    layers,
    tensors,
    constants,
  };
  options.profile = pick("lan", "wan");
  return { model, options, inputs: given };
}
