/**
 * Bounds that the weights prove, in integers. docs/protocol.md, "Bounds".
 * A row's sum of |weights| times the operand's largest |integer|, plus |bias|, bounds the row's result;
 * the plan publishes the largest over the rows, rounded up to three significant bits.
 */

import { integers } from "../interpret/plain.js";
import type { FunctionSpec } from "./activation.js";
import type { Operand } from "./operand.js";
import type { GruBounds, Precision } from "./plan.js";
import { activationTable } from "./table.js";
import type { LayerTensors, Matrix } from "./tensors.js";

/**
 * Steps for which the state's bound holds with the slack below: each adds at most one last place, at the candidate's
 * scale, to |h|, and so many of them add at most half a place at scale operand. 2^13 by default.
 */
export function maxSteps(candidateScale: number, operand: number): number {
  return 2 ** (candidateScale - operand - 1);
}

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
 * @param gate the function of z and r. @param x the layer's input as operand. @param h its state, whose bound holds for
 * every step. Slack is added to both, as either may be a state.
 */
export function gruBounds(
  t: LayerTensors,
  resetAfter: boolean,
  gate: FunctionSpec,
  precision: Precision,
  x: Operand,
  h: Operand,
): GruBounds {
  const xMax = x.bound + STATE_SLACK;
  const hMax = h.bound + STATE_SLACK;
  const { weight, operand } = precision;
  const sums = (name: string, scale: number) => rowSums(t[name]!, integers(t[name]!.values, scale));
  // W x is truncated to scale weight + operand, which may add one place
  const unit = 2 ** (x.weightScale + x.scale - weight - operand);
  const input = (g: string) => sums(`W${g}`, x.weightScale).map((w) => Math.floor((w * xMax) / unit) + 1);
  const bias = (name: string) => integers(t[name]!.values, weight + operand).map(Math.abs);
  const gateBound = (g: "z" | "r") => {
    const [U, b] = [sums(`U${g}`, weight), bias(`b${g}`)];
    return publish(largest(input(g).map((w, i) => w + U[i]! * hMax + b[i]!)));
  };
  const [z, r] = [gateBound("z"), gateBound("r")];
  const table = activationTable(gate, r / 2 ** (weight + operand), precision.activation);
  const rMost = Math.max(1, Math.max(-table.lo, table.hi) / 2 ** table.outputScale);
  const U = sums("Un", weight);
  const bv = resetAfter ? bias("bv") : U.map(() => 0);
  // before the product the state is multiplied by r, and truncated after that: a place more
  const operandMost = resetAfter ? hMax : Math.ceil(rMost * hMax) + (rMost > 1 ? 1 : 0);
  const v = U.map((u, i) => u * operandMost + bv[i]!);
  const bn = bias("bn");
  // r v: v was truncated to the operand scale, which may add one place there
  const place = resetAfter ? 2 ** weight : 0;
  const factor = resetAfter ? rMost : 1;
  const n = input("n").map((w, i) => w + bn[i]! + Math.ceil(factor * (v[i]! + place)));
  return { scale: x.scale, x: xMax, h: hMax, z, r, v: publish(largest(v)), n: publish(largest(n)) };
}

function rowSums(m: Matrix, q: Float64Array): Float64Array {
  const sums = new Float64Array(m.rows);
  for (let i = 0; i < q.length; i++) sums[Math.floor(i / m.cols)]! += Math.abs(q[i]!);
  return sums;
}

function largest(values: Float64Array): number {
  return values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
}
