// Words of a modulus 2^bits, packed without gaps, little end first; a vector starts on a byte.
// Eight words take `bits` bytes, so every eighth word begins at the same bit of a byte: its shifts are the same,
// and there is no branch in the loops over them.
import { add, lowMask } from "./vector";

/** Words whose places are gone through at a time, so that they stay in the cache; a multiple of eight. */
const BLOCK = 1024;

/** Packs n words (taken mod 2^bits) at dst, which must have 8 bytes to spare behind the packed ones. */
export function pack(dst: usize, src: usize, n: i32, bits: i32): void {
  if (bits == 64) {
    memory.copy(dst, src, <usize>n << 3);
    return;
  }
  const mask = lowMask(bits);
  memory.fill(dst, 0, (((<usize>n * bits) + 7) >> 3) + 8);
  for (let from = 0; from < n; from += BLOCK) {
    const end = src + (<usize>min(from + BLOCK, n) << 3);
    for (let j = 0; j < 8; j++) {
      const skip = <u64>((j * bits) & 7);
      let at = dst + <usize>((j * bits) >> 3);
      let p = src + ((<usize>from + j) << 3);
      if (<i32>skip + bits <= 64) {
        for (; p < end; p += 64, at += bits) store<u64>(at, load<u64>(at) | ((load<u64>(p) & mask) << skip));
      } else {
        // the word reaches into a ninth byte, where it is the first
        for (; p < end; p += 64, at += bits) {
          const word = load<u64>(p) & mask;
          store<u64>(at, load<u64>(at) | (word << skip));
          store<u8>(at, <u8>(word >> (64 - skip)), 8);
        }
      }
    }
    dst += <usize>((BLOCK >> 3) * bits);
  }
}

/** Unpacks n words mod 2^bits from src, which must be readable 9 bytes beyond the packed ones. */
export function unpack(dst: usize, src: usize, n: i32, bits: i32): void {
  if (bits == 64) memory.copy(dst, src, <usize>n << 3);
  else unpackWords(dst, src, n, bits, false);
}

/** dst = dst + the unpacked words, mod 2^bits. */
export function unpackAdd(dst: usize, src: usize, n: i32, bits: i32): void {
  if (bits == 64) add(dst, dst, src, n);
  else unpackWords(dst, src, n, bits, true);
}

// @ts-expect-error: decorator
@inline
function unpackWords(dst: usize, src: usize, n: i32, bits: i32, adding: bool): void {
  const mask = lowMask(bits);
  for (let from = 0; from < n; from += BLOCK) {
    const end = dst + (<usize>min(from + BLOCK, n) << 3);
    for (let j = 0; j < 8; j++) {
      const skip = <u64>((j * bits) & 7);
      let at = src + <usize>((j * bits) >> 3);
      let p = dst + ((<usize>from + j) << 3);
      if (<i32>skip + bits <= 64) {
        for (; p < end; p += 64, at += bits) {
          const word = load<u64>(at) >> skip;
          store<u64>(p, (adding ? load<u64>(p) + word : word) & mask);
        }
      } else {
        // the word reaches into a ninth byte
        for (; p < end; p += 64, at += bits) {
          const word = (load<u64>(at) >> skip) | (<u64>load<u8>(at, 8) << (64 - skip));
          store<u64>(p, (adding ? load<u64>(p) + word : word) & mask);
        }
      }
    }
    src += <usize>((BLOCK >> 3) * bits);
  }
}
