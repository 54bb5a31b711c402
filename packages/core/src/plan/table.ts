/**
 * Tables of local quadratics for activations. docs/protocol.md, "Activation".
 *
 * Near node i, at t_i = i 2^stepBits input units, f(t_i + d) ~ c0 + c1 d + c2 d^2 for |d| < 2^stepBits,
 * all integers: d at the input scale p, c_k at output scale S - k p. Outside the window of nodes the
 * function is constant. Every node's quadratic was evaluated over its whole interval when the table was
 * made, and moved where needed, so that no output leaves lo..hi.
 */
import { SottoError } from "../errors.js";

/** Node numbers are indices of e; one whole word of bits is the least that the kernel reads. */
const MIN_NODE_BITS = 6;
/** N / 8 bytes of correction an element: 2 KiB at most. */
const MAX_NODE_BITS = 14;

export interface ActivationTable {
  name: "sigmoid" | "tanh";
  /** p: bits of fraction of the input. */
  inputScale: number;
  /** s: a node every 2^s input units; nodes lie 2^(s-p) apart. */
  stepBits: number;
  /** S: bits of fraction of the output. */
  outputScale: number;
  /** Nodes with a quadratic: -window/2 .. window/2 - 1. */
  window: number;
  /** Integer coefficients c_k[node + window/2]. */
  c: readonly [Float64Array, Float64Array, Float64Array];
  /** The output below and above the window, and the output's exact range. */
  lo: number;
  hi: number;
}

const WINDOW = 64;
const STEP_BITS = 8;

/** Node distance: sigmoid 1/4 (window |x| < 8), tanh 1/8 (|x| < 4). */
const INPUT_SCALE = { sigmoid: 10, tanh: 11 };

const cache = new Map<string, ActivationTable>();

/** The table of a function at an output scale. Deterministic: all parties compute the same one. */
export function activationTable(name: "sigmoid" | "tanh", outputScale: number): ActivationTable {
  const key = `${name}/${outputScale}`;
  let table = cache.get(key);
  if (!table) {
    table = makeTable(name, outputScale);
    cache.set(key, table);
  }
  return table;
}

/** The function itself, in doubles. */
export function activationFunction(name: "sigmoid" | "tanh"): (x: number) => number {
  return name === "tanh" ? Math.tanh : (x) => 1 / (1 + Math.exp(-x));
}

function makeTable(name: "sigmoid" | "tanh", outputScale: number): ActivationTable {
  const f = activationFunction(name);
  const p = INPUT_SCALE[name];
  const step = 2 ** STEP_BITS;
  const one = 2 ** outputScale;
  // one unit short of the limits, so that a truncated gate lies in [0, 1] and |n| <= 1 (docs/protocol.md, "Bounds")
  const hi = one - 1;
  const lo = name === "tanh" ? -hi : 0;
  const c: [Float64Array, Float64Array, Float64Array] = [
    new Float64Array(WINDOW),
    new Float64Array(WINDOW),
    new Float64Array(WINDOW),
  ];
  for (let k = 0; k < WINDOW; k++) {
    const t = (k - WINDOW / 2) * step;
    const fit = quadratic((d) => f((t + d) / 2 ** p) * one, step);
    c[2][k] = Math.round(fit[2]);
    c[1][k] = Math.round(fit[1]);
    c[0][k] = Math.round(fit[0]);
    let most = -Infinity;
    let least = Infinity;
    for (let d = 1 - step; d < step; d++) {
      const y = c[0][k]! + c[1][k]! * d + c[2][k]! * d * d;
      most = Math.max(most, y);
      least = Math.min(least, y);
    }
    if (most - least > hi - lo) throw new SottoError("internal", `${name}: node ${k} spans more than its range`);
    c[0][k]! += Math.min(0, hi - most) + Math.max(0, lo - least);
  }
  return { name, inputScale: p, stepBits: STEP_BITS, outputScale, window: WINDOW, c, lo, hi };
}

/** The quadratic through f at the three Chebyshev points of [-r, r]: close to the minimax one. */
function quadratic(f: (d: number) => number, r: number): [number, number, number] {
  const d = r * Math.cos(Math.PI / 6);
  const [below, at, above] = [f(-d), f(0), f(d)];
  return [at, (above - below) / (2 * d), (above + below - 2 * at) / (2 * d * d)];
}

/**
 * log2 N for inputs of |integer| <= bound: the node below and the one above every input must have
 * numbers in -N/2 .. N/2 - 1. @throws SottoError does-not-fit when the table would be too large.
 */
export function nodeBitsFor(table: ActivationTable, bound: number, label: string): number {
  const step = 2 ** table.stepBits;
  let bits = MIN_NODE_BITS;
  while (bound + step > 2 ** (bits - 1) * step) bits++;
  if (bits > MAX_NODE_BITS) {
    const most = (2 ** (MAX_NODE_BITS - 1) - 1) * 2 ** (table.stepBits - table.inputScale);
    throw new SottoError(
      "does-not-fit",
      `layer ${label}: the input of ${table.name} can reach ${(bound / 2 ** table.inputScale).toPrecision(4)}, ` +
        `and this version holds ${most}; declare a smaller input range (--input-range) or scale the inputs down`,
    );
  }
  return bits;
}

/** The table's value at an integer input, by the nearest node: what the exact interpretation computes. */
export function tableValue(table: ActivationTable, x: number): number {
  const step = 2 ** table.stepBits;
  return nodeValue(table, Math.round(x / step), x);
}

/** The value of one node's quadratic at x. */
export function nodeValue(table: ActivationTable, node: number, x: number): number {
  const half = table.window / 2;
  if (node < -half) return table.lo;
  if (node >= half) return table.hi;
  const d = x - node * 2 ** table.stepBits;
  const k = node + half;
  return table.c[0][k]! + table.c[1][k]! * d + table.c[2][k]! * d * d;
}
