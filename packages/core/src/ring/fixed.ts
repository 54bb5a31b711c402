/** Between real numbers and fixed point: integer = round(real * 2^scale). docs/protocol.md, "Notation". */
import type { Ring, Vector } from "./ring.js";

/** @param values reals with |value| * 2^scale < 2^63. Returns words mod 2^64. */
export function encode(ring: Ring, values: ArrayLike<number>, scale: number): Vector {
  const v = ring.alloc(values.length);
  ring.doubles(v).set(values);
  ring.kernels.encode(v.ptr, v.ptr, 2 ** scale, values.length);
  return v;
}

/** The reals of words mod 2^modulus, as two's complement, at a scale. */
export function decode(ring: Ring, v: Vector, modulus: number, scale: number): Float64Array {
  const out = ring.alloc(v.length);
  ring.kernels.decode(out.ptr, v.ptr, modulus, 2 ** -scale, v.length);
  const values = ring.doubles(out).slice();
  out.free();
  return values;
}
