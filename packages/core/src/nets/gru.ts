/**
 * The GRU step, both forms. docs/protocol.md, "GRU step".
 *
 * reset after:  n = tanh(W_n x + b_n + r * (U_n h + b_v)): five rounds
 *   1 open h; 2 open z's and r's inputs, v; 3 open their selections; 4 open n's input, z; 5 open n's selection
 * reset before: n = tanh(W_n x + b_n + U_n (r * h)): six rounds
 *   1 open h; 2 open z's and r's inputs; 3 open their selections; 4 open r * h, z; 5 open n's input; 6 its selection
 */
import { operandOf, shiftedOperand } from "../plan/operand.js";
import type { GruBounds, Precision } from "../plan/plan.js";
import { activationTable } from "../plan/table.js";
import type { Builder } from "../program/builder.js";
import type { SharedNode } from "../program/nodes.js";

/** What a step needs to know of its layer. Tensors' names are `${name}.Wz` and so on (plan/tensors.ts). */
export interface GruStep {
  name: string;
  resetAfter: boolean;
  /** Sequences side by side: rows of every operand. */
  batch: number;
  bounds: GruBounds;
  precision: Precision;
}

/** W x + b of the three gates; for all steps at once where the input is there at once. */
export interface InputProducts {
  z: SharedNode;
  r: SharedNode;
  n: SharedNode;
}

/** W x + b for `rows` rows of input, at scale weight + operand. It depends on x alone. */
export function gruInput(p: Builder, gru: GruStep, x: SharedNode, rows: number): InputProducts {
  const { name, precision } = gru;
  const { shift } = operandOf(x, precision);
  const gate = (g: "z" | "r" | "n") => {
    const product = p.linear(`${name}.W${g}`, x, rows, shift);
    return p.add(
      p.truncate(product, precision.weight + precision.operand),
      p.parameter(`${name}.b${g}`, rows),
    );
  };
  return { z: gate("z"), r: gate("r"), n: gate("n") };
}

/** One step: h [batch, H] and the input's part give the next h, at scale gate + activation, |h| <= 1. */
export function gruStep(p: Builder, gru: GruStep, x: InputProducts, h: SharedNode): SharedNode {
  const { name, batch, bounds, precision } = gru;
  const sigmoid = activationTable("sigmoid", precision.activation);
  const tanh = activationTable("tanh", precision.activation);
  const U = (g: "z" | "r" | "n", state: SharedNode) =>
    p.linear(`${name}.U${g}`, state, batch, shiftedOperand(state, precision).shift);

  const z = p.activation(sigmoid, p.within(p.add(x.z, U("z", h)), bounds.z));
  const r = p.activation(sigmoid, p.within(p.add(x.r, U("r", h)), bounds.r));
  let c: SharedNode;
  if (gru.resetAfter) {
    const full = p.within(p.add(U("n", h), p.parameter(`${name}.bv`, batch)), bounds.v);
    const v = p.truncate(full, precision.operand);
    c = p.add(x.n, p.multiply(r, v, precision.operand));
  } else {
    const g = p.multiply(r, h, precision.operand);
    c = p.add(x.n, p.within(U("n", g), bounds.v));
  }
  const n = p.activation(tanh, within(p, c, bounds.n, precision));
  return p.interpolate(p.truncate(p.finish(z), precision.gate), h, n);
}

/** The bound of tanh's input is kept at scale weight + operand; c may have a finer scale. */
function within(p: Builder, c: SharedNode, bound: number, precision: Precision): SharedNode {
  return p.within(c, bound * 2 ** (c.scale - precision.weight - precision.operand));
}
