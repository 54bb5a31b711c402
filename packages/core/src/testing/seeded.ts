/** Seeded randomness for tests, so that any run can be replayed. Not for anything else. */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import type { RandomBytes } from "../random/system.js";

/** Random bytes that depend on the seed alone. */
export function seededBytes(seed: string | number): RandomBytes {
  const uniform = seededUniform(seed);
  return (length) => Uint8Array.from({ length }, () => Math.floor(uniform() * 256));
}

/** Uniform numbers in [0, 1). */
export function seededUniform(seed: string | number): () => number {
  const [a = 1, b = 2, c = 3, d = 4] = new Uint32Array(sha256(utf8ToBytes(String(seed))).buffer);
  let state = [a, b, c, d];
  // xoshiro128++ (Blackman and Vigna)
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  return () => {
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = state;
    const result = (rotate((s0 + s3) | 0, 7) + s0) | 0;
    const [t2, t3] = [s2 ^ s0, s3 ^ s1];
    state = [s0 ^ t3, s1 ^ t2, t2 ^ (s1 << 9), rotate(t3, 11)];
    return (result >>> 0) / 2 ** 32;
  };
}
