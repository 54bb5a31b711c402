// Distributed point functions (docs/protocol.md, "Look-up in one round"): shares of a vector of 2^levels places that is
// zero but at a secret place alpha, where it holds `words` words. Boyle, Gilboa, Ishai: Function Secret Sharing:
// Improvements and Extensions, ePrint 2018/707, Fig. 1 (Gen is dealPoints, full-domain evaluation expandPoints), with words
// mod powers of two at the leaves, and early termination.
//
// Four elements at a time: lane l of every vector belongs to element 4 g + l of group g. A tree's node is five vectors:
// a seed of 128 bits, and a control bit as a mask, all ones or all zeros. The child of node p on level d that bit b leads to is node
// p + b 2^d of the next level, so that leaf j is reached by the bits of j from the lowest on.
import { blocks } from "./chacha";

const NODE: usize = 80;
const state = memory.data(256, 16);
// four blocks, and what is read beyond the last word
const made = memory.data(1056, 16);
const more = memory.data(1056, 16);
const pair = memory.data(160, 16);

/** A state with the seed at `seed` as its key, which is one of 128 bits ("expand 16-byte k"). */
// @ts-expect-error: decorator
@inline
function expand(out: usize, seed: usize, counter: i32): void {
  for (let i: usize = 0; i < 64; i += 16) {
    const word = v128.load(seed + i);
    v128.store(state + i, word, 64);
    v128.store(state + i, word, 128);
  }
  v128.store(state, i32x4.splat(counter), 192);
  blocks(out, state);
}

/** The nonce: 64 bits of public salt, and the element's number. No two trees have the same. */
function begin(salt: usize): void {
  v128.store(state, i32x4.splat(0x61707865));
  v128.store(state, i32x4.splat(0x3120646e), 16);
  v128.store(state, i32x4.splat(0x79622d36), 32);
  v128.store(state, i32x4.splat(0x6b206574), 48);
  v128.store(state, v128.load32_splat(salt), 208);
  v128.store(state, v128.load32_splat(salt, 4), 224);
}

// @ts-expect-error: decorator
@inline
function setGroup(g: usize): void {
  v128.store(state, i32x4.add(i32x4.splat(<i32>g << 2), i32x4(0, 1, 2, 3)), 240);
}

function end(): void {
  memory.fill(state, 0, 256);
  memory.fill(made, 0, 1056);
  memory.fill(more, 0, 1056);
  memory.fill(pair, 0, 160);
}

/** All ones where the lowest bit is set. */
// @ts-expect-error: decorator
@inline
function ones(x: v128): v128 {
  return i32x4.neg(v128.and(x, i32x4.splat(1)));
}

/** 64 bits of an expanded leaf from bit `from` on, for elements 0 and 1, or 2 and 3 (high). */
// @ts-expect-error: decorator
@inline
function leafBits(leaf: usize, from: i32, high: bool): v128 {
  const at = leaf + ((<usize>from >> 5) << 4);
  const skip = from & 31;
  const middle = v128.load(at, 16);
  const lower = v128.or(i32x4.shr_u(v128.load(at), skip), i32x4.shl(i32x4.shl(middle, 1), 31 - skip));
  const upper = v128.or(i32x4.shr_u(middle, skip), i32x4.shl(i32x4.shl(v128.load(at, 32), 1), 31 - skip));
  return high ? v128.shuffle<u32>(lower, upper, 2, 6, 3, 7) : v128.shuffle<u32>(lower, upper, 0, 4, 1, 5);
}

/** A mask of 32 bits a lane as one of 64 bits a lane, for elements 0 and 1, or 2 and 3 (high). */
// @ts-expect-error: decorator
@inline
function widen(t: v128, high: bool): v128 {
  return high ? v128.shuffle<u32>(t, t, 2, 2, 3, 3) : v128.shuffle<u32>(t, t, 0, 0, 1, 1);
}

