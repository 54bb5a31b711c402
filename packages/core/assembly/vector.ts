// Elementwise arithmetic on vectors of words. dst may be one of the operands.

export function add(dst: usize, a: usize, b: usize, n: i32): void {
  let i = 0;
  for (; i + 2 <= n; i += 2) {
    const o = <usize>i << 3;
    v128.store(dst + o, i64x2.add(v128.load(a + o), v128.load(b + o)));
  }
  if (i < n) {
    const o = <usize>i << 3;
    store<u64>(dst + o, load<u64>(a + o) + load<u64>(b + o));
  }
}

export function sub(dst: usize, a: usize, b: usize, n: i32): void {
  let i = 0;
  for (; i + 2 <= n; i += 2) {
    const o = <usize>i << 3;
    v128.store(dst + o, i64x2.sub(v128.load(a + o), v128.load(b + o)));
  }
  if (i < n) {
    const o = <usize>i << 3;
    store<u64>(dst + o, load<u64>(a + o) - load<u64>(b + o));
  }
}

export function mul(dst: usize, a: usize, b: usize, n: i32): void {
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<u64>(dst + o, load<u64>(a + o) * load<u64>(b + o));
  }
}

/** dst = a + c for a public integer c, |c| <= 2^53. */
export function addConstant(dst: usize, a: usize, constant: f64, n: i32): void {
  const c = <u64><i64>constant;
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<u64>(dst + o, load<u64>(a + o) + c);
  }
}

/** dst = a * c for a public integer c, |c| <= 2^53. */
export function mulConstant(dst: usize, a: usize, constant: f64, n: i32): void {
  const c = <u64><i64>constant;
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<u64>(dst + o, load<u64>(a + o) * c);
  }
}

/** dst[r, j] = a[r, j] + row[j]. */
export function addRow(dst: usize, a: usize, row: usize, rows: i32, n: i32): void {
  const bytes = <usize>n << 3;
  for (let r = 0; r < rows; r++) add(dst + <usize>r * bytes, a + <usize>r * bytes, row, n);
}

/** dst[r, j] = a[r, j] * row[j]. */
export function mulRow(dst: usize, a: usize, row: usize, rows: i32, n: i32): void {
  const bytes = <usize>n << 3;
  for (let r = 0; r < rows; r++) mul(dst + <usize>r * bytes, a + <usize>r * bytes, row, n);
}

/** dst = a mod 2^bits, 1 <= bits <= 64. */
export function reduce(dst: usize, a: usize, bits: i32, n: i32): void {
  const mask = lowMask(bits);
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<u64>(dst + o, load<u64>(a + o) & mask);
  }
}

/** dst = a * 2^bits. */
export function shiftLeft(dst: usize, a: usize, bits: i32, n: i32): void {
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<u64>(dst + o, load<u64>(a + o) << bits);
  }
}

/** dst = floor((a mod 2^modulus) / 2^shift) + increment: a server's part of truncate-reduce. */
export function shiftRight(dst: usize, a: usize, modulus: i32, shift: i32, increment: i32, n: i32): void {
  const mask = lowMask(modulus);
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<u64>(dst + o, ((load<u64>(a + o) & mask) >> shift) + <u64>increment);
  }
}

/** dst[i] = a[index[i]] for a public index of 32-bit integers. */
export function gather(dst: usize, a: usize, index: usize, n: i32): void {
  for (let i = 0; i < n; i++) {
    store<u64>(dst + (<usize>i << 3), load<u64>(a + (<usize>load<u32>(index + (<usize>i << 2)) << 3)));
  }
}

/** dst = round(a * factor) as two's complement words; a holds doubles with |a * factor| < 2^63. */
export function encode(dst: usize, a: usize, factor: f64, n: i32): void {
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<i64>(dst + o, <i64>nearest(load<f64>(a + o) * factor));
  }
}

/** dst = the signed value of (a mod 2^modulus), times factor, as doubles. */
export function decode(dst: usize, a: usize, modulus: i32, factor: f64, n: i32): void {
  const up = 64 - modulus;
  for (let i = 0; i < n; i++) {
    const o = <usize>i << 3;
    store<f64>(dst + o, <f64>((load<i64>(a + o) << up) >> up) * factor);
  }
}

// @ts-expect-error: decorator
@inline
export function lowMask(bits: i32): u64 {
  return bits >= 64 ? ~(<u64>0) : ((<u64>1) << bits) - 1;
}
