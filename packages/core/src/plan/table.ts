/**
 * Tables of local quadratics for activations. docs/protocol.md, "Activation".
 *
 * Near node i, at t_i = i 2^stepBits input units, f(t_i + d) ~ c0 + c1 d + c2 d^2 for |d| < 2^stepBits,
 * all integers: d at the input scale p, c_k at output scale S - k p. Outside the window of nodes the
 * function is constant. Every node's quadratic was evaluated over its whole interval when the table was
 * made, and moved where needed, so that no output leaves lo..hi.
 */
import { SottoError } from "../errors.js";
import { activationFunction, type FunctionSpec, shapeOfFunction } from "./activation.js";

/** Node numbers are indices of e; one whole word of bits is the least that the kernel reads. */
const MIN_NODE_BITS = 6;
/** N / 8 bytes of correction an element: 8 KiB at most, for inputs that nobody normalised. */
const MAX_NODE_BITS = 16;
/** Nodes with a quadratic, at most: selecting one of them takes time in proportion. */
const MAX_WINDOW = 2 ** 11;
/** Nodes, of which a kink alone is the reason for their distance, at most: 1 KiB of correction an element. */
const KINKED_NODES = 2 ** 13;
/** log2 of the integers that a node's interval holds, at most: deltas are squared. */
const MAX_STEP_BITS = 12;
/** c_0 and c_1 have 30 bits and a sign, c_2 has 15 (table-layout.ts). */
const COEFFICIENT = [2 ** 30, 2 ** 30, 2 ** 15] as const;

export interface ActivationTable {
  spec: FunctionSpec;
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
  /** The output below and above the window; nothing where the window holds every input. */
  below: number;
  above: number;
  /** The output's exact range. */
  lo: number;
  hi: number;
}

const cache = new Map<string, ActivationTable>();
/** Tables of one model's layers differ by their bounds; more than so many at a time are not in use. */
const KEPT = 256;

/**
 * The table of a function. Deterministic: all parties compute the same one.
 *
 * The window of a function that is constant beyond some |x| ends there; it is wide enough that a saturated gate is
 * as saturated as the model's: a gate that is 1 where the model has 1 - 4e-4 (the sigmoid at 7.8) would keep a state that
 * the model lets fade, step after step. Any other function has nodes for every input, further apart the wider these range.
 * @param bound |x| <= bound, in real units. @param outputScale bits of fraction of the output; fewer where it is large.
 * @param finer how much closer the nodes are than one look-up needs, where many errors would add up; a power of two.
 */
export function activationTable(
  spec: FunctionSpec,
  bound: number,
  outputScale: number,
  finer = 1,
): ActivationTable {
  const shape = shapeOfFunction(spec);
  const f = limited(spec);
  // a node beyond the saturation, where both neighbours are constant; beyond the bound two: the one above the largest
  // input, and the input's truncation
  const reach = (d: number) => Math.min(shape.saturation + d, bound + 2 * d);
  const ends = shape.range ?? [f(-reach(1)), f(0), f(reach(1))];
  const scale = finestScale(Math.max(...ends.map(Math.abs)), outputScale);
  const steep = Math.max(-1, Math.ceil(Math.log2(Math.max(shape.slope, 2 ** -8))));
  const wanted = (shape.range ? 11 : 12) + steep;
  // c_2 is rounded, and multiplied by the square of 2^s: that stays below 2^-13
  const most = shape.curved ? Math.floor((scale - 12) / 2) : MAX_STEP_BITS;
  let d = Math.min(shape.spacing / finer, 2 ** (most - wanted));
  while (2 * reach(d) > MAX_WINDOW * d) d *= 2;
  while (2 * (bound + 2 * d) > KINKED_NODES * d && d < shape.smooth) d *= 2;
  let window = 2 ** MIN_NODE_BITS;
  while (window * d < 2 * reach(d)) window *= 2;
  const step = Math.log2(d);
  // around a kink c_2 is about 2^(S - 2p - 2) / d: it keeps some bits
  const kinked = Math.floor((scale - 5 - step) / 2);
  const inputScale = Math.max(0, -step, Math.min(wanted, most - step, shape.curved ? wanted : kinked));
  const key = JSON.stringify([spec, d, window, inputScale, outputScale]);
  let table = cache.get(key);
  if (!table) {
    table = makeTable(spec, shape.range, inputScale, inputScale + step, window, outputScale);
    cache.set(key, table);
    if (cache.size > KEPT) cache.delete(cache.keys().next().value!);
  }
  return table;
}

