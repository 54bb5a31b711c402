// ChaCha20 (RFC 8439), four blocks at a time. In a stream's, lane l of every vector belongs to block counter + l; in a
// tree's (point.ts), to element l.

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

/** The block function on four states at once: word i of the state of lane l is lane l of vector i. */
export function blocks(out: usize, input: usize): void {
  let x0 = v128.load(input, 0);
  let x1 = v128.load(input, 16);
  let x2 = v128.load(input, 32);
  let x3 = v128.load(input, 48);
  let x4 = v128.load(input, 64);
  let x5 = v128.load(input, 80);
  let x6 = v128.load(input, 96);
  let x7 = v128.load(input, 112);
  let x8 = v128.load(input, 128);
  let x9 = v128.load(input, 144);
  let x10 = v128.load(input, 160);
  let x11 = v128.load(input, 176);
  let x12 = v128.load(input, 192);
  let x13 = v128.load(input, 208);
  let x14 = v128.load(input, 224);
  let x15 = v128.load(input, 240);

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

  v128.store(out, i32x4.add(x0, v128.load(input, 0)), 0);
  v128.store(out, i32x4.add(x1, v128.load(input, 16)), 16);
  v128.store(out, i32x4.add(x2, v128.load(input, 32)), 32);
  v128.store(out, i32x4.add(x3, v128.load(input, 48)), 48);
  v128.store(out, i32x4.add(x4, v128.load(input, 64)), 64);
  v128.store(out, i32x4.add(x5, v128.load(input, 80)), 80);
  v128.store(out, i32x4.add(x6, v128.load(input, 96)), 96);
  v128.store(out, i32x4.add(x7, v128.load(input, 112)), 112);
  v128.store(out, i32x4.add(x8, v128.load(input, 128)), 128);
  v128.store(out, i32x4.add(x9, v128.load(input, 144)), 144);
  v128.store(out, i32x4.add(x10, v128.load(input, 160)), 160);
  v128.store(out, i32x4.add(x11, v128.load(input, 176)), 176);
  v128.store(out, i32x4.add(x12, v128.load(input, 192)), 192);
  v128.store(out, i32x4.add(x13, v128.load(input, 208)), 208);
  v128.store(out, i32x4.add(x14, v128.load(input, 224)), 224);
  v128.store(out, i32x4.add(x15, v128.load(input, 240)), 240);
}

/** The constant words of a state with a key of 256 bits: "expand 32-byte k". */
export function setConstants(state: usize): void {
  v128.store(state, i32x4.splat(0x61707865));
  v128.store(state, i32x4.splat(0x3320646e), 16);
  v128.store(state, i32x4.splat(0x79622d32), 32);
  v128.store(state, i32x4.splat(0x6b206574), 48);
}

const state = memory.data(256, 16);
const made = memory.data(256, 16);

/** Writes the key stream of (key, nonce) from block 0 on, in whole groups of 256 bytes. key: 32 bytes. */
export function chacha20(dst: usize, groups: i32, key: usize, nonce0: i32, nonce1: i32, nonce2: i32): void {
  setConstants(state);
  for (let i: usize = 0; i < 8; i++) v128.store(state + (i << 4), v128.load32_splat(key + (i << 2)), 64);
  v128.store(state, i32x4.splat(nonce0), 208);
  v128.store(state, i32x4.splat(nonce1), 224);
  v128.store(state, i32x4.splat(nonce2), 240);
  for (let g = 0; g < groups; g++) {
    v128.store(state, i32x4.add(i32x4.splat(g << 2), i32x4(0, 1, 2, 3)), 192);
    blocks(made, state);
    for (let i: usize = 0; i < 4; i++) {
      const from = made + (i << 6);
      const to = dst + (<usize>g << 8) + (i << 4);
      storeTransposed(to, v128.load(from), v128.load(from, 16), v128.load(from, 32), v128.load(from, 48));
    }
  }
  memory.fill(state, 0, 256);
  memory.fill(made, 0, 256);
}
