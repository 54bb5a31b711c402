/** Tables as the kernels take them. Every run needs them: they are made once for a table. */
import { SottoError } from "../errors.js";
import type { ActivationTable } from "./table.js";

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
export const tableLimbs = remembered(makeLimbs);

/** All N = 2^nodeBits nodes by their number mod N, c_0, c_1 and c_2 of each: the layout of the kernel `lookup`. */
export const tableNodes = remembered(makeNodes);

function makeLimbs(table: ActivationTable, window: number): Int16Array {
  const first = (table.window - window) / 2;
  const limbs: number[] = [];
  for (let group = 0; group < window; group += GROUP) {
    table.c.forEach((plane, k) => {
      const values = Array.from({ length: GROUP }, (_, i) => plane[first + window - 1 - group - i]!);
      const low = LIMBS[k] === 2 ? values.map((c) => c - Math.floor(c / LIMB) * LIMB) : values;
      const high = values.map((c) => Math.floor(c / LIMB));
      for (const limb of LIMBS[k] === 2 ? [...low, ...high] : low) {
        if (limb < -LIMB || limb >= LIMB)
          throw new SottoError("internal", `${table.spec.name}: ${limb} is no limb`);
        limbs.push(limb);
      }
    });
  }
  return Int16Array.from(limbs);
}

function makeNodes(table: ActivationTable, nodeBits: number): BigInt64Array {
  const nodes = 2 ** nodeBits;
  const half = table.window / 2;
  const out = new BigInt64Array(3 * nodes);
  for (let node = -nodes / 2; node < nodes / 2; node++) {
    const at = 3 * (node < 0 ? node + nodes : node);
    const inside = node >= -half && node < half;
    const outside = [node < 0 ? table.below : table.above, 0, 0];
    table.c.forEach((plane, k) => {
      out[at + k] = BigInt(inside ? plane[node + half]! : outside[k]!);
    });
  }
  return out;
}

/** @param make a layout of a table, of a size. */
function remembered<T>(make: (table: ActivationTable, size: number) => T) {
  const made = new WeakMap<ActivationTable, Map<number, T>>();
  return (table: ActivationTable, size: number): T => {
    const known = made.get(table) ?? new Map<number, T>();
    made.set(table, known);
    const layout = known.get(size) ?? make(table, size);
    known.set(size, layout);
    return layout;
  };
}
