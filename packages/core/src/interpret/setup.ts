/**
 * Set-up, once per deployment: the servers open every weight matrix under a fixed mask, W^ = W + R, and keep
 * what the linear layer needs. docs/protocol.md, "Linear layer".
 */
import { SottoError } from "../errors.js";
import type { Plan, TensorPlan } from "../plan/plan.js";
import { type Source, Stream } from "../random/stream.js";
import { Matrix } from "../ring/matrix.js";
import type { Ring, Vector } from "../ring/ring.js";
import { STREAM } from "./material.js";

/** One server's shares of the model owner's tensors: words mod 2^64 by the plan's names. */
export type TensorShares = ReadonlyMap<string, Vector>;

/** The plan's matrices, in the order in which masks are drawn. */
export function matrices(plan: Plan): TensorPlan[] {
  return plan.tensors.filter((t) => t.kind === "matrix");
}

/** Bytes of a server's set-up message: W + R of every matrix, 64 bits a weight. */
export function setupBytes(plan: Plan): number {
  return matrices(plan).reduce((sum, t) => sum + t.rows * t.cols * 8, 0);
}

/** The dealer's side: the masks R themselves. */
export class DealerSetup {
  private readonly masks = new Map<string, Matrix>();

  constructor(ring: Ring, plan: Plan, sources: readonly [Source, Source]) {
    for (const t of matrices(plan)) {
      const n = t.rows * t.cols;
      const R = sources[0].words(n);
      const other = sources[1].words(n);
      ring.kernels.add(R.ptr, R.ptr, other.ptr, n);
      other.free();
      this.masks.set(t.name, new Matrix(ring, R, t.rows, t.cols));
    }
    for (const source of sources) source.close();
  }

  static fromSeeds(ring: Ring, plan: Plan, seeds: readonly [Uint8Array, Uint8Array]): DealerSetup {
    return new DealerSetup(ring, plan, [
      new Stream(ring, seeds[0], STREAM.weights),
      new Stream(ring, seeds[1], STREAM.weights),
    ]);
  }

  mask(tensor: string): Matrix {
    return known(this.masks, tensor);
  }

  free(): void {
    for (const v of this.masks.values()) v.free();
    this.masks.clear();
  }
}

/** What a server computes with: bias shares, and for each matrix the public W^ and its own W~. */
export class PartyModel {
  private readonly vectors = new Map<string, Vector>();
  private readonly maskedMatrices = new Map<string, Matrix>();
  private readonly ownMatrices = new Map<string, Matrix>();

  /** This server's share of a bias. */
  vector(tensor: string): Vector {
    return known(this.vectors, tensor);
  }

  /** W^ = W + R, known to both servers. */
  masked(tensor: string): Matrix {
    return known(this.maskedMatrices, tensor);
  }

  /** W~0 = W^ - R0 or W~1 = -R1. */
  matrix(tensor: string): Matrix {
    return known(this.ownMatrices, tensor);
  }

  free(): void {
    for (const map of [this.vectors, this.maskedMatrices, this.ownMatrices]) {
      for (const v of map.values()) v.free();
      map.clear();
    }
  }

  /** @internal Filled by PartySetup. */
  fillVector(tensor: string, v: Vector): void {
    this.vectors.set(tensor, v);
  }

  /** @internal Filled by PartySetup. */
  fillMatrix(tensor: string, masked: Matrix, own: Matrix): void {
    this.maskedMatrices.set(tensor, masked);
    this.ownMatrices.set(tensor, own);
  }
}

/** A server's side of set-up: message() to the other server, then finish() with the other's. Used once. */
export class PartySetup {
  private readonly ring: Ring;
  private readonly plan: Plan;
  private readonly index: 0 | 1;
  private readonly shares: TensorShares;
  private readonly masks = new Map<string, Vector>();
  private sent: Uint8Array | undefined;

  /** @param masks this server's stream of the weights' masks. */
  constructor(ring: Ring, plan: Plan, index: 0 | 1, shares: TensorShares, masks: Source) {
    this.ring = ring;
    this.plan = plan;
    this.index = index;
    this.shares = shares;
    for (const t of matrices(plan)) this.masks.set(t.name, masks.words(t.rows * t.cols));
    masks.close();
  }

  static fromSeed(ring: Ring, plan: Plan, index: 0 | 1, shares: TensorShares, seed: Uint8Array): PartySetup {
    return new PartySetup(ring, plan, index, shares, new Stream(ring, seed, STREAM.weights));
  }

  /** Frees the masks; for a set-up that is given up. */
  close(): void {
    for (const R of this.masks.values()) R.free();
    this.masks.clear();
  }

  /** This server's share of W + R, all matrices one after the other. */
  message(): Uint8Array {
    if (this.sent) return this.sent;
    const { ring } = this;
    const bytes = new Uint8Array(setupBytes(this.plan));
    let at = 0;
    for (const t of matrices(this.plan)) {
      const sum = ring.alloc(t.rows * t.cols);
      ring.kernels.add(sum.ptr, known(this.shares, t.name).ptr, known(this.masks, t.name).ptr, sum.length);
      bytes.set(ring.bytes(sum), at);
      at += sum.length * 8;
      sum.free();
    }
    this.sent = bytes;
    return bytes;
  }

  /** @throws SottoError protocol when the other's message has the wrong length. */
  finish(other: Uint8Array): PartyModel {
    const mine = this.message();
    if (other.length !== mine.length) {
      throw new SottoError(
        "protocol",
        `set-up message of ${mine.length} bytes expected, got ${other.length}`,
      );
    }
    const { ring } = this;
    const { kernels } = ring;
    const model = new PartyModel();
    let at = 0;
    for (const t of this.plan.tensors) {
      const n = t.rows * t.cols;
      if (t.kind === "vector") {
        const copy = ring.alloc(n);
        ring.copy(copy, 0, known(this.shares, t.name), 0, n);
        model.fillVector(t.name, copy);
        continue;
      }
      const masked = ring.alloc(n);
      const theirs = ring.alloc(n);
      ring.bytes(masked).set(mine.subarray(at, at + n * 8));
      ring.bytes(theirs).set(other.subarray(at, at + n * 8));
      at += n * 8;
      kernels.add(masked.ptr, masked.ptr, theirs.ptr, n);
      const own = theirs;
      if (this.index === 0) ring.copy(own, 0, masked, 0, n);
      else ring.bytes(own).fill(0);
      const R = known(this.masks, t.name);
      kernels.sub(own.ptr, own.ptr, R.ptr, n);
      R.free();
      const matrix = (words: Vector) => new Matrix(ring, words, t.rows, t.cols);
      model.fillMatrix(t.name, matrix(masked), matrix(own));
    }
    this.masks.clear();
    return model;
  }
}

function known<T>(map: ReadonlyMap<string, T>, name: string): T {
  const v = map.get(name);
  if (!v) throw new SottoError("internal", `no tensor named ${name}`);
  return v;
}
