/**
 * What a description means, in doubles and without any cleverness: written from its documentation alone, to
 * compare importers with reference runtimes independently of how core computes.
 */
import {
  type Activation,
  type ArgMaxLayer,
  applyView,
  type Constant,
  type Conv1dLayer,
  foldConstant,
  type GruLayer,
  isShapeLayer,
  type Layer,
  type ModelDescription,
  type ReduceLayer,
} from "@sotto/core";

/** @param watch is called with all values of every layer. @returns the outputs by name. */
export function interpret(
  model: ModelDescription,
  feeds: Record<string, Constant>,
  watch: (layer: Layer, results: readonly Constant[]) => void = () => {},
): Record<string, Constant> {
  const values = new Map<string, Constant>(Object.entries(model.constants));
  for (const { name } of model.inputs)
    values.set(name, { shape: [...feeds[name]!.shape], data: Array.from(feeds[name]!.data) });
  for (const layer of model.layers) {
    const inputs = layer.inputs.map((name) => (name ? values.get(name)! : undefined));
    const results = run(model, layer, inputs);
    watch(layer, results);
    layer.outputs.forEach((name, i) => {
      if (name) values.set(name, results[i]!);
    });
  }
  return Object.fromEntries(model.outputs.map(({ name }) => [name, values.get(name)!]));
}

export function activate({ name, alpha, beta }: Activation, x: number): number {
  switch (name) {
    case "sigmoid":
      return 1 / (1 + Math.exp(-x));
    case "tanh":
      return Math.tanh(x);
    case "relu":
      return Math.max(x, 0);
    case "hardSigmoid":
      return Math.max(0, Math.min(1, (alpha ?? 0.2) * x + (beta ?? 0.5)));
    case "leakyRelu":
      return x < 0 ? (alpha ?? 0.01) * x : x;
    case "elu":
      return x < 0 ? (alpha ?? 1) * Math.expm1(x) : x;
    case "softsign":
      return x / (1 + Math.abs(x));
    case "softplus":
      return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    case "affine":
      return (alpha ?? 1) * x + (beta ?? 0);
    case "thresholdedRelu":
      return x > (alpha ?? 1) ? x : 0;
    case "scaledTanh":
      return (alpha ?? 1) * Math.tanh((beta ?? 1) * x);
    case "clip":
      return Math.min(Math.max(x, alpha!), beta!);
  }
}

function run(model: ModelDescription, layer: Layer, inputs: (Constant | undefined)[]): Constant[] {
  if (isShapeLayer(layer)) return foldConstant(layer, inputs);
  const tensor = (name: string | undefined) => {
    const t = name === undefined ? undefined : model.tensors[name]!;
    return t && { shape: t.shape, data: Array.from(t.data) };
  };
  const x = inputs[0]!;
  switch (layer.op) {
    case "gru":
      return gru(layer, inputs, tensor);
    case "dense": {
      const [A, b] = [tensor(layer.A)!, tensor(layer.b)];
      const [out, n] = A.shape as [number, number];
      if (x.shape.at(-1) !== n) throw new Error(`dense: [${x.shape}] by [${A.shape}]`);
      const rows = x.data.length / n;
      const data = Array.from({ length: rows * out }, (_, i) => {
        let sum = b?.data[i % out] ?? 0;
        for (let k = 0; k < n; k++) sum += x.data[Math.floor(i / out) * n + k]! * A.data[(i % out) * n + k]!;
        return sum;
      });
      return [{ shape: [...x.shape.slice(0, -1), out], data }];
    }
    case "embedding": {
      const table = tensor(layer.table)!;
      const E = table.shape[1]!;
      return [{ shape: [...x.shape, E], data: x.data.flatMap((t) => table.data.slice(t * E, (t + 1) * E)) }];
    }
    case "activation":
      return [{ shape: x.shape, data: x.data.map((v) => activate(layer.activation, v)) }];
    case "affine": {
      const [scale, offset] = [layer.scale, layer.offset].map((n) => {
        const t = tensor(n);
        return t && expand(t, x.shape);
      });
      return [
        { shape: x.shape, data: x.data.map((v, i) => v * (scale?.data[i] ?? 1) + (offset?.data[i] ?? 0)) },
      ];
    }
    case "sum":
    case "product": {
      const all = inputs as Constant[];
      const shape = all.map((v) => v.shape).reduce(broadcast);
      const wide = all.map((v) => expand(v, shape));
      const signs = layer.op === "sum" ? layer.signs : undefined;
      const data = wide[0]!.data.map((_, i) =>
        wide
          .map((w, k) => w.data[i]! * (signs?.[k] ?? 1))
          .reduce((a, b) => (layer.op === "sum" ? a + b : a * b)),
      );
      return [{ shape, data }];
    }
    case "reduce":
      return [reduce(layer, x, inputs[1], inputs[2])];
    case "conv1d":
      return [conv(layer, x, tensor(layer.W)!, tensor(layer.b))];
    case "softmax":
    case "logSoftmax":
      return [softmax(layer.op, layer.axis, x)];
    case "argMax":
      return [argMax(layer, x)];
    default:
      return applyView<number[]>(layer, inputs, inputs);
  }
}

