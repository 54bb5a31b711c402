/**
 * Shares of point vectors: zero everywhere but at one secret place, where a few secret words are. Two short keys expand to
 * them (assembly/point.ts). What corrects a key's tree and leaves goes to both servers alike; each has its root from its
 * seed. docs/protocol.md, "Look-up in one round".
 */
import { SottoError } from "../errors.js";
import type { Draw } from "../ops/operation.js";
import type { Source } from "../random/stream.js";
import type { Unpacker } from "../ring/packed.js";
import type { Ring, Vector } from "../ring/ring.js";

/** n vectors of 2^levels places, each of which holds words mod 2^bits[0], 2^bits[1], ... */
export interface PointShape {
  n: number;
  levels: number;
  bits: readonly number[];
}

/** The kernels take elements by fours. */
const GROUP = 4;
/** 128 bits. */
const ROOT_WORDS = 2;
/** What a node takes while a tree of four elements is expanded. */
const NODE_BYTES = 80;
const BLOCK_BITS = 512;
const MAX_BLOCKS = 4;

/** Elements, those counted that fill up the last group. */
function padded({ n }: PointShape): number {
  return Math.ceil(n / GROUP) * GROUP;
}

/** Words of seeds that a server draws. */
export function rootWords(shape: PointShape): number {
  return padded(shape) * ROOT_WORDS;
}

/** Words of shares after expansion. */
export function expandedWords(shape: PointShape): number {
  return padded(shape) * 2 ** shape.levels * shape.bits.length;
}

/** A leaf holds the words of as many places as fit a block of key stream, a power of two; or of one, in several blocks. */
function layout({ levels, bits }: PointShape): { tree: number; inside: number; blocks: number } {
  const place = bits.reduce((sum, b) => sum + b, 0);
  const blocks = Math.max(1, Math.ceil(place / BLOCK_BITS));
  if (blocks > MAX_BLOCKS) throw new SottoError("internal", `a leaf of ${place} bits`);
  let inside = 0;
  while (inside < levels && place * 2 ** (inside + 1) <= BLOCK_BITS) inside++;
  return { tree: levels - inside, inside, blocks };
}

function treeWords(shape: PointShape): number {
  return (padded(shape) / GROUP) * (8 * layout(shape).tree + 2);
}

/** What both servers are sent. */
export function pointDraws(shape: PointShape): Draw[] {
  const n = padded(shape);
  const place = shape.bits.map((bits) => ({ n, bits }));
  const leaf = Array.from({ length: 2 ** layout(shape).inside }, () => place).flat();
  return [{ n: treeWords(shape), bits: 64 }, ...leaf];
}

/** A server's shares from its seeds and the corrections: groups of four elements, places, words, elements. */
export function expandPoints(
  ring: Ring,
  index: 0 | 1,
  roots: Vector,
  corrections: Unpacker,
  shape: PointShape,
): Vector {
  const { tree: levels, inside, blocks } = layout(shape);
  const n = padded(shape);
  const [treeDraw, ...leaves] = pointDraws(shape);
  const tree = ring.alloc(treeDraw!.n);
  corrections.into(tree, treeDraw!.bits);
  const leaf = ring.zeros(n * leaves.length);
  leaves.forEach(({ bits }, k) => {
    if (bits > 0) corrections.into(leaf, bits, k * n, n);
  });
  const E = ring.alloc(expandedWords(shape));
  const nodes = ring.alloc((NODE_BYTES / 8) * 2 ** levels);
  const widths = widthsOf(ring, shape);
  ring.kernels.expandPoints(
    E.ptr,
    nodes.ptr,
    roots.ptr,
    tree.ptr,
    leaf.ptr,
    n,
    levels,
    inside,
    widths.ptr,
    shape.bits.length,
    blocks,
    index,
  );
  ring.wipe(nodes, 0, nodes.length);
  for (const v of [nodes, tree, leaf, widths]) v.free();
  return E;
}

/**
 * The dealer's part: both servers' corrections, in the order of pointDraws.
 * @param mask m; the place is (m >> s) mod 2^levels. @param payload the words there: planes of n words.
 */
export function dealPoints(
  ring: Ring,
  roots: readonly [Source, Source],
  shape: PointShape,
  mask: Vector,
  s: number,
  payload: Vector,
): { tree: Vector; leaf: Vector } {
  const { tree: levels, inside, blocks } = layout(shape);
  const words = shape.bits.length;
  const n = padded(shape);
  const [a, b] = [roots[0].words(rootWords(shape)), roots[1].words(rootWords(shape))];
  const tree = ring.alloc(treeWords(shape));
  const leaf = ring.alloc(n * words * 2 ** inside);
  const m = widened(ring, mask, 1, shape.n, n);
  const P = widened(ring, payload, words, shape.n, n);
  const widths = widthsOf(ring, shape);
  ring.kernels.dealPoints(
    tree.ptr,
    leaf.ptr,
    a.ptr,
    b.ptr,
    m.ptr,
    s,
    P.ptr,
    n,
    levels,
    inside,
    widths.ptr,
    words,
    blocks,
  );
  for (const v of [a, b, m, P, widths]) v.free();
  return { tree, leaf };
}

function widthsOf(ring: Ring, { bits }: PointShape): Vector {
  const widths = ring.alloc(Math.ceil(bits.length / 2));
  ring.bytes(widths, bits.length * 4).set(new Uint8Array(Int32Array.from(bits).buffer));
  return widths;
}

/** Planes of n words as planes of `wide` words, the rest zero. */
function widened(ring: Ring, v: Vector, planes: number, n: number, wide: number): Vector {
  const out = ring.zeros(planes * wide);
  for (let k = 0; k < planes; k++) ring.copy(out, k * wide, v, k * n, n);
  return out;
}
