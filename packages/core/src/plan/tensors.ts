/**
 * From the model's tensors to the ones that servers hold shares of: gates apart, biases that always occur
 * together added, everything in doubles.
 */
import { SottoError } from "../errors.js";
import type { DenseLayer, GruLayer, ModelDescription, Tensor } from "./description.js";

export interface Matrix {
  rows: number;
  cols: number;
  values: Float64Array;
}

/** A layer's tensors by suffix; a vector is a matrix of one row. */
export type LayerTensors = Record<string, { kind: "matrix" | "vector" } & Matrix>;

/** Wz Wr Wn [H, I], Uz Ur Un [H, H], bz br bn [H], and bv [H] for reset after. */
export function gruTensors(model: ModelDescription, layer: GruLayer): LayerTensors {
  const H = layer.hidden;
  const W = matrix(model, layer.W, layer.name);
  const U = matrix(model, layer.U, layer.name);
  expectRows(layer, layer.W, W, 3 * H);
  expectRows(layer, layer.U, U, 3 * H);
  if (U.cols !== H) throw bad(layer, `${layer.U} has ${U.cols} columns, expected ${H}`);
  const bW = vector(model, layer.bW, 3 * H, layer.name);
  const bU = vector(model, layer.bU, 3 * H, layer.name);
  const rows = (m: Matrix, gate: number) => ({
    kind: "matrix" as const,
    rows: H,
    cols: m.cols,
    values: m.values.slice(gate * H * m.cols, (gate + 1) * H * m.cols),
  });
  const bias = (values: Float64Array) => ({ kind: "vector" as const, rows: 1, cols: H, values });
  const gate = (v: Float64Array, g: number) => v.slice(g * H, (g + 1) * H);
  const both = (g: number) => gate(bW, g).map((v, i) => v + bU[g * H + i]!);
  return {
    Wz: rows(W, 0),
    Wr: rows(W, 1),
    Wn: rows(W, 2),
    Uz: rows(U, 0),
    Ur: rows(U, 1),
    Un: rows(U, 2),
    bz: bias(both(0)),
    br: bias(both(1)),
    ...(layer.resetAfter ? { bn: bias(gate(bW, 2)), bv: bias(gate(bU, 2)) } : { bn: bias(both(2)) }),
  };
}

/** A [out, in] and b [out] (zeros when the layer has none). */
export function denseTensors(model: ModelDescription, layer: DenseLayer): LayerTensors {
  const A = matrix(model, layer.A, layer.name);
  const b = vector(model, layer.b, A.rows, layer.name);
  return { A: { kind: "matrix", ...A }, b: { kind: "vector", rows: 1, cols: A.rows, values: b } };
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

function tensor(model: ModelDescription, name: string, layer: string): Tensor {
  const t = model.tensors[name];
  if (!t) throw new SottoError("bad-model", `layer ${layer}: the model has no tensor ${name}`);
  if (!t.data.every(Number.isFinite)) {
    throw new SottoError(
      "bad-model",
      `layer ${layer}: ${name} contains NaN or infinity; train or export it again`,
    );
  }
  return t;
}

function expectRows(layer: GruLayer, name: string, m: Matrix, rows: number): void {
  if (m.rows !== rows) throw bad(layer, `${name} has ${m.rows} rows, expected ${rows} (3 x hidden)`);
}

function bad(layer: { name: string }, message: string): SottoError {
  return new SottoError("bad-model", `layer ${layer.name}: ${message}`);
}
