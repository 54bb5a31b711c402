/**
 * From the model's tensors to the ones that servers hold shares of: gates apart, biases that always occur
 * together added, everything in doubles.
 */
import { SottoError } from "../errors.js";
import type {
  Conv1dLayer,
  DenseLayer,
  EmbeddingLayer,
  GruLayer,
  ModelDescription,
  Tensor,
} from "./description.js";

export interface Matrix {
  rows: number;
  cols: number;
  values: Float64Array;
}

/** A layer's tensors by suffix; a vector is a matrix of one row. */
export type LayerTensors = Record<string, { kind: "matrix" | "vector" } & Matrix>;

/** One number of a tensor of the model. */
export type Entry = [tensor: string, index: number];

/** y = x scale + offset of one feature; undefined where nothing is to be done. */
export interface FeatureAffine {
  scale?: Entry;
  offset?: Entry;
}

/** An affine layer, as it applies to the features of every row alike. */
export type Fold = (FeatureAffine | undefined)[];

/** Wz Wr Wn [H, I], Uz Ur Un [H, H], bz br bn [H], and bv [H] for reset after. `folds`: what X goes through first. */
export function gruTensors(
  model: ModelDescription,
  layer: GruLayer,
  folds: readonly Fold[] = [],
): LayerTensors {
  const H = layer.hidden;
  const W = matrix(model, layer.W, layer.name);
  const U = matrix(model, layer.U, layer.name);
  expectRows(layer, layer.W, W, 3 * H);
  expectRows(layer, layer.U, U, 3 * H);
  if (U.cols !== H) throw bad(layer, `${layer.U} has ${U.cols} columns, expected ${H}`);
  const bW = vector(model, layer.bW, 3 * H, layer.name);
  const bU = vector(model, layer.bU, 3 * H, layer.name);
  for (const fold of folds) foldBefore(model, layer.name, W, bW, fold);
  const rows = (m: Matrix, gate: number) => ({
    kind: "matrix" as const,
    rows: H,
    cols: m.cols,
    values: m.values.slice(gate * H * m.cols, (gate + 1) * H * m.cols),
  });
  const gate = (v: Float64Array, g: number) => v.slice(g * H, (g + 1) * H);
  const both = (g: number) => gate(bW, g).map((v, i) => v + bU[g * H + i]!);
  return {
    Wz: rows(W, 0),
    Wr: rows(W, 1),
    Wn: rows(W, 2),
    Uz: rows(U, 0),
    Ur: rows(U, 1),
    Un: rows(U, 2),
    bz: row(both(0)),
    br: row(both(1)),
    ...(layer.resetAfter ? { bn: row(gate(bW, 2)), bv: row(gate(bU, 2)) } : { bn: row(both(2)) }),
  };
}

/** h0 [1, H] or [B, H], as one row. */
export function initialTensors(model: ModelDescription, layer: GruLayer): LayerTensors {
  const h0 = matrix(model, layer.initial!, layer.name);
  if (h0.cols !== layer.hidden)
    throw bad(layer, `${layer.initial} has ${h0.cols} columns, expected ${layer.hidden}`);
  return { h0: row(h0.values) };
}

/** A [out, in] and b [out] (zeros when the layer has none), between affine layers. */
export function denseTensors(
  model: ModelDescription,
  layer: DenseLayer,
  before: readonly Fold[] = [],
  after: readonly Fold[] = [],
): LayerTensors {
  const A = matrix(model, layer.A, layer.name);
  const b = vector(model, layer.b, A.rows, layer.name);
  for (const fold of before) foldBefore(model, layer.name, A, b, fold);
  for (const fold of after) foldAfter(model, layer.name, A, b, fold);
  return { A: { kind: "matrix", ...A }, b: row(b) };
}

/** A0 .. A{K-1} [M, C], a matrix for each tap over all channels (zeros between groups), and b [M]. */
export function convTensors(
  model: ModelDescription,
  layer: Conv1dLayer,
  before: readonly Fold[],
  after: readonly Fold[],
): LayerTensors {
  const W = tensor(model, layer.W, layer.name);
  const [M, C, K] = convShape(layer, W.shape);
  const group = C / layer.groups;
  let b = vector(model, layer.b, M, layer.name);
  const taps: LayerTensors = {};
  for (let k = 0; k < K; k++) {
    const A: Matrix = { rows: M, cols: C, values: new Float64Array(M * C) };
    for (let m = 0; m < M; m++) {
      const first = Math.floor((m * layer.groups) / M) * group;
      for (let c = 0; c < group; c++) A.values[m * C + first + c] = W.data[(m * group + c) * K + k]!;
    }
    // what comes before adds to the bias with every tap; an offset that comes after is added once
    const part = k === 0 ? b : new Float64Array(M);
    for (const fold of before) foldBefore(model, layer.name, A, part, fold);
    for (const fold of after) foldAfter(model, layer.name, A, part, fold, k > 0);
    if (k > 0) b = b.map((v, m) => v + part[m]!);
    taps[`A${k}`] = { kind: "matrix", ...A };
  }
  return { ...taps, b: row(b) };
}

