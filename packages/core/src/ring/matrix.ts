/** A matrix of words that serves many products. */
import type { Ring, Vector } from "./ring.js";

/** Products of smaller moduli go in limbs of 16 bits, several at a time (assembly/linear.ts). */
const LIMBS_MODULUS = 39;
/** Splitting the operand costs as much as a few rows. */
const LIMBS_ROWS = 4;

export class Matrix {
  /** Row by row. */
  readonly words: Vector;
  readonly outer: number;
  readonly inner: number;
  private readonly ring: Ring;
  private readonly limbs: Vector | undefined;

  /** @param words outer rows of inner words; they belong to the matrix from now on. */
  constructor(ring: Ring, words: Vector, outer: number, inner: number) {
    this.ring = ring;
    this.words = words;
    this.outer = outer;
    this.inner = inner;
    this.limbs = outer >= LIMBS_ROWS ? limbsOf(ring, words, outer, inner) : undefined;
  }

  /** out [rows, outer] += x W^T mod 2^modulus, x [rows, inner]. */
  multiplyAdd(out: Vector, x: Vector, rows: number, modulus: number): void {
    const { ring, outer, inner } = this;
    if (modulus > LIMBS_MODULUS || !this.limbs) {
      ring.kernels.multiplyAdd(out.ptr, this.words.ptr, x.ptr, rows, outer, inner);
      return;
    }
    const limbs = limbsOf(ring, x, rows, inner);
    ring.kernels.multiplyAddLimbs(out.ptr, this.limbs.ptr, limbs.ptr, rows, outer, inner);
    limbs.free();
  }

  free(): void {
    this.words.free();
    this.limbs?.free();
  }
}

/** Six bytes an element, rows filled up to eight elements. */
function limbsOf(ring: Ring, words: Vector, rows: number, inner: number): Vector {
  const limbs = ring.alloc(rows * Math.ceil(inner / 8) * 6);
  ring.kernels.splitLimbs(limbs.ptr, words.ptr, rows, inner);
  return limbs;
}
