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
/** Two control bits a level in 32 bits. */
const MAX_TREE_LEVELS = 16;
/** Elements that are expanded at once where nothing was expanded ahead. */
const PART = 64;

/** Elements, those counted that fill up the last group. */
function padded({ n }: PointShape): number {
  return Math.ceil(n / GROUP) * GROUP;
}

/** Words of seeds that a server draws, and one of which server 0's is the salt. */
export function rootWords(shape: PointShape): number {
  return padded(shape) * ROOT_WORDS + 1;
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
  const tree = levels - inside;
  if (tree > MAX_TREE_LEVELS) throw new SottoError("internal", `a tree of ${tree} levels`);
  return { tree, inside, blocks };
}

function treeWords(shape: PointShape): number {
  return (padded(shape) / GROUP) * (8 * layout(shape).tree + 2);
}

/** What both servers are sent. */
export function pointDraws(shape: PointShape): Draw[] {
  const n = padded(shape);
  const place = shape.bits.map((bits) => ({ n, bits }));
  const leaf = Array.from({ length: 2 ** layout(shape).inside }, () => place).flat();
  return [{ n: treeWords(shape) + 1, bits: 64 }, ...leaf];
}

/** What a server expands to its shares: its seeds, and the corrections that both servers have. */
export class PointKeys {
  private readonly ring: Ring;
  private readonly index: 0 | 1;
  private readonly shape: PointShape;
  private readonly roots: Vector;
  /** The tree's corrections, and the salt. */
  private readonly tree: Vector;
  private readonly leaf: Vector;

  /** @param roots rootWords(shape) of them, of this server's stream. */
  constructor(ring: Ring, index: 0 | 1, roots: Vector, corrections: Unpacker, shape: PointShape) {
    this.ring = ring;
    this.index = index;
    this.shape = shape;
    this.roots = roots;
    const n = padded(shape);
    const [treeDraw, ...leaves] = pointDraws(shape);
    this.tree = ring.alloc(treeDraw!.n);
    corrections.into(this.tree, treeDraw!.bits);
    this.leaf = ring.zeros(n * leaves.length);
    leaves.forEach(({ bits }, k) => {
      if (bits > 0) corrections.into(this.leaf, bits, k * n, n);
    });
  }

  /** All shares: groups of four elements, places, words, elements. */
  expand(): Vector {
    const E = this.ring.alloc(expandedWords(this.shape));
    this.into(E, 0, padded(this.shape));
    return E;
  }

  /** The shares of some elements after the other, of which no more than these are in memory at a time. */
  inParts(take: (E: Vector, first: number, last: number) => void): void {
    const { n, levels, bits } = this.shape;
    const E = this.ring.alloc(Math.min(PART, padded(this.shape)) * 2 ** levels * bits.length);
    for (let first = 0; first < n; first += PART) {
      const last = Math.min(first + PART, n);
      this.into(E, first, last);
      take(E, first, last);
    }
    E.free();
  }

  free(): void {
    for (const v of [this.roots, this.tree, this.leaf]) v.free();
  }

  /** Elements first .. last - 1, and those that fill up the last one's group. */
  private into(E: Vector, first: number, last: number): void {
    const { ring, shape, roots, tree, leaf } = this;
    const { tree: levels, inside, blocks } = layout(shape);
    const nodes = ring.alloc((NODE_BYTES / 8) * 2 ** levels);
    const widths = widthsOf(ring, shape);
    ring.kernels.expandPoints(
      E.ptr,
      nodes.ptr,
      roots.ptr,
      tree.ptr,
      leaf.ptr,
      padded(shape),
      levels,
      inside,
      widths.ptr,
      shape.bits.length,
      blocks,
      this.index,
      tree.ptr + treeWords(shape) * 8,
      first / GROUP,
      Math.ceil(last / GROUP),
    );
    ring.wipe(nodes, 0, nodes.length);
    for (const v of [nodes, widths]) v.free();
  }
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
  const tree = ring.alloc(treeWords(shape) + 1);
  // server 0's last word, which it has no other use for
  ring.copy(tree, treeWords(shape), a, rootWords(shape) - 1, 1);
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
    tree.ptr + treeWords(shape) * 8,
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