// @ts-expect-error: decorator
@inline
function expandLeaf(out: usize, seed: usize, blocksEach: i32): void {
  for (let i = 0; i < blocksEach; i++) expand(out + (<usize>i << 8), seed, 1 + i);
}

/**
 * One server's shares of point vectors: of groups first .. last - 1 of n / 4, n a multiple of 4.
 *
 * A leaf holds the words of 2^inside places, leaf + 2^levels k for k = 0, 1, ...: bits without gaps, word w of each place
 * having widths[w] of them; above those a share's bits mean nothing. The tree has `levels` levels, and there are
 * 2^(levels + inside) places.
 *
 * E: these groups, of each all places, of each `words` words of four elements. salt: 64 bits, public. nodes: room for 80 2^levels bytes.
 * roots: for each group four vectors, the seeds. tree: for each group and level four vectors, what both children are
 * corrected by, and behind all levels one vector: bits 2 d and 2 d + 1 correct the masks of level d's children.
 * leaf: planes of n words, for each k and w. blocksEach: of key stream, for a leaf; 4 at most.
 * index: the server, which begins with mask 0 or 1 and negates its words if it is server 1.
 */
export function expandPoints(
  E: usize,
  nodes: usize,
  roots: usize,
  tree: usize,
  leaf: usize,
  n: i32,
  levels: i32,
  inside: i32,
  widths: usize,
  words: i32,
  blocksEach: i32,
  index: i32,
  salt: usize,
  first: i32,
  last: i32,
): void {
  begin(salt);
  const leaves: usize = (<usize>1) << levels;
  const groupBytes = (<usize>levels << 6) + 16;
  const plane = <usize>n << 3;
  const sign = i64x2.splat(index ? -1 : 0);
  const placeBytes = <usize>words << 5;
  for (let g: usize = first; g < <usize>last; g++) {
    setGroup(g);
    const out = E + ((g - first) << (levels + inside)) * placeBytes;
    for (let i: usize = 0; i < 64; i += 16) v128.store(nodes + i, v128.load(roots + (g << 6) + i));
    v128.store(nodes, i32x4.splat(index ? -1 : 0), 64);
    const correction = tree + g * groupBytes;
    const bits = v128.load(correction + (<usize>levels << 6));
    for (let d = 0; d < levels; d++) {
      const width: usize = (<usize>1) << d;
      const sum = correction + (<usize>d << 6);
      const left = ones(i32x4.shr_u(bits, 2 * d));
      const right = ones(i32x4.shr_u(bits, 2 * d + 1));
      for (let p: usize = 0; p < width; p++) {
        const a = nodes + p * NODE;
        const b = a + width * NODE;
        const t = v128.load(a, 64);
        expand(made, a, 0);
        for (let i: usize = 0; i < 64; i += 16) {
          const c = v128.and(t, v128.load(sum + i));
          v128.store(a + i, v128.xor(v128.load(made + i), c));
          v128.store(b + i, v128.xor(v128.load(made + i, 64), c));
        }
        v128.store(a, v128.xor(ones(v128.load(made, 128)), v128.and(t, left)), 64);
        v128.store(b, v128.xor(ones(v128.load(made, 144)), v128.and(t, right)), 64);
      }
    }
    for (let p: usize = 0; p < leaves; p++) {
      const node = nodes + p * NODE;
      const t = v128.load(node, 64);
      const t0 = widen(t, false);
      const t1 = widen(t, true);
      expandLeaf(made, node, blocksEach);
      let from = 0;
      let c = leaf + (g << 5);
      for (let k: usize = 0; k < (<usize>1) << inside; k++) {
        let to = out + (p + (k << levels)) * placeBytes;
        for (let w: usize = 0; w < <usize>words; w++) {
          const x = i64x2.add(leafBits(made, from, false), v128.and(t0, v128.load(c)));
          const y = i64x2.add(leafBits(made, from, true), v128.and(t1, v128.load(c, 16)));
          v128.store(to, i64x2.sub(v128.xor(x, sign), sign));
          v128.store(to, i64x2.sub(v128.xor(y, sign), sign), 16);
          to += 32;
          c += plane;
          from += load<i32>(widths + (w << 2));
        }
      }
    }
  }
  end();
}

