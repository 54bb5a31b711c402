// What only the dealer computes.
import { lowMask } from "./vector";

/**
 * Turns server 0's selection bits e0 into server 1's, in place: e1 = e0 with bit alpha flipped,
 * and writes sigma = e0[alpha] - e1[alpha] = +1 or -1. e: n vectors of 2^nodeBits bits;
 * m: n masks, alpha = m >> s. Every word is touched alike, whatever alpha is.
 */
export function flipSelected(e: usize, sigma: usize, m: usize, n: i32, nodeBits: i32, s: i32): void {
  const words = 1 << (nodeBits - 6);
  const last = lowMask(nodeBits);
  for (let i = 0; i < n; i++) {
    const alpha = (load<u64>(m + ((<usize>i) << 3)) >> s) & last;
    const word = alpha >> 6;
    const bit = (<u64>1) << (alpha & 63);
    const row = e + ((<usize>i * <usize>words) << 3);
    let was: u64 = 0;
    for (let w = 0; w < words; w++) {
      const at = row + ((<usize>w) << 3);
      const x = <u64>w ^ word; // zero just at alpha's word
      const hit = bit & (((x | (0 - x)) >> 63) - 1);
      const old = load<u64>(at);
      was |= old & hit;
      store<u64>(at, old ^ hit);
    }
    const set = (was | (0 - was)) >> 63;
    store<u64>(sigma + ((<usize>i) << 3), 2 * set - 1);
  }
}

/**
 * The six dealer values of n selections (docs/protocol.md, "Activation"), six planes at D:
 * G_k = sigma l^k; A0 = sigma (u0 - u1 l + u2 l^2); A1 = sigma (u1 - 2 u2 l); A2 = sigma u2,
 * with l the low s bits of the mask m and u three planes of masks mu.
 */
export function selectedValues(D: usize, sigma: usize, m: usize, mu: usize, n: i32, s: i32): void {
  const plane = (<usize>n) << 3;
  const mask = lowMask(s);
  for (let i = 0; i < n; i++) {
    const o = (<usize>i) << 3;
    const g = load<u64>(sigma + o);
    const l = load<u64>(m + o) & mask;
    const u0 = load<u64>(mu + o);
    const u1 = load<u64>(mu + plane + o);
    const u2 = load<u64>(mu + 2 * plane + o);
    const d = D + o;
    store<u64>(d, g);
    store<u64>(d + plane, g * l);
    store<u64>(d + 2 * plane, g * l * l);
    store<u64>(d + 3 * plane, g * (u0 + (u2 * l - u1) * l));
    store<u64>(d + 4 * plane, g * (u1 - 2 * u2 * l));
    store<u64>(d + 5 * plane, g * u2);
  }
}