function makeTable(
  spec: FunctionSpec,
  bounded: readonly [number, number] | undefined,
  inputScale: number,
  stepBits: number,
  window: number,
  finest: number,
): ActivationTable {
  const step = 2 ** stepBits;
  const f = limited(spec);
  const end = ((window / 2) * step) / 2 ** inputScale;
  const nodes = Array.from({ length: window + 1 }, (_, k) => f((k / window - 0.5) * 2 * end));
  const range = bounded ?? [nodes.reduce((a, v) => Math.min(a, v)), nodes.reduce((a, v) => Math.max(a, v))];
  const most = Math.max(-range[0], range[1]);
  let outputScale = finestScale(most, finest);
  for (; outputScale >= 0; outputScale--) {
    const one = 2 ** outputScale;
    // one unit short of the limits, so that a truncated gate lies in [0, 1] and |n| <= 1 (docs/protocol.md, "Bounds");
    // where there are none, a quadratic may reach beyond the function, as it must around a kink
    const margin = bounded ? -1 : Math.ceil(one * Math.max(2 ** -10, step / 2 ** inputScale / 8));
    const hi = Math.max(0, Math.ceil(range[1] * one) + margin);
    const lo = Math.min(0, Math.floor(range[0] * one) - margin);
    const c = quadratics(f, one, inputScale, step, window, lo, hi);
    if (!c) continue;
    const tail = (x: number) => Math.min(hi, Math.max(lo, Math.round(f(x) * one)));
    const far = 2 ** 30;
    const saturated = bounded !== undefined && spec.name !== "softsign";
    const [below, above] = saturated ? [tail(-far), tail(far)] : [tail(-end), tail(end)];
    return { spec, inputScale, stepBits, outputScale, window, c, below, above, lo, hi };
  }
  throw new SottoError(
    "does-not-fit",
    `activation ${spec.name} with values up to ${most.toPrecision(3)}: a table holds values up to 2^29`,
  );
}

/** The coefficients of all nodes; undefined if one has too many bits, so that the output needs a coarser scale. */
function quadratics(
  f: (x: number) => number,
  one: number,
  inputScale: number,
  step: number,
  window: number,
  lo: number,
  hi: number,
): ActivationTable["c"] | undefined {
  const c: [Float64Array, Float64Array, Float64Array] = [
    new Float64Array(window),
    new Float64Array(window),
    new Float64Array(window),
  ];
  for (let k = 0; k < window; k++) {
    const t = (k - window / 2) * step;
    const target = (d: number) => f((t + d) / 2 ** inputScale) * one;
    const { c1, c2, rest } = fitted(target, step, window, 2 ** -13 * one);
    // c0 in the middle of what the rounded c1 and c2 leave: that halves the worst error
    const c0 = Math.round((rest.most + rest.least) / 2);
    const values = extremes(step, c0, c1, c2);
    if (values.most - values.least > hi - lo) {
      // as steep as the whole range: constant, in its middle
      [c[0][k], c[1][k], c[2][k]] = [Math.min(hi, Math.max(lo, Math.round(target(0)))), 0, 0];
    } else {
      c[0][k] = c0 + Math.min(0, hi - values.most) + Math.max(0, lo - values.least);
      [c[1][k], c[2][k]] = [c1, c2];
    }
    if (c.some((plane, i) => Math.abs(plane[k]!) >= COEFFICIENT[i]!)) return undefined;
  }
  return c;
}

