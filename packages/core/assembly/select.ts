// One-time selection (docs/protocol.md, "Activation"): a server's sum over the table's nodes.

/** 64 bits of a cyclic array of `words` 64-bit words (a power of two), from bit position `at` on. */
// @ts-expect-error: decorator
@inline
function bitsFrom(e: usize, words: i32, at: i32): u64 {
  const w = (at >> 6) & (words - 1);
  const skip = at & 63;
  const low = load<u64>(e + (<usize>w << 3)) >> skip;
  const high = load<u64>(e + (<usize>((w + 1) & (words - 1)) << 3));
  return low | ((high << 1) << (63 - skip));
}

/**
 * out[d, i] = sign * sum_j e_i[j] c_d[(top_i - j) mod N], d = 0, 1, 2; N = 2^nodeBits >= 64.
 *
 * xhat: n words mod 2^(nodeBits + s), public. e: n vectors of N bits, secret.
 * table: `window` nodes (a multiple of 64, at most N) from the highest to the lowest, c_0 of all,
 * then c_1, then c_2. Node numbers in the window are -window/2 .. window/2 - 1; below it the
 * function is the constant `low`, above it `high`, whose parts are population counts.
 */
export function select(
  out: usize,
  xhat: usize,
  e: usize,
  n: i32,
  nodeBits: i32,
  s: i32,
  table: usize,
  window: i32,
  low: u64,
  high: u64,
  negative: i32,
): void {
  const words = 1 << (nodeBits - 6);
  const nodes = 1 << nodeBits;
  const half = window >> 1;
  const sign: u64 = negative ? ~(<u64>0) : 0; // (v ^ sign) - sign negates for server 1
  const plane = <usize>n << 3;
  const column = <usize>window << 3;
  for (let i = 0; i < n; i++) {
    const bits = e + ((<usize>i * <usize>words) << 3);
    const top = <i32>(load<u64>(xhat + (<usize>i << 3)) >> s) & (nodes - 1);
    let a0 = i64x2.splat(0);
    let a1 = i64x2.splat(0);
    let a2 = i64x2.splat(0);
    let inside = 0;
    // bit t of the window's chunk belongs to j = top - half + 1 + t, that is, to node half - 1 - t
    for (let chunk = 0; chunk < window; chunk += 64) {
      const w = bitsFrom(bits, words, (top - half + 1 + chunk) & (nodes - 1));
      inside += <i32>popcnt(w);
      const all = i64x2.splat(w);
      let pair = i64x2(1, 2);
      let c = table + (<usize>chunk << 3);
      for (let t = 0; t < 64; t += 2) {
        const mask = i64x2.eq(v128.and(all, pair), pair);
        pair = i64x2.shl(pair, 2);
        a0 = i64x2.add(a0, v128.and(mask, v128.load(c)));
        a1 = i64x2.add(a1, v128.and(mask, v128.load(c + column)));
        a2 = i64x2.add(a2, v128.and(mask, v128.load(c + 2 * column)));
        c += 16;
      }
    }
    let total = 0;
    for (let w = 0; w < words; w++) total += <i32>popcnt(load<u64>(bits + (<usize>w << 3)));
    // nodes below the window: j = top + half + 1 .. top + N/2
    let below = 0;
    const reach = (nodes - window) >> 1;
    for (let k = 0; k < reach; k += 64) {
      let w = bitsFrom(bits, words, (top + half + 1 + k) & (nodes - 1));
      if (reach - k < 64) w &= ((<u64>1) << (reach - k)) - 1;
      below += <i32>popcnt(w);
    }
    const above = total - inside - below;
    const s0 =
      i64x2.extract_lane(a0, 0) + i64x2.extract_lane(a0, 1) + <u64>below * low + <u64>above * high;
    const s1 = i64x2.extract_lane(a1, 0) + i64x2.extract_lane(a1, 1);
    const s2 = i64x2.extract_lane(a2, 0) + i64x2.extract_lane(a2, 1);
    const to = out + (<usize>i << 3);
    store<u64>(to, (s0 ^ sign) - sign);
    store<u64>(to + plane, (s1 ^ sign) - sign);
    store<u64>(to + 2 * plane, (s2 ^ sign) - sign);
  }
}
