/**
 * Seeded streams: how two parties hold the same pseudorandom words without sending them.
 *
 * Construction: ChaCha20 (RFC 8439) under key = HKDF-SHA256 (RFC 5869) of a 256-bit seed, with the
 * stream's name as `info`. Streams of different names are independent, which separates the domains.
 * ChaCha20 because it has no tables (nothing secret-dependent is indexed), runs four blocks at a time in
 * WebAssembly, hence alike in Node and in a browser, and is used at its full number of rounds. The nonce
 * is the number of the draw: a stream only moves forward, so no word of it can be handed out twice.
 */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { SottoError } from "../errors.js";
import type { Ring, Vector } from "../ring/ring.js";

export const SEED_BYTES = 32;

/** 256 bytes: four blocks. */
const GROUP_WORDS = 32;
/** RFC 8439's block counter has 32 bits. */
const MAX_WORDS = 2 ** 32 * 8;

/** A source of uniform words. Rigged in tests; a Stream everywhere else. */
export interface Source {
  /** The next n uniform words mod 2^64. */
  words(n: number): Vector;
  /** Wipes what the words come from; none can be drawn afterwards. */
  close(): void;
}

export class Stream implements Source {
  private readonly ring: Ring;
  private readonly key: Vector;
  private draws = 0;
  private closed = false;

  /** @param seed 32 bytes. @param name the domain, for example "mask". */
  constructor(ring: Ring, seed: Uint8Array, name: string) {
    if (seed.length !== SEED_BYTES) {
      throw new SottoError("internal", `a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
    }
    this.ring = ring;
    this.key = ring.alloc(SEED_BYTES / 8);
    ring.bytes(this.key).set(hkdf(sha256, seed, utf8ToBytes("sotto/1"), utf8ToBytes(name), SEED_BYTES));
  }

  words(n: number): Vector {
    if (n > MAX_WORDS) throw new SottoError("internal", `a draw has at most ${MAX_WORDS} words, not ${n}`);
    if (this.closed) throw new SottoError("internal", "the stream is closed");
    const out = this.ring.alloc(n);
    const draw = this.draws++;
    const groups = Math.ceil(n / GROUP_WORDS);
    this.ring.kernels.chacha20(out.ptr, groups, this.key.ptr, draw | 0, Math.floor(draw / 2 ** 32), 0);
    return out;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.ring.bytes(this.key).fill(0);
    this.key.free();
  }
}
