/**
 * Correlated randomness as one server draws it. It moves forward only, and each piece leaves it once.
 * Server 0's pieces all come from its seed; server 1's masks do, and the rest are the dealer's corrections.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { SottoError } from "../errors.js";
import { type Draw, drawWords } from "../ops/operation.js";
import { SEED_BYTES, type Source, Stream } from "../random/stream.js";
import { Unpacker } from "../ring/packed.js";
import type { Ring, Vector } from "../ring/ring.js";
import { PointKeys, type PointShape, rootWords } from "./points.js";

/** The streams' names: their domains. */
export const STREAM = {
  mask: "mask",
  share: "share",
  selection: "selection",
  roots: "roots",
  weights: "weight mask",
  output: "output",
} as const;

/**
 * The servers' own sharing of zero, with which they refresh the output's shares: the dealer knows every word that
 * made them, and with a client's help could tell what it does not know, the weights, from the shares.
 * docs/protocol.md, "Output".
 * @param nonces 32 fresh random bytes of server 0 and of server 1, which they tell each other and nobody else.
 */
export function outputStream(ring: Ring, nonces: readonly [Uint8Array, Uint8Array]): Source {
  const both = new Uint8Array(2 * SEED_BYTES);
  nonces.forEach((nonce, i) => {
    if (nonce.length !== SEED_BYTES) {
      throw new SottoError("protocol", `a nonce has ${SEED_BYTES} bytes, not ${nonce.length}`);
    }
    both.set(nonce, i * SEED_BYTES);
  });
  return new Stream(ring, sha256(both), STREAM.output);
}

export interface Material {
  /** n uniform words: this server's share of an opening's mask. */
  mask(n: number): Vector;
  /**
   * This server's share of words that the dealer knows, one draw after the other. Where a draw has no bits, its words
   * mean nothing: they are multiplied by a multiple of the modulus.
   */
  share(draws: readonly Draw[]): Vector;
  /** Words of selection bits. */
  selectionBits(words: number): Vector;
  /** What this server expands to its shares of point vectors. The caller frees it. */
  points(shape: PointShape): Points;
  /** The corrections of a stage, before its pieces are drawn; for server 0 those that both servers get. */
  beginStage(corrections: Uint8Array): void;
  /** All of the stage's corrections must have been drawn. */
  endStage(): void;
  /** Wipes the streams. */
  close(): void;
}

/** See PointKeys. */
export type Points = Pick<PointKeys, "expand" | "inParts" | "free">;

export interface MaterialSources {
  mask: Source;
  share: Source;
  selection: Source;
  roots: Source;
}

/** Server 0's streams: drawn alike by the server and by the dealer. */
export function server0Sources(ring: Ring, seed: Uint8Array): MaterialSources {
  return {
    mask: new Stream(ring, seed, STREAM.mask),
    share: new Stream(ring, seed, STREAM.share),
    selection: new Stream(ring, seed, STREAM.selection),
    roots: new Stream(ring, seed, STREAM.roots),
  };
}

/** A stage's corrections as they are drawn. */
class Corrections {
  private readonly ring: Ring;
  private unpacker: Unpacker | undefined;
  private length = 0;

  constructor(ring: Ring) {
    this.ring = ring;
  }

  begin(corrections: Uint8Array): void {
    this.close();
    this.unpacker = new Unpacker(this.ring, corrections);
    this.length = corrections.length;
  }

  get stage(): Unpacker {
    if (!this.unpacker) throw new SottoError("internal", "no stage has begun");
    return this.unpacker;
  }

  end(): void {
    const { position } = this.stage;
    if (position !== this.length) {
      throw new SottoError("protocol", `corrections of ${position} bytes expected, got ${this.length}`);
    }
    this.close();
  }

  close(): void {
    this.unpacker?.free();
    this.unpacker = undefined;
  }
}

/** Server 0's material: from its seed alone, but for what corrects point vectors. */
export class SeedMaterial implements Material {
  private readonly ring: Ring;
  private readonly sources: MaterialSources;
  private readonly corrections: Corrections;

  constructor(ring: Ring, sources: MaterialSources) {
    this.ring = ring;
    this.sources = sources;
    this.corrections = new Corrections(ring);
  }

  static fromSeed(ring: Ring, seed: Uint8Array): SeedMaterial {
    return new SeedMaterial(ring, server0Sources(ring, seed));
  }

  mask(n: number): Vector {
    return this.sources.mask.words(n);
  }

  share(draws: readonly Draw[]): Vector {
    return this.sources.share.words(drawWords(draws));
  }

  selectionBits(words: number): Vector {
    return this.sources.selection.words(words);
  }

  points(shape: PointShape): Points {
    const roots = this.sources.roots.words(rootWords(shape));
    return new PointKeys(this.ring, 0, roots, this.corrections.stage, shape);
  }

  beginStage(corrections: Uint8Array): void {
    this.corrections.begin(corrections);
  }

  endStage(): void {
    this.corrections.end();
  }

  close(): void {
    this.corrections.close();
    for (const source of Object.values(this.sources) as Source[]) source.close();
  }
}

/** Server 1's streams. */
export interface OwnSources {
  mask: Source;
  roots: Source;
}

export function server1Sources(ring: Ring, seed: Uint8Array): OwnSources {
  return { mask: new Stream(ring, seed, STREAM.mask), roots: new Stream(ring, seed, STREAM.roots) };
}

/** Server 1's material: masks and roots from its seed, everything else from the dealer's corrections. */
export class CorrectedMaterial implements Material {
  private readonly ring: Ring;
  private readonly sources: OwnSources;
  private readonly corrections: Corrections;

  constructor(ring: Ring, sources: OwnSources) {
    this.ring = ring;
    this.sources = sources;
    this.corrections = new Corrections(ring);
  }

  static fromSeed(ring: Ring, seed: Uint8Array): CorrectedMaterial {
    return new CorrectedMaterial(ring, server1Sources(ring, seed));
  }

  mask(n: number): Vector {
    return this.sources.mask.words(n);
  }

  share(draws: readonly Draw[]): Vector {
    const out = this.ring.alloc(drawWords(draws));
    let to = 0;
    for (const { n, bits } of draws) {
      if (bits > 0) this.corrections.stage.into(out, bits, to, n);
      else this.ring.wipe(out, to, n);
      to += n;
    }
    return out;
  }

  selectionBits(words: number): Vector {
    const out = this.ring.alloc(words);
    this.corrections.stage.into(out, 64);
    return out;
  }

  points(shape: PointShape): Points {
    const roots = this.sources.roots.words(rootWords(shape));
    return new PointKeys(this.ring, 1, roots, this.corrections.stage, shape);
  }

  beginStage(corrections: Uint8Array): void {
    this.corrections.begin(corrections);
  }

  endStage(): void {
    this.corrections.end();
  }

  close(): void {
    this.corrections.close();
    this.sources.mask.close();
    this.sources.roots.close();
  }
}
