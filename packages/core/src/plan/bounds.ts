/**
 * Bounds that the weights prove, in integers. docs/protocol.md, "Bounds".
 * A row's sum of |weights| times the operand's largest |integer|, plus |bias|, bounds the row's result;
 * the plan publishes the largest over the rows, rounded up to three significant bits.
 */

import { integers } from "../interpret/plain.js";
import type { GruBounds, Precision } from "./plan.js";
import type { LayerTensors, Matrix } from "./tensors.js";

/**
 * Steps for which the state's bound holds with the slack below: each adds at most one last place
 * (at scale activation) to |h| <= 1, and 2^13 of them are less than one place at scale operand.
 */
export const MAX_STEPS = 2 ** 13;

/** Places of slack for an operand that is a state: one for its truncation, one for the steps. */
export const STATE_SLACK = 2;

/** Rounds up to three significant bits, so that a published bound tells little about the weights. */
export function publish(bound: number): number {
  if (bound <= 4) return Math.ceil(bound);
  const unit = 2 ** (Math.floor(Math.log2(bound)) - 2);
  return Math.ceil(bound / unit) * unit;
}

/** The largest sum of |integers| over a row (a matrix), or the largest |integer| (a vector). */
export function tensorBound(t: LayerTensors[string], scale: number): number {
  const q = integers(t.values, scale);
  return t.kind === "vector" ? largest(q) : largest(rowSums(t, q));
}

/**
 * @param xMax largest |integer| of the layer's input at the operand scale, slack included.
 * @param h the same of its state: interpolation keeps it between the initial state and [-1, 1].
 */
export function gruBounds(
  t: LayerTensors,
  resetAfter: boolean,
  precision: Precision,
  xMax: number,
  h: number,
): GruBounds {
  const { weight, operand } = precision;
  const sums = (name: string) => rowSums(t[name]!, integers(t[name]!.values, weight));
  const bias = (name: string) => integers(t[name]!.values, weight + operand).map(Math.abs);
  const gate = (g: "z" | "r") => {
    const [W, U, b] = [sums(`W${g}`), sums(`U${g}`), bias(`b${g}`)];
    return publish(largest(W.map((w, i) => w * xMax + U[i]! * h + b[i]!)));
  };
  const U = sums("Un");
  const bv = resetAfter ? bias("bv") : U.map(() => 0);
  const v = U.map((u, i) => u * h + bv[i]!);
  const W = sums("Wn");
  const bn = bias("bn");
  // r v: |r| < 1, and v was truncated to the operand scale, which may add one place there
  const place = resetAfter ? 2 ** weight : 0;
  const n = W.map((w, i) => w * xMax + bn[i]! + v[i]! + place);
  return { x: xMax, h, z: gate("z"), r: gate("r"), v: publish(largest(v)), n: publish(largest(n)) };
}

function rowSums(m: Matrix, q: Float64Array): Float64Array {
  const sums = new Float64Array(m.rows);
  for (let i = 0; i < q.length; i++) sums[Math.floor(i / m.cols)]! += Math.abs(q[i]!);
  return sums;
}

function largest(values: Float64Array): number {
  return values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
}
