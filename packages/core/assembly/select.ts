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

/** The sum of four lanes. */
// @ts-ignore: decorator
@inline
function lanes(x: v128): i64 {
  return (
    <i64>i32x4.extract_lane(x, 0) +
    <i64>i32x4.extract_lane(x, 1) +
    <i64>i32x4.extract_lane(x, 2) +
    <i64>i32x4.extract_lane(x, 3)
  );
}

/**
 * out[d, i] = sign * sum_j e_i[j] c_d[(top_i - j) mod N], d = 0, 1, 2; N = 2^nodeBits >= 64.
 *
 * xhat: n words mod 2^(nodeBits + s), public. e: n vectors of N bits, secret.
 * table: `window` nodes (a multiple of 64, at most N) from the highest to the lowest, eight at a time; of each
 * eight the 16-bit limbs of c_0 (low, high), c_1 (low, high) and c_2, a limb holding 15 bits (ops/select.ts).
 * A bit of e becomes a mask of 16 bits, and the dot product of masks (-1 or 0) and limbs adds up pairs of nodes:
 * at most 512 limbs of 15 bits a lane (a window of 2048 nodes), which 32 bits hold.
 * Node numbers in the window are -window/2 .. window/2 - 1; below it the function is the constant `low`, above
 * it `high`, whose parts are population counts.
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
  lowest: f64,
  highest: f64,
  negative: i32,
): void {
  const low = <u64><i64>lowest;
  const high = <u64><i64>highest;
  const words = 1 << (nodeBits - 6);
  const nodes = 1 << nodeBits;
  const half = window >> 1;
  const sign: u64 = negative ? ~(<u64>0) : 0; // (v ^ sign) - sign negates for server 1
  const plane = <usize>n << 3;
  const bitOf = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  for (let i = 0; i < n; i++) {
    const bits = e + ((<usize>i * <usize>words) << 3);
    const top = <i32>(load<u64>(xhat + (<usize>i << 3)) >> s) & (nodes - 1);
    let l0 = i32x4.splat(0);
    let h0 = i32x4.splat(0);
    let l1 = i32x4.splat(0);
    let h1 = i32x4.splat(0);
    let l2 = i32x4.splat(0);
    let inside = 0;
    let c = table;
    // bit t of the window's chunk belongs to j = top - half + 1 + t, that is, to node half - 1 - t
    for (let chunk = 0; chunk < window; chunk += 64) {
      let w = bitsFrom(bits, words, (top - half + 1 + chunk) & (nodes - 1));
      inside += <i32>popcnt(w);
      for (let t = 0; t < 64; t += 8) {
        const mask = i16x8.eq(v128.and(i16x8.splat(<i16>(w & 255)), bitOf), bitOf);
        w >>= 8;
        l0 = i32x4.add(l0, i32x4.dot_i16x8_s(mask, v128.load(c)));
        h0 = i32x4.add(h0, i32x4.dot_i16x8_s(mask, v128.load(c, 16)));
        l1 = i32x4.add(l1, i32x4.dot_i16x8_s(mask, v128.load(c, 32)));
        h1 = i32x4.add(h1, i32x4.dot_i16x8_s(mask, v128.load(c, 48)));
        l2 = i32x4.add(l2, i32x4.dot_i16x8_s(mask, v128.load(c, 64)));
        c += 80;
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
    // masks are -1: the sums have the other sign
    const s0 = <u64>(-lanes(l0) - (lanes(h0) << 15)) + <u64>below * low + <u64>above * high;
    const s1 = <u64>(-lanes(l1) - (lanes(h1) << 15));
    const s2 = <u64>-lanes(l2);
    const to = out + (<usize>i << 3);
    store<u64>(to, (s0 ^ sign) - sign);
    store<u64>(to + plane, (s1 ^ sign) - sign);
    store<u64>(to + 2 * plane, (s2 ^ sign) - sign);
  }
}