function gru(
  layer: GruLayer,
  [X, h0, lengths, starts]: (Constant | undefined)[],
  tensor: (name: string | undefined) => Constant | undefined,
): Constant[] {
  const [T, B, I] = X!.shape as [number, number, number];
  const H = layer.hidden;
  const [W, U] = [tensor(layer.W)!, tensor(layer.U)!];
  const zeros = new Array<number>(3 * H).fill(0);
  const [bW, bU] = [tensor(layer.bW)?.data ?? zeros, tensor(layer.bU)?.data ?? zeros];
  const [f, g] = [layer.gate ?? { name: "sigmoid" }, layer.candidate ?? { name: "tanh" }] as [
    Activation,
    Activation,
  ];
  const limit = (v: number) =>
    layer.clip === undefined ? v : Math.min(Math.max(v, -layer.clip), layer.clip);
  const initial = tensor(layer.initial);
  const Y = new Array<number>(T * B * H).fill(0);
  const last: number[] = [];
  for (let b = 0; b < B; b++) {
    let h = Array.from({ length: H }, (_, i) =>
      h0 ? h0.data[b * H + i]! : (initial?.data[(initial.shape[0] === 1 ? 0 : b) * H + i] ?? 0),
    );
    const [from, to] = [starts?.data[b] ?? 0, lengths?.data[b] ?? T];
    const steps = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
    for (const t of layer.reverse ? steps.reverse() : steps) {
      const x = X!.data.slice((t * B + b) * I, (t * B + b + 1) * I);
      const dot = (M: Constant, row: number, v: number[]) =>
        v.reduce((sum, value, k) => sum + value * M.data[row * v.length + k]!, 0);
      const gate = (row: number) => activate(f, limit(dot(W, row, x) + bW[row]! + dot(U, row, h) + bU[row]!));
      const z = h.map((_, i) => gate(i));
      const r = h.map((_, i) => gate(H + i));
      const reset = h.map((v, i) => r[i]! * v);
      const n = h.map((_, i) => {
        const row = 2 * H + i;
        const state = layer.resetAfter ? r[i]! * (dot(U, row, h) + bU[row]!) : dot(U, row, reset) + bU[row]!;
        return activate(g, limit(dot(W, row, x) + bW[row]! + state));
      });
      h = h.map((v, i) => (1 - z[i]!) * n[i]! + z[i]! * v);
      h.forEach((v, i) => {
        Y[(t * B + b) * H + i] = v;
      });
    }
    last.push(...(steps.length === 0 && layer.padding !== "carry" ? h.map(() => 0) : h));
  }
  return [
    { shape: [T, 1, B, H], data: Y },
    { shape: [1, B, H], data: last },
  ];
}

