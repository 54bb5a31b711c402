// Words of a modulus 2^bits, packed without gaps, little end first; a vector starts on a byte.
import { lowMask } from "./vector";

/**
 * Packs n words (taken mod 2^bits) at dst, which must have 8 bytes to spare behind the packed ones.
 */
export function pack(dst: usize, src: usize, n: i32, bits: i32): void {
  if (bits == 64) {
    memory.copy(dst, src, <usize>n << 3);
    return;
  }
  const mask = lowMask(bits);
  let pending: u64 = 0;
  let fill = 0;
  for (let i = 0; i < n; i++) {
    const word = load<u64>(src + (<usize>i << 3)) & mask;
    pending |= word << fill;
    fill += bits;
    if (fill >= 64) {
      store<u64>(dst, pending);
      dst += 8;
      fill -= 64;
      // bits - fill of the word are written; a shift by 64 cannot occur since bits < 64
      pending = fill ? word >> (bits - fill) : 0;
    }
  }
  for (; fill > 0; fill -= 8) {
    store<u8>(dst++, <u8>pending);
    pending >>= 8;
  }
}

/** Unpacks n words mod 2^bits from src, which must be readable 9 bytes beyond the packed ones. */
export function unpack(dst: usize, src: usize, n: i32, bits: i32): void {
  if (bits == 64) {
    memory.copy(dst, src, <usize>n << 3);
    return;
  }
  const mask = lowMask(bits);
  let at: u64 = 0;
  for (let i = 0; i < n; i++) {
    const from = src + <usize>(at >> 3);
    const skip = at & 7;
    let word = load<u64>(from) >> skip;
    // a word of more than 57 bits may reach into a ninth byte; (x << 1) << (63 - skip) is a shift by 64 - skip
    word |= ((<u64>load<u8>(from + 8)) << 1) << (63 - skip);
    store<u64>(dst + (<usize>i << 3), word & mask);
    at += bits;
  }
}