function limited(spec: FunctionSpec): (x: number) => number {
  const f = activationFunction(spec);
  const { limit } = spec;
  return limit === undefined ? f : (x) => Math.min(Math.max(f(x), -limit), limit);
}

/** Bits of fraction with which values of |y| <= most have coefficients of 30 bits. */
function finestScale(most: number, finest: number): number {
  return Math.min(finest, 29 - Math.ceil(Math.log2(Math.max(most, 2 ** -finest))));
}

/** Rounded slope and curvature, and what they leave of f. Around a kink less curvature leaves less. */
function fitted(f: (d: number) => number, step: number, window: number, tolerance: number) {
  const [slope, curvature] = quadratic(f, step);
  const fit = (factor: number) => {
    const [c1, c2] = [Math.round(slope), Math.round(factor * curvature)];
    const rest = sampled(step, window, (d) => f(d) - c1 * d - c2 * d * d);
    return { c1, c2, rest, off: rest.most - rest.least };
  };
  const first = fit(1);
  if (first.off < tolerance) return first;
  const second = fit(Math.cos(Math.PI / 6));
  return second.off < first.off ? second : first;
}

/** Slope and curvature of the quadratic through f at the three Chebyshev points of [-r, r]: close to the minimax one. */
function quadratic(f: (d: number) => number, r: number): [number, number] {
  const d = r * Math.cos(Math.PI / 6);
  const [below, at, above] = [f(-d), f(0), f(d)];
  return [(above - below) / (2 * d), (above + below - 2 * at) / (2 * d * d)];
}

/** About the extremes of g over the integers |d| < step: each of them in a small table, 64 in a large one. */
function sampled(step: number, window: number, g: (d: number) => number): { least: number; most: number } {
  let [least, most] = [Infinity, -Infinity];
  const stride = Math.max(1, step / (window > 256 ? 32 : 256));
  for (let d = 1 - step; d < step; d += stride) {
    const y = g(d);
    least = Math.min(least, y);
    most = Math.max(most, y);
  }
  return { least, most };
}

/** The exact extremes of a quadratic over the integers |d| < step: at the ends, or beside its vertex. */
function extremes(step: number, c0: number, c1: number, c2: number): { least: number; most: number } {
  const vertex = c2 === 0 ? 0 : Math.floor(-c1 / (2 * c2));
  const inside = [vertex, vertex + 1].filter((d) => Math.abs(d) < step);
  const values = [1 - step, step - 1, ...inside].map((d) => c0 + c1 * d + c2 * d * d);
  return { least: Math.min(...values), most: Math.max(...values) };
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
      `layer ${label}: the input of ${table.spec.name} can reach ${(bound / 2 ** table.inputScale).toPrecision(4)}, ` +
        `and this version holds ${most}; declare a smaller input range (--input-range) or scale the inputs down`,
    );
  }
  return bits;
}

/** Nodes of the window that exist among N = 2^nodeBits: all of them, unless the table is smaller than the window. */
export function windowOf(table: ActivationTable, nodeBits: number): number {
  return Math.min(table.window, 2 ** nodeBits);
}

/** The table's value at an integer input, by the nearest node: what the exact interpretation computes. */
export function tableValue(table: ActivationTable, x: number): number {
  const step = 2 ** table.stepBits;
  return nodeValue(table, Math.round(x / step), x);
}

/** The value of one node's quadratic at x. */
export function nodeValue(table: ActivationTable, node: number, x: number): number {
  const half = table.window / 2;
  if (node < -half) return table.below;
  if (node >= half) return table.above;
  const d = x - node * 2 ** table.stepBits;
  const k = node + half;
  return table.c[0][k]! + table.c[1][k]! * d + table.c[2][k]! * d * d;
}
