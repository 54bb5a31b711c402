// Matrix products mod 2^64. Rows of the operand are a batch (or time steps).

/** out[r, i] += sum_j W[i, j] x[r, j], W [outer, inner], x [rows, inner], out [rows, outer]. */
export function multiplyAdd(out: usize, W: usize, x: usize, rows: i32, outer: i32, inner: i32): void {
  const stride = (<usize>inner) << 3;
  for (let r = 0; r < rows; r++) {
    const xr = x + <usize>r * stride;
    const or = out + ((<usize>r * <usize>outer) << 3);
    let i = 0;
    for (; i + 4 <= outer; i += 4) {
      const w = W + <usize>i * stride;
      let a: u64 = 0;
      let b: u64 = 0;
      let c: u64 = 0;
      let d: u64 = 0;
      for (let o: usize = 0; o < stride; o += 8) {
        const v = load<u64>(xr + o);
        const p = w + o;
        a += load<u64>(p) * v;
        b += load<u64>(p + stride) * v;
        c += load<u64>(p + 2 * stride) * v;
        d += load<u64>(p + 3 * stride) * v;
      }
      const to = or + ((<usize>i) << 3);
      store<u64>(to, load<u64>(to) + a);
      store<u64>(to, load<u64>(to, 8) + b, 8);
      store<u64>(to, load<u64>(to, 16) + c, 16);
      store<u64>(to, load<u64>(to, 24) + d, 24);
    }
    for (; i < outer; i++) {
      const w = W + <usize>i * stride;
      let a: u64 = 0;
      for (let o: usize = 0; o < stride; o += 8) a += load<u64>(w + o) * load<u64>(xr + o);
      const to = or + ((<usize>i) << 3);
      store<u64>(to, load<u64>(to) + a);
    }
  }
}

// Products mod 2^39 in limbs: w = w0 + 2^13 w1 + 2^26 w2 with signed limbs of 13 bits, so that
// w x = w0 x0 + 2^13 (w0 x1 + w1 x0) + 2^26 (w0 x2 + w1 x1 + w2 x0) mod 2^39, and one instruction multiplies eight
// pairs of limbs. Eight words become three vectors of 16-bit limbs, 48 bytes.
const LIMB = 13;
const GROUP = 48;
/** Groups whose w0 x0 are summed in 32 bits: each adds less than 2^25 in magnitude to a lane, or just that. */
const SUMMED = 32;

/** Limbs of rows of `inner` words (mod 2^39); each row is filled up with zeros to whole groups of eight. */
export function splitLimbs(dst: usize, src: usize, rows: i32, inner: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < inner; j++) {
      const x = load<i64>(src) as i64;
      src += 8;
      const a = (x << (64 - LIMB)) >> (64 - LIMB);
      const y = (x - a) >> LIMB;
      const b = (y << (64 - LIMB)) >> (64 - LIMB);
      const to = dst + (<usize>(j & 7) << 1);
      store<i16>(to, <i16>a);
      store<i16>(to, <i16>b, 16);
      const c = (y - b) >> LIMB;
      store<i16>(to, <i16>((c << (64 - LIMB)) >> (64 - LIMB)), 32);
      if ((j & 7) == 7) dst += GROUP;
    }
    const rest = inner & 7;
    if (rest == 0) continue;
    for (let j = rest; j < 8; j++) {
      const to = dst + (<usize>j << 1);
      store<i16>(to, 0);
      store<i16>(to, 0, 16);
      store<i16>(to, 0, 32);
    }
    dst += GROUP;
  }
}

/** The four lanes as two of 64 bits. */
// @ts-expect-error: decorator
@inline
function widened(x: v128): v128 {
  return i64x2.add(i64x2.extend_low_i32x4_s(x), i64x2.extend_high_i32x4_s(x));
}

// @ts-expect-error: decorator
@inline
function total(a: v128, b: v128, c: v128): v128 {
  return i64x2.add(
    widened(a),
    i64x2.add(i64x2.shl(widened(b), LIMB), i64x2.shl(widened(c), 2 * LIMB)),
  );
}

/** As multiplyAdd, mod 2^39, for W and x in limbs (splitLimbs). Two outputs at a time, W's rows stay in the cache. */
export function multiplyAddLimbs(out: usize, W: usize, x: usize, rows: i32, outer: i32, inner: i32): void {
  const groups = (inner + 7) >> 3;
  const stride = <usize>groups * GROUP;
  const block = <usize>SUMMED * GROUP;
  for (let i = 0; i < outer; i += 2) {
    const w = W + <usize>i * stride;
    // an odd last row is computed twice
    const next: usize = i + 1 < outer ? stride : 0;
    for (let r = 0; r < rows; r++) {
      const xr = x + <usize>r * stride;
      let sum = i64x2.splat(0);
      for (let from: usize = 0; from < stride; from += block) {
        const to = min(from + block, stride);
        let a = i32x4.splat(0);
        let b = i32x4.splat(0);
        let c = i32x4.splat(0);
        let d = i32x4.splat(0);
        let e = i32x4.splat(0);
        let f = i32x4.splat(0);
        for (let o = from; o < to; o += GROUP) {
          const p = xr + o;
          const x0 = v128.load(p);
          const x1 = v128.load(p, 16);
          const x2 = v128.load(p, 32);
          let q = w + o;
          let w0 = v128.load(q);
          let w1 = v128.load(q, 16);
          let w2 = v128.load(q, 32);
          a = i32x4.add(a, i32x4.dot_i16x8_s(w0, x0));
          b = i32x4.add(b, i32x4.add(i32x4.dot_i16x8_s(w0, x1), i32x4.dot_i16x8_s(w1, x0)));
          c = i32x4.add(
            c,
            i32x4.add(
              i32x4.dot_i16x8_s(w0, x2),
              i32x4.add(i32x4.dot_i16x8_s(w1, x1), i32x4.dot_i16x8_s(w2, x0)),
            ),
          );
          q += next;
          w0 = v128.load(q);
          w1 = v128.load(q, 16);
          w2 = v128.load(q, 32);
          d = i32x4.add(d, i32x4.dot_i16x8_s(w0, x0));
          e = i32x4.add(e, i32x4.add(i32x4.dot_i16x8_s(w0, x1), i32x4.dot_i16x8_s(w1, x0)));
          f = i32x4.add(
            f,
            i32x4.add(
              i32x4.dot_i16x8_s(w0, x2),
              i32x4.add(i32x4.dot_i16x8_s(w1, x1), i32x4.dot_i16x8_s(w2, x0)),
            ),
          );
        }
        const first = total(a, b, c);
        const second = total(d, e, f);
        sum = i64x2.add(
          sum,
          i64x2.add(v128.shuffle<u64>(first, second, 0, 2), v128.shuffle<u64>(first, second, 1, 3)),
        );
      }
      const to = out + ((<usize>r * <usize>outer + i) << 3);
      store<u64>(to, load<u64>(to) + <u64>i64x2.extract_lane(sum, 0));
      if (next) store<u64>(to, load<u64>(to, 8) + <u64>i64x2.extract_lane(sum, 1), 8);
    }
  }
}