/**
 * The dealer's part: what corrects both servers' trees so that they differ at place alpha = (m >> s) mod 2^(levels + inside)
 * alone, and there by the payload. roots0, roots1: both servers' seeds; m: n masks; payload: `words` planes of n words;
 * tree and leaf are written, in the layout that expandPoints takes. Every element is treated alike, whatever alpha is.
 */
export function dealPoints(
  tree: usize,
  leaf: usize,
  roots0: usize,
  roots1: usize,
  m: usize,
  s: i32,
  payload: usize,
  n: i32,
  levels: i32,
  inside: i32,
  widths: usize,
  words: i32,
  blocksEach: i32,
  salt: usize,
): void {
  begin(salt);
  const groupBytes = (<usize>levels << 6) + 16;
  const plane = <usize>n << 3;
  const first = pair;
  const second = pair + NODE;
  for (let g: usize = 0; g < <usize>(n >> 2); g++) {
    setGroup(g);
    const masks = m + (g << 5);
    const low = i64x2.shr_u(v128.load(masks), s);
    const high = i64x2.shr_u(v128.load(masks, 16), s);
    const alpha = v128.shuffle<u32>(low, high, 0, 2, 4, 6);
    for (let i: usize = 0; i < 64; i += 16) {
      v128.store(first + i, v128.load(roots0 + (g << 6) + i));
      v128.store(second + i, v128.load(roots1 + (g << 6) + i));
    }
    v128.store(first, i32x4.splat(0), 64);
    v128.store(second, i32x4.splat(-1), 64);
    const correction = tree + g * groupBytes;
    let bits = i32x4.splat(0);
    for (let d = 0; d < levels; d++) {
      const right = ones(i32x4.shr_u(alpha, d));
      const sum = correction + (<usize>d << 6);
      expand(made, first, 0);
      expand(more, second, 0);
      const t0 = v128.load(first, 64);
      const t1 = v128.load(second, 64);
      for (let i: usize = 0; i < 64; i += 16) {
        const l0 = v128.load(made + i);
        const r0 = v128.load(made + i, 64);
        const l1 = v128.load(more + i);
        const r1 = v128.load(more + i, 64);
        // the child that alpha does not lead to becomes the same with both
        const c = v128.bitselect(v128.xor(l0, l1), v128.xor(r0, r1), right);
        v128.store(sum + i, c);
        v128.store(first + i, v128.xor(v128.bitselect(r0, l0, right), v128.and(t0, c)));
        v128.store(second + i, v128.xor(v128.bitselect(r1, l1, right), v128.and(t1, c)));
      }
      const a0 = ones(v128.load(made, 128));
      const b0 = ones(v128.load(made, 144));
      const a1 = ones(v128.load(more, 128));
      const b1 = ones(v128.load(more, 144));
      const ca = v128.not(v128.xor(v128.xor(a0, a1), right));
      const cb = v128.xor(v128.xor(b0, b1), right);
      bits = v128.or(bits, i32x4.shl(v128.and(ca, i32x4.splat(1)), 2 * d));
      bits = v128.or(bits, i32x4.shl(v128.and(cb, i32x4.splat(1)), 2 * d + 1));
      const kept = v128.bitselect(cb, ca, right);
      v128.store(first, v128.xor(v128.bitselect(b0, a0, right), v128.and(t0, kept)), 64);
      v128.store(second, v128.xor(v128.bitselect(b1, a1, right), v128.and(t1, kept)), 64);
    }
    v128.store(correction + (<usize>levels << 6), bits);
    const t = v128.load(second, 64);
    expandLeaf(made, first, blocksEach);
    expandLeaf(more, second, blocksEach);
    const place = v128.and(i32x4.shr_u(alpha, levels), i32x4.splat((1 << inside) - 1));
    let from = 0;
    let c = leaf + (g << 5);
    for (let k = 0; k < 1 << inside; k++) {
      const here = i32x4.eq(place, i32x4.splat(k));
      for (let w: usize = 0; w < <usize>words; w++) {
        for (let h: usize = 0; h < 2; h++) {
          const at = w * plane + (g << 5) + (h << 4);
          const value = v128.and(v128.load(payload + at), widen(here, h == 1));
          const x = i64x2.sub(leafBits(more, from, h == 1), leafBits(made, from, h == 1));
          const sign = widen(t, h == 1);
          v128.store(c + (h << 4), i64x2.sub(v128.xor(i64x2.add(value, x), sign), sign));
        }
        c += plane;
        from += load<i32>(widths + (w << 2));
      }
    }
  }
  end();
}