function conv(layer: Conv1dLayer, x: Constant, W: Constant, b: Constant | undefined): Constant {
  const [B, C, L] = x.shape as [number, number, number];
  const [M, inputs, K] = W.shape as [number, number, number];
  if (inputs * layer.groups !== C) throw new Error(`conv1d: [${x.shape}] by [${W.shape}]`);
  const { stride, dilation, pads } = layer;
  const steps = Math.floor((L + pads[0] + pads[1] - (K - 1) * dilation - 1) / stride) + 1;
  const data: number[] = [];
  for (let n = 0; n < B; n++)
    for (let m = 0; m < M; m++)
      for (let l = 0; l < steps; l++) {
        let sum = b?.data[m] ?? 0;
        const first = Math.floor(m / (M / layer.groups)) * inputs;
        for (let c = 0; c < inputs; c++)
          for (let k = 0; k < K; k++) {
            const at = l * stride + k * dilation - pads[0];
            if (at >= 0 && at < L)
              sum += W.data[(m * inputs + c) * K + k]! * x.data[(n * C + first + c) * L + at]!;
          }
        data.push(sum);
      }
  return { shape: [B, M, steps], data };
}

function reduce(layer: ReduceLayer, x: Constant, ends?: Constant, starts?: Constant): Constant {
  if (ends || starts) return withoutPadding(layer, x, ends, starts);
  const { fn, axes, keepDims } = layer;
  let { shape, data } = x;
  const gone = axes.map((a) => (a < 0 ? a + shape.length : a));
  for (const axis of gone) {
    const inner = size(shape.slice(axis + 1));
    const n = shape[axis]!;
    const from = data;
    data = Array.from({ length: data.length / n }, (_, i) => {
      const all = Array.from(
        { length: n },
        (_, k) => from[(Math.floor(i / inner) * n + k) * inner + (i % inner)]!,
      );
      if (fn === "max") return Math.max(...all);
      return all.reduce((a, b) => a + b, 0) / (fn === "mean" ? n : 1);
    });
    shape = shape.map((d, i) => (i === axis ? 1 : d));
  }
  return { shape: keepDims ? shape : shape.filter((_, i) => !gone.includes(i)), data };
}

/** Each sequence by itself, without its padding. */
function withoutPadding(layer: ReduceLayer, x: Constant, ends?: Constant, starts?: Constant): Constant {
  const [B, T, ...rest] = x.shape as [number, number];
  const inner = size(rest);
  const rows = Array.from({ length: B }, (_, b) => {
    const [from, to] = [starts?.data[b] ?? 0, ends?.data[b] ?? T];
    const data = x.data.slice((b * T + from) * inner, (b * T + to) * inner);
    return reduce(layer, { shape: [1, to - from, ...rest], data });
  });
  return { shape: [B, ...rows[0]!.shape.slice(1)], data: rows.flatMap((r) => r.data) };
}

function softmax(op: "softmax" | "logSoftmax", axis: number, x: Constant): Constant {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const inner = size(x.shape.slice(at + 1));
  const n = x.shape[at]!;
  const data = x.data.map((v, i) => {
    const first = Math.floor(i / (n * inner)) * n * inner + (i % inner);
    const all = Array.from({ length: n }, (_, k) => x.data[first + k * inner]!);
    const log = v - Math.max(...all) - Math.log(all.reduce((s, a) => s + Math.exp(a - Math.max(...all)), 0));
    return op === "softmax" ? Math.exp(log) : log;
  });
  return { shape: x.shape, data };
}

function argMax({ axis, keepDims }: ArgMaxLayer, x: Constant): Constant {
  const at = axis < 0 ? axis + x.shape.length : axis;
  const inner = size(x.shape.slice(at + 1));
  const n = x.shape[at]!;
  const data = Array.from({ length: x.data.length / n }, (_, i) => {
    const first = Math.floor(i / inner) * n * inner + (i % inner);
    const all = Array.from({ length: n }, (_, k) => x.data[first + k * inner]!);
    return all.indexOf(Math.max(...all));
  });
  return { shape: x.shape.flatMap((d, a) => (a !== at ? [d] : keepDims ? [1] : [])), data };
}

function expand(x: Constant, shape: number[]): Constant {
  const parameter = { shape: [shape.length], data: shape };
  const wide = applyView<number[]>(
    { op: "expand", name: "", inputs: ["x", "shape"], outputs: [""] },
    [x],
    [undefined, parameter],
  )[0]!;
  if (`${wide.shape}` !== `${shape}`) throw new Error(`[${x.shape}] does not broadcast to [${shape}]`);
  return wide;
}

function broadcast(a: number[], b: number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (p !== q && p !== 1 && q !== 1) throw new Error(`[${a}] and [${b}]`);
    return p === 1 ? q : p;
  });
}

function size(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
