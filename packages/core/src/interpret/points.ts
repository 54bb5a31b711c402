/**
 * Shares of point vectors: zero everywhere but at one secret place, where a few secret words are. Two short keys expand to
 * them (assembly/point.ts). What corrects a key's tree and leaves goes to both servers alike; each has its root from its
 * seed. docs/protocol.md, "Look-up in one round".
 */
import type { Draw } from "../ops/operation.js";
import type { Source } from "../random/stream.js";
import type { Unpacker } from "../ring/packed.js";
import type { Ring, Vector } from "../ring/ring.js";

/** n vectors of 2^levels places, each of which holds `words` words. */
export interface PointShape {
  n: number;
  levels: number;
  words: number;
}

/** The kernels take elements by fours. */
const GROUP = 4;
/** 128 bits. */
const ROOT_WORDS = 2;
/** What a node takes while a tree of four elements is expanded. */
const NODE_BYTES = 80;

/** Elements, those counted that fill up the last group. */
export function padded(n: number): number {
  return Math.ceil(n / GROUP) * GROUP;
}

/** Words of seeds that a server draws. */
export function rootWords({ n }: PointShape): number {
  return padded(n) * ROOT_WORDS;
}

function treeWords({ n, levels }: PointShape): number {
  return (padded(n) / GROUP) * (8 * levels + 2);
}

/** Words of shares after expansion. */
export function expandedWords({ n, levels, words }: PointShape): number {
  return padded(n) * 2 ** levels * words;
}

/** What both servers are sent. @param bits of each word of a leaf; none where its words mean nothing. */
export function pointDraws(shape: PointShape, bits: readonly number[]): Draw[] {
  const n = padded(shape.n);
  return [{ n: treeWords(shape), bits: 64 }, ...bits.map((b) => ({ n, bits: b }))];
}

/** A server's shares from its seeds and the corrections: groups of four elements, places, words, elements. */
export function expandPoints(
  ring: Ring,
  index: 0 | 1,
  roots: Vector,
  corrections: Unpacker,
  shape: PointShape,
  bits: readonly number[],
): Vector {
  const { levels, words } = shape;
  const n = padded(shape.n);
  const tree = ring.alloc(treeWords(shape));
  corrections.into(tree, 64);
  const leaf = ring.zeros(n * words);
  bits.forEach((b, w) => {
    if (b > 0) corrections.into(leaf, b, w * n, n);
  });
  const E = ring.alloc(expandedWords(shape));
  const nodes = ring.alloc((NODE_BYTES / 8) * 2 ** levels);
  ring.kernels.expandPoints(E.ptr, nodes.ptr, roots.ptr, tree.ptr, leaf.ptr, n, levels, words, index);
  ring.wipe(nodes, 0, nodes.length);
  for (const v of [nodes, tree, leaf]) v.free();
  return E;
}

/**
 * The dealer's part: both servers' corrections.
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
  const { levels, words } = shape;
  const n = padded(shape.n);
  const [a, b] = [roots[0].words(rootWords(shape)), roots[1].words(rootWords(shape))];
  const tree = ring.alloc(treeWords(shape));
  const leaf = ring.alloc(n * words);
  const m = widened(ring, mask, 1, shape.n, n);
  const P = widened(ring, payload, words, shape.n, n);
  ring.kernels.dealPoints(tree.ptr, leaf.ptr, a.ptr, b.ptr, m.ptr, s, P.ptr, n, levels, words);
  for (const v of [a, b, m, P]) v.free();
  return { tree, leaf };
}

/** Planes of n words as planes of `wide` words, the rest zero. */
function widened(ring: Ring, v: Vector, planes: number, n: number, wide: number): Vector {
  const out = ring.zeros(planes * wide);
  for (let k = 0; k < planes; k++) ring.copy(out, k * wide, v, k * n, n);
  return out;
}
