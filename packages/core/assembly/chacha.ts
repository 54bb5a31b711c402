// ChaCha20 (RFC 8439), four blocks at a time: lane l of every vector belongs to block counter + l.

// @ts-expect-error: decorator
@inline
function rotate(x: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(x, bits), i32x4.shr_u(x, 32 - bits));
}

// A swizzle with a constant that stays in a register is one instruction; a shuffle makes its constant anew each time.
// @ts-expect-error: decorator
@inline
function rotate16(x: v128): v128 {
  return v128.swizzle(x, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

// @ts-expect-error: decorator
@inline
function rotate8(x: v128): v128 {
  return v128.swizzle(x, i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
}

/** Words 4g..4g+3 of the four blocks: lane l goes to block l, 64 bytes apart. */
// @ts-expect-error: decorator
@inline
function storeTransposed(dst: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
  v128.store(dst, v128.shuffle<u64>(ab, cd, 0, 2));
  v128.store(dst, v128.shuffle<u64>(ab, cd, 1, 3), 64);
  const AB = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
  const CD = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  v128.store(dst, v128.shuffle<u64>(AB, CD, 0, 2), 128);
  v128.store(dst, v128.shuffle<u64>(AB, CD, 1, 3), 192);
}

/** Writes 256 bytes of key stream: blocks counter .. counter + 3. key: 32 bytes. */
function fourBlocks(dst: usize, key: usize, nonce0: i32, nonce1: i32, nonce2: i32, counter: i32): void {
  let x0 = i32x4.splat(0x61707865);
  let x1 = i32x4.splat(0x3320646e);
  let x2 = i32x4.splat(0x79622d32);
  let x3 = i32x4.splat(0x6b206574);
  let x4 = v128.load32_splat(key, 0);
  let x5 = v128.load32_splat(key, 4);
  let x6 = v128.load32_splat(key, 8);
  let x7 = v128.load32_splat(key, 12);
  let x8 = v128.load32_splat(key, 16);
  let x9 = v128.load32_splat(key, 20);
  let x10 = v128.load32_splat(key, 24);
  let x11 = v128.load32_splat(key, 28);
  let x12 = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  let x13 = i32x4.splat(nonce0);
  let x14 = i32x4.splat(nonce1);
  let x15 = i32x4.splat(nonce2);

  for (let round = 0; round < 20; round += 2) {
    // column 0
    x0 = i32x4.add(x0, x4);
    x12 = rotate16(v128.xor(x12, x0));
    x8 = i32x4.add(x8, x12);
    x4 = rotate(v128.xor(x4, x8), 12);
    x0 = i32x4.add(x0, x4);
    x12 = rotate8(v128.xor(x12, x0));
    x8 = i32x4.add(x8, x12);
    x4 = rotate(v128.xor(x4, x8), 7);
    // column 1
    x1 = i32x4.add(x1, x5);
    x13 = rotate16(v128.xor(x13, x1));
    x9 = i32x4.add(x9, x13);
    x5 = rotate(v128.xor(x5, x9), 12);
    x1 = i32x4.add(x1, x5);
    x13 = rotate8(v128.xor(x13, x1));
    x9 = i32x4.add(x9, x13);
    x5 = rotate(v128.xor(x5, x9), 7);
    // column 2
    x2 = i32x4.add(x2, x6);
    x14 = rotate16(v128.xor(x14, x2));
    x10 = i32x4.add(x10, x14);
    x6 = rotate(v128.xor(x6, x10), 12);
    x2 = i32x4.add(x2, x6);
    x14 = rotate8(v128.xor(x14, x2));
    x10 = i32x4.add(x10, x14);
    x6 = rotate(v128.xor(x6, x10), 7);
    // column 3
    x3 = i32x4.add(x3, x7);
    x15 = rotate16(v128.xor(x15, x3));
    x11 = i32x4.add(x11, x15);
    x7 = rotate(v128.xor(x7, x11), 12);
    x3 = i32x4.add(x3, x7);
    x15 = rotate8(v128.xor(x15, x3));
    x11 = i32x4.add(x11, x15);
    x7 = rotate(v128.xor(x7, x11), 7);
    // diagonal 0
    x0 = i32x4.add(x0, x5);
    x15 = rotate16(v128.xor(x15, x0));
    x10 = i32x4.add(x10, x15);
    x5 = rotate(v128.xor(x5, x10), 12);
    x0 = i32x4.add(x0, x5);
    x15 = rotate8(v128.xor(x15, x0));
    x10 = i32x4.add(x10, x15);
    x5 = rotate(v128.xor(x5, x10), 7);
    // diagonal 1
    x1 = i32x4.add(x1, x6);
    x12 = rotate16(v128.xor(x12, x1));
    x11 = i32x4.add(x11, x12);
    x6 = rotate(v128.xor(x6, x11), 12);
    x1 = i32x4.add(x1, x6);
    x12 = rotate8(v128.xor(x12, x1));
    x11 = i32x4.add(x11, x12);
    x6 = rotate(v128.xor(x6, x11), 7);
    // diagonal 2
    x2 = i32x4.add(x2, x7);
    x13 = rotate16(v128.xor(x13, x2));
    x8 = i32x4.add(x8, x13);
    x7 = rotate(v128.xor(x7, x8), 12);
    x2 = i32x4.add(x2, x7);
    x13 = rotate8(v128.xor(x13, x2));
    x8 = i32x4.add(x8, x13);
    x7 = rotate(v128.xor(x7, x8), 7);
    // diagonal 3
    x3 = i32x4.add(x3, x4);
    x14 = rotate16(v128.xor(x14, x3));
    x9 = i32x4.add(x9, x14);
    x4 = rotate(v128.xor(x4, x9), 12);
    x3 = i32x4.add(x3, x4);
    x14 = rotate8(v128.xor(x14, x3));
    x9 = i32x4.add(x9, x14);
    x4 = rotate(v128.xor(x4, x9), 7);
  }

  x0 = i32x4.add(x0, i32x4.splat(0x61707865));
  x1 = i32x4.add(x1, i32x4.splat(0x3320646e));
  x2 = i32x4.add(x2, i32x4.splat(0x79622d32));
  x3 = i32x4.add(x3, i32x4.splat(0x6b206574));
  x4 = i32x4.add(x4, v128.load32_splat(key, 0));
  x5 = i32x4.add(x5, v128.load32_splat(key, 4));
  x6 = i32x4.add(x6, v128.load32_splat(key, 8));
  x7 = i32x4.add(x7, v128.load32_splat(key, 12));
  x8 = i32x4.add(x8, v128.load32_splat(key, 16));
  x9 = i32x4.add(x9, v128.load32_splat(key, 20));
  x10 = i32x4.add(x10, v128.load32_splat(key, 24));
  x11 = i32x4.add(x11, v128.load32_splat(key, 28));
  x12 = i32x4.add(x12, i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3)));
  x13 = i32x4.add(x13, i32x4.splat(nonce0));
  x14 = i32x4.add(x14, i32x4.splat(nonce1));
  x15 = i32x4.add(x15, i32x4.splat(nonce2));

  storeTransposed(dst + 0, x0, x1, x2, x3);
  storeTransposed(dst + 16, x4, x5, x6, x7);
  storeTransposed(dst + 32, x8, x9, x10, x11);
  storeTransposed(dst + 48, x12, x13, x14, x15);
}

/** Writes the key stream of (key, nonce) from block 0 on, in whole groups of 256 bytes. */
export function chacha20(dst: usize, groups: i32, key: usize, nonce0: i32, nonce1: i32, nonce2: i32): void {
  for (let g = 0; g < groups; g++) fourBlocks(dst + (<usize>g << 8), key, nonce0, nonce1, nonce2, g << 2);
}
