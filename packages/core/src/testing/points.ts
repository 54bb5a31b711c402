/** Point vectors in the clear, for tests: in the layout of their shares (assembly/point.ts, expandPoints). */
import { expandedWords, type PointShape } from "../interpret/points.js";

/** Adds vectors to `out`. @param m masks; vector i has its words at place (m_i >> s) mod 2^levels. @param payload planes. */
export function addPoints(
  out: BigUint64Array,
  { n, levels, bits }: PointShape,
  m: BigUint64Array,
  s: number,
  payload: BigUint64Array,
): void {
  const words = bits.length;
  for (let i = 0; i < n; i++) {
    const place = Number(BigInt.asUintN(levels, m[i]! >> BigInt(s)));
    for (let w = 0; w < words; w++) {
      out[(((i >> 2) * 2 ** levels + place) * words + w) * 4 + (i & 3)]! += payload[w * n + i]!;
    }
  }
}

export function pointVectors(
  shape: PointShape,
  m: BigUint64Array,
  s: number,
  payload: BigUint64Array,
): BigUint64Array {
  const out = new BigUint64Array(expandedWords(shape));
  addPoints(out, shape, m, s, payload);
  return out;
}
