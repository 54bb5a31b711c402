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