/** [output channels, input channels, taps]. @throws SottoError bad-model. */
export function convShape(layer: Conv1dLayer, shape: readonly number[]): [number, number, number] {
  const [M, group, K] = shape;
  const { groups } = layer;
  const whole = (v: number | undefined): v is number => v !== undefined && Number.isInteger(v) && v > 0;
  if (!whole(M) || !whole(group) || !whole(K) || shape.length !== 3 || !whole(groups) || M % groups !== 0)
    throw bad(
      layer,
      `${layer.W} has shape [${shape}] with ${groups} groups; expected [out, in / groups, taps]`,
    );
  return [M, group * groups, K];
}

/** y_j = x_j s_j + o_j by itself: a diagonal matrix. `folds`: the last one first. */
export function diagonalTensors(model: ModelDescription, name: string, folds: readonly Fold[]): LayerTensors {
  const F = folds[0]!.length;
  const A: Matrix = { rows: F, cols: F, values: new Float64Array(F * F) };
  const b = new Float64Array(F);
  for (let j = 0; j < F; j++) A.values[j * F + j] = 1;
  for (const fold of [...folds].reverse()) foldAfter(model, name, A, b, fold);
  return { A: { kind: "matrix", ...A }, b: row(b) };
}

/** The numbers that are added, one for each feature. */
export function offsetTensors(model: ModelDescription, name: string, folds: readonly Fold[]): LayerTensors {
  const sum = new Float64Array(folds[0]!.length);
  for (const fold of folds)
    fold.forEach((f, j) => {
      if (f?.offset) sum[j]! += entry(model, name, f.offset);
    });
  return { b: row(sum) };
}

/** The table of an embedding as a matrix [E, V]: a one-hot vector's product with it is a row of the table. */
export function tableTensors(model: ModelDescription, layer: EmbeddingLayer): LayerTensors {
  const { rows: V, cols: E, values } = matrix(model, layer.table, layer.name);
  const A = new Float64Array(E * V);
  for (let v = 0; v < V; v++) for (let e = 0; e < E; e++) A[e * V + v] = values[v * E + e]!;
  return { A: { kind: "matrix", rows: E, cols: V, values: A } };
}

/** A (S x + o) + b = (A S) x + (A o + b). */
function foldBefore(model: ModelDescription, layer: string, A: Matrix, b: Float64Array, fold: Fold): void {
  fold.forEach((f, j) => {
    if (!f) return;
    const scale = f.scale ? entry(model, layer, f.scale) : 1;
    const offset = f.offset ? entry(model, layer, f.offset) : 0;
    for (let i = 0; i < A.rows; i++) {
      b[i]! += A.values[i * A.cols + j]! * offset;
      A.values[i * A.cols + j]! *= scale;
    }
  });
}

/** S (A x + b) + o = (S A) x + (S b + o). */
function foldAfter(
  model: ModelDescription,
  layer: string,
  A: Matrix,
  b: Float64Array,
  fold: Fold,
  scaleOnly = false,
): void {
  fold.forEach((f, i) => {
    if (!f) return;
    const scale = f.scale ? entry(model, layer, f.scale) : 1;
    for (let j = 0; j < A.cols; j++) A.values[i * A.cols + j]! *= scale;
    b[i] = b[i]! * scale + (f.offset && !scaleOnly ? entry(model, layer, f.offset) : 0);
  });
}

function entry(model: ModelDescription, layer: string, [name, index]: Entry): number {
  return tensor(model, name, layer).data[index]!;
}

function row(values: Float64Array) {
  return { kind: "vector" as const, rows: 1, cols: values.length, values };
}

function matrix(model: ModelDescription, name: string, layer: string): Matrix {
  const t = tensor(model, name, layer);
  const [rows, cols, ...rest] = t.shape;
  if (rows === undefined || cols === undefined || rest.length > 0) {
    throw new SottoError("bad-model", `layer ${layer}: ${name} has shape [${t.shape}], expected two sizes`);
  }
  return { rows, cols, values: Float64Array.from(t.data) };
}

function vector(
  model: ModelDescription,
  name: string | undefined,
  length: number,
  layer: string,
): Float64Array {
  if (!name) return new Float64Array(length);
  const t = tensor(model, name, layer);
  if (t.data.length !== length) {
    throw new SottoError(
      "bad-model",
      `layer ${layer}: ${name} has ${t.data.length} values, expected ${length}`,
    );
  }
  return Float64Array.from(t.data);
}

/** Tensors whose numbers have been looked at. */
const checked = new WeakSet<Tensor>();

function tensor(model: ModelDescription, name: string, layer: string): Tensor {
  const t = model.tensors[name];
  if (!t) throw new SottoError("bad-model", `layer ${layer}: the model has no tensor ${name}`);
  if (!checked.has(t) && !t.data.every(Number.isFinite)) {
    throw new SottoError(
      "bad-model",
      `layer ${layer}: ${name} contains NaN or infinity; train or export it again`,
    );
  }
  checked.add(t);
  return t;
}

function expectRows(layer: GruLayer, name: string, m: Matrix, rows: number): void {
  if (m.rows !== rows) throw bad(layer, `${name} has ${m.rows} rows, expected ${rows} (3 x hidden)`);
}

function bad(layer: { name: string }, message: string): SottoError {
  return new SottoError("bad-model", `layer ${layer.name}: ${message}`);
}
