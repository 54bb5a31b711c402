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
/** N / 8 bytes of correction an element: 8 KiB at most, for inputs that nobody normalised. */
const MAX_NODE_BITS = 16;

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

/**
 * Wide enough that a saturated gate is as saturated as the model's: a gate that is 1 where the model has
 * 1 - 4e-4 (the sigmoid at 7.8) would keep a state that the model lets fade, step after step.
 */
const WINDOW = 128;
const STEP_BITS = 8;

/** Node distance: sigmoid 1/4 (window |x| < 16), tanh 1/8 (|x| < 8). */
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
    const target = (d: number) => f((t + d) / 2 ** p) * one;
    const [c1, c2] = quadratic(target, step).map(Math.round) as [number, number];
    // c0 in the middle of what the rounded c1 and c2 leave: that halves the worst error
    const rest = range(step, (d) => target(d) - c1 * d - c2 * d * d);
    const c0 = Math.round((rest.most + rest.least) / 2);
    const values = range(step, (d) => c0 + c1 * d + c2 * d * d);
    if (values.most - values.least > hi - lo)
      throw new SottoError("internal", `${name}: node ${k} exceeds its range`);
    c[0][k] = c0 + Math.min(0, hi - values.most) + Math.max(0, lo - values.least);
    c[1][k] = c1;
    c[2][k] = c2;
  }
  return { name, inputScale: p, stepBits: STEP_BITS, outputScale, window: WINDOW, c, lo, hi };
}

/** Slope and curvature of the quadratic through f at the three Chebyshev points of [-r, r]: close to the minimax one. */
function quadratic(f: (d: number) => number, r: number): [number, number] {
  const d = r * Math.cos(Math.PI / 6);
  const [below, at, above] = [f(-d), f(0), f(d)];
  return [(above - below) / (2 * d), (above + below - 2 * at) / (2 * d * d)];
}

/** The extremes of g over every integer |d| < step. */
function range(step: number, g: (d: number) => number): { least: number; most: number } {
  let [least, most] = [Infinity, -Infinity];
  for (let d = 1 - step; d < step; d++) {
    const y = g(d);
    least = Math.min(least, y);
    most = Math.max(most, y);
  }
  return { least, most };
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

/** Nodes of the window that exist among N = 2^nodeBits: all of them, unless the table is smaller than the window. */
export function windowOf(table: ActivationTable, nodeBits: number): number {
  return Math.min(table.window, 2 ** nodeBits);
}

const LIMB = 2 ** 15;
/** Limbs of 15 bits that c_0, c_1 and c_2 have. */
const LIMBS = [2, 2, 1] as const;
/** Nodes that the kernel takes at once. */
const GROUP = 8;

/**
 * The middle `window` nodes in the layout of the kernel `select` (assembly/select.ts): from the highest to the
 * lowest, eight at a time, and of each eight the low limbs of c_0, its high limbs, the same of c_1, and c_2.
 * c = low + 2^15 high, 0 <= low < 2^15.
 */
export function tableLimbs(table: ActivationTable, window: number): Int16Array {
  const first = (table.window - window) / 2;
  const limbs: number[] = [];
  for (let group = 0; group < window; group += GROUP) {
    table.c.forEach((plane, k) => {
      const values = Array.from({ length: GROUP }, (_, i) => plane[first + window - 1 - group - i]!);
      const low = LIMBS[k] === 2 ? values.map((c) => c - Math.floor(c / LIMB) * LIMB) : values;
      const high = values.map((c) => Math.floor(c / LIMB));
      for (const limb of LIMBS[k] === 2 ? [...low, ...high] : low) {
        if (limb < -LIMB || limb >= LIMB)
          throw new SottoError("internal", `${table.name}: ${limb} is no limb`);
        limbs.push(limb);
      }
    });
  }
  return Int16Array.from(limbs);
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