/**
 * Shares of selected values from shares E of point vectors (expandPoints; words in planes of three: l^0, l^1, l^2 times
 * a factor): out[f, i] = sum_j c0' E_i[j, 3 f] - c1' E_i[j, 3 f + 1] + c2' E_i[j, 3 f + 2], where for the node
 * (top_i - j) mod N and L the low s bits of xhat: c0' = c0 + c1 L + c2 L^2, c1' = c1 + 2 c2 L, c2' = c2.
 * xhat: n words, public. table: N = 2^nodeBits nodes of three words. factors: 1 or 3. Of elements first .. last - 1; E begins
 * with the first one's group.
 */
export function lookup(
  out: usize,
  xhat: usize,
  E: usize,
  n: i32,
  nodeBits: i32,
  s: i32,
  table: usize,
  factors: i32,
  first: i32,
  last: i32,
): void {
  const nodes: usize = (<usize>1) << nodeBits;
  const plane = <usize>n << 3;
  const step = <usize>factors * 96;
  for (let i: usize = first; i < <usize>last; i++) {
    const x = load<u64>(xhat + (i << 3));
    const top = <usize>(x >> s);
    const L = x & (((<u64>1) << s) - 1);
    let e = E + ((i - first) >> 2) * nodes * step + ((i & 3) << 3);
    let y0: u64 = 0;
    let y1: u64 = 0;
    let y2: u64 = 0;
    for (let j: usize = 0; j < nodes; j++) {
      const c = table + ((top - j) & (nodes - 1)) * 24;
      const c2 = load<u64>(c, 16);
      const c1 = load<u64>(c, 8);
      const p0 = load<u64>(c) + (c1 + c2 * L) * L;
      const p1 = c1 + 2 * c2 * L;
      y0 += p0 * load<u64>(e) - p1 * load<u64>(e, 32) + c2 * load<u64>(e, 64);
      if (factors == 3) {
        y1 += p0 * load<u64>(e, 96) - p1 * load<u64>(e, 128) + c2 * load<u64>(e, 160);
        y2 += p0 * load<u64>(e, 192) - p1 * load<u64>(e, 224) + c2 * load<u64>(e, 256);
      }
      e += step;
    }
    const to = out + (i << 3);
    store<u64>(to, y0);
    if (factors == 3) {
      store<u64>(to + plane, y1);
      store<u64>(to + 2 * plane, y2);
    }
  }
}

/** out = y (a - m + wrap b) from shares of y, y m and y b; or y (a + m - wrap b) when negative. */
export function scale(out: usize, n: i32, planes: usize, a: usize, wrap: usize, negative: i32): void {
  const plane = <usize>n << 3;
  const sign: u64 = negative ? ~(<u64>0) : 1;
  for (let i: usize = 0; i < <usize>n; i++) {
    const o = i << 3;
    const p = planes + o;
    const y = load<u64>(a + o) * load<u64>(p);
    const rest = load<u64>(wrap + o) * load<u64>(p + 2 * plane) - load<u64>(p + plane);
    store<u64>(out + o, y + sign * rest);
  }
}
