// What a server computes once values are opened: shares of selected values and of products.
// The six dealer values D of n selections are six planes of n words: G0, G1, G2, A0, A1, A2.
import { lowMask } from "./vector";

/**
 * The public part of a lifted value (docs/protocol.md, "Lift"): v = value - m + wrap * msb(m).
 * opened: n words mod 2^modulus; value = (opened >> shift) - offset, wrap = 2^(modulus - shift) where the
 * opened word's highest bit is 0, else 0.
 */
export function lift(
  value: usize,
  wrap: usize,
  opened: usize,
  n: i32,
  modulus: i32,
  shift: i32,
  publicOffset: f64,
): void {
  const offset = <u64>publicOffset;
  const top = modulus - shift;
  const unit: u64 = top >= 64 ? 0 : (<u64>1) << top;
  const mask = lowMask(modulus);
  for (let i = 0; i < n; i++) {
    const o = (<usize>i) << 3;
    const v = (load<u64>(opened + o) & mask) >> shift;
    store<u64>(value + o, v - offset);
    store<u64>(wrap + o, unit & (((v >> (top - 1)) & 1) - 1));
  }
}

/** out += sum_k p_k D_k: shares of the selected values y. u: three planes (opened selections). */
export function finish(out: usize, n: i32, u: usize, xhat: usize, s: i32, D: usize): void {
  const plane = (<usize>n) << 3;
  const mask = lowMask(s);
  for (let i = 0; i < n; i++) {
    const o = (<usize>i) << 3;
    const L = load<u64>(xhat + o) & mask;
    const u0 = load<u64>(u + o);
    const u1 = load<u64>(u + plane + o);
    const u2 = load<u64>(u + 2 * plane + o);
    const d = D + o;
    const y =
      (u0 + (u1 + u2 * L) * L) * load<u64>(d) -
      (u1 + 2 * u2 * L) * load<u64>(d + plane) +
      u2 * load<u64>(d + 2 * plane) -
      (load<u64>(d + 3 * plane) + (load<u64>(d + 4 * plane) + load<u64>(d + 5 * plane) * L) * L);
    store<u64>(out + o, load<u64>(out + o) + y);
  }
}

/**
 * out += y * (a + sign * (wrap * b - m)): a selected value times a lifted one, v = a - m + wrap b for sign 1,
 * or times a public constant less a lifted one for sign -1 (then a holds constant - value).
 * D, E, F: six planes each, shares of the dealer values times 1, m, b.
 */
export function finishProduct(
  out: usize,
  n: i32,
  u: usize,
  xhat: usize,
  s: i32,
  a: usize,
  wrap: usize,
  D: usize,
  E: usize,
  F: usize,
  negative: i32,
): void {
  const plane = (<usize>n) << 3;
  const mask = lowMask(s);
  const sign: u64 = negative ? ~(<u64>0) : 1;
  for (let i = 0; i < n; i++) {
    const o = (<usize>i) << 3;
    const L = load<u64>(xhat + o) & mask;
    const u0 = load<u64>(u + o);
    const u1 = load<u64>(u + plane + o);
    const u2 = load<u64>(u + 2 * plane + o);
    const v = load<u64>(a + o);
    const q = load<u64>(wrap + o) * sign;
    const d = D + o;
    const e = E + o;
    const f = F + o;
    const g0 = v * load<u64>(d) - sign * load<u64>(e) + q * load<u64>(f);
    const g1 = v * load<u64>(d + plane) - sign * load<u64>(e + plane) + q * load<u64>(f + plane);
    const g2 = v * load<u64>(d + 2 * plane) - sign * load<u64>(e + 2 * plane) + q * load<u64>(f + 2 * plane);
    const a0 = v * load<u64>(d + 3 * plane) - sign * load<u64>(e + 3 * plane) + q * load<u64>(f + 3 * plane);
    const a1 = v * load<u64>(d + 4 * plane) - sign * load<u64>(e + 4 * plane) + q * load<u64>(f + 4 * plane);
    const a2 = v * load<u64>(d + 5 * plane) - sign * load<u64>(e + 5 * plane) + q * load<u64>(f + 5 * plane);
    const y = (u0 + (u1 + u2 * L) * L) * g0 - (u1 + 2 * u2 * L) * g1 + u2 * g2 - (a0 + (a1 + a2 * L) * L);
    store<u64>(out + o, load<u64>(out + o) + y);
  }
}

/**
 * out += v w for two lifted values v = va - mv + vq bv, w = wa - mw + wq bw.
 * P: eight planes, shares of mv, bv, mw, bw, mv mw, mv bw, bv mw, bv bw. Server 0 adds
 * the public va wa.
 */
export function liftedProduct(
  out: usize,
  n: i32,
  va: usize,
  vq: usize,
  wa: usize,
  wq: usize,
  P: usize,
  index: i32,
): void {
  const first: u64 = index == 0 ? 1 : 0;
  const plane = (<usize>n) << 3;
  for (let i = 0; i < n; i++) {
    const o = (<usize>i) << 3;
    const a = load<u64>(va + o);
    const q = load<u64>(vq + o);
    const b = load<u64>(wa + o);
    const r = load<u64>(wq + o);
    const p = P + o;
    const y =
      first * a * b -
      b * load<u64>(p) +
      b * q * load<u64>(p + plane) -
      a * load<u64>(p + 2 * plane) +
      a * r * load<u64>(p + 3 * plane) +
      load<u64>(p + 4 * plane) -
      r * load<u64>(p + 5 * plane) -
      q * load<u64>(p + 6 * plane) +
      q * r * load<u64>(p + 7 * plane);
    store<u64>(out + o, load<u64>(out + o) + y);
  }
}
