/** Bits that hold lo..hi as two's complement. */
export function signedBits(lo: number, hi: number): number {
  let bits = 1;
  while (hi >= 2 ** (bits - 1) || lo < -(2 ** (bits - 1))) bits++;
  return bits;
}
