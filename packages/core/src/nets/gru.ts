/**
 * The GRU step, both forms. docs/protocol.md, "GRU step".
 *
 * reset after:  n = g(W_n x + b_n + r * (U_n h + b_v)): five rounds
 *   1 open h; 2 open z's and r's inputs, v; 3 open their selections; 4 open n's input, z; 5 open n's selection
 * reset before: n = g(W_n x + b_n + U_n (r * h)): six rounds
 *   1 open h; 2 open z's and r's inputs; 3 open their selections; 4 open r * h, z; 5 open n's input; 6 its selection
 *
 * A gate that is not within [0, 1] keeps no bound on the state. Then h' = n + z (h - n) is clipped: three rounds more.
 */
import { type FunctionSpec, shapeOfFunction } from "../plan/activation.js";
import { shiftedOperand } from "../plan/operand.js";
import type { GruBounds, Precision } from "../plan/plan.js";
import { type ActivationTable, activationTable } from "../plan/table.js";
import type { Builder } from "../program/builder.js";
import type { SharedNode } from "../program/nodes.js";

/** What a step needs to know of its layer. Tensors' names are `${name}.Wz` and so on (plan/tensors.ts). */
export interface GruStep {
  name: string;
  resetAfter: boolean;
  bounds: GruBounds;
  precision: Precision;
  tables: GruTables;
}

export interface GruTables {
  z: ActivationTable;
  r: ActivationTable;
  n: ActivationTable;
  /** Clips the state, where interpolation does not keep its bound. */
  state?: ActivationTable;
}

/** The functions of a layer, and |h| <= state by them. */
export interface GruFunctions {
  gate: FunctionSpec;
  candidate: FunctionSpec;
  state: number;
  /** Whether the state has to be clipped after each step. */
  clipped: boolean;
}

/** W x + b of the three gates; for all steps at once where the input is there at once. */
export interface InputProducts {
  z: SharedNode;
  r: SharedNode;
  n: SharedNode;
}

export function gruTables(f: GruFunctions, bounds: GruBounds, precision: Precision): GruTables {
  const unit = 2 ** (precision.weight + precision.operand);
  const of = (spec: FunctionSpec, bound: number) => activationTable(spec, bound / unit, precision.activation);
  const tables: GruTables = {
    z: of(f.gate, bounds.z),
    r: of(f.gate, bounds.r),
    n: of(f.candidate, bounds.n),
  };
  if (!f.clipped) return tables;
  const most = (t: ActivationTable) => Math.max(-t.lo, t.hi) / 2 ** t.outputScale;
  const reach = most(tables.n) + most(tables.z) * (f.state + most(tables.n));
  tables.state = activationTable({ name: "affine", limit: f.state }, reach, precision.activation);
  return tables;
}

/** Bits of fraction of the state. */
export function stateScale({ n, state }: GruTables, precision: Precision): number {
  return state ? state.outputScale : precision.gate + n.outputScale;
}

/** Whether a gate is within [0, 1], so that the next state lies between the candidate and the last one. */
export function isUnit(gate: FunctionSpec): boolean {
  const { range } = shapeOfFunction(gate);
  return range !== undefined && range[0] >= 0 && range[1] <= 1;
}

/** W x + b for `rows` rows of input, shifted right when opened, at scale weight + operand. It depends on x alone. */
export function gruInput(
  p: Builder,
  gru: GruStep,
  x: SharedNode,
  rows: number,
  shift: number,
): InputProducts {
  const { name, precision } = gru;
  const gate = (g: "z" | "r" | "n") => {
    const product = p.linear(`${name}.W${g}`, x, rows, shift);
    return p.add(
      p.truncate(product, precision.weight + precision.operand),
      p.parameter(`${name}.b${g}`, rows),
    );
  };
  return { z: gate("z"), r: gate("r"), n: gate("n") };
}

/** One step: h [batch, H] and the input's part give the next h, within the layer's bound. */
export function gruStep(
  p: Builder,
  gru: GruStep,
  x: InputProducts,
  h: SharedNode,
  batch: number,
): SharedNode {
  const { name, bounds, precision, tables } = gru;
  const U = (g: "z" | "r" | "n", state: SharedNode) =>
    p.linear(`${name}.U${g}`, state, batch, shiftedOperand(state, precision).shift);
  const z = p.activation(tables.z, p.within(p.add(x.z, U("z", h)), bounds.z));
  const r = p.activation(tables.r, p.within(p.add(x.r, U("r", h)), bounds.r));
  let c: SharedNode;
  if (gru.resetAfter) {
    const full = p.within(p.add(U("n", h), p.parameter(`${name}.bv`, batch)), bounds.v);
    const v = p.truncate(full, precision.operand);
    c = p.add(x.n, p.multiply(r, v, precision.operand));
  } else {
    const g = p.multiply(r, h, precision.operand);
    c = p.add(x.n, p.within(U("n", g), bounds.v));
  }
  const n = p.activation(tables.n, within(p, c, bounds.n, precision));
  if (!tables.state) return p.interpolate(p.truncate(p.finish(z), precision.gate), h, n);
  const candidate = p.finish(n);
  const change = p.multiply(z, p.add(h, p.times(candidate, -1)), precision.operand);
  return p.finish(p.activation(tables.state, p.add(change, candidate)));
}

/** The bound of g's input is kept at scale weight + operand; c may have a finer scale. */
function within(p: Builder, c: SharedNode, bound: number, precision: Precision): SharedNode {
  return p.within(c, bound * 2 ** (c.scale - precision.weight - precision.operand));
}
