/**
 * Seeded streams: how two parties hold the same pseudorandom words without sending them.
 *
 * Construction: ChaCha20 (RFC 8439) under key = HKDF-SHA256 (RFC 5869) of a 256-bit seed, with the
 * stream's name as `info`. Streams of different names are independent, which separates the domains.
 * ChaCha20 because it has no tables (nothing secret-dependent is indexed), runs four blocks at a time in
 * WebAssembly, hence alike in Node and in a browser, and is used at its full number of rounds. The nonce is 0, since
 * a key has one stream, which only moves forward: no word of it can be handed out twice.
 */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { SottoError } from "../errors.js";
import type { Ring, Vector } from "../ring/ring.js";
import { GROUP_WORDS, type KeyStream } from "./key-stream.js";

export const SEED_BYTES = 32;

/** RFC 8439's block counter has 32 bits; a block has eight words. */
const MAX_WORDS = 2 ** 32 * 8;
/** Words made at a time for small draws: few at first, since many streams are short. */
const FIRST_WORDS = 4 * GROUP_WORDS;
const MOST_WORDS = 64 * GROUP_WORDS;

/** A source of uniform words. Rigged in tests; a Stream everywhere else. */
export interface Source {
  /** The next n uniform words mod 2^64. */
  words(n: number): Vector;
  /** Wipes what the words come from; none can be drawn afterwards. */
  close(): void;
}

export class Stream implements Source {
  private readonly ring: Ring;
  private readonly keyStream: KeyStream;
  /** Words that are made and not drawn: from `at` on. */
  private ready: Vector | undefined;
  private at = 0;
  private made = 0;
  private closed = false;

  /** @param seed 32 bytes. @param name the domain, for example "mask". */
  constructor(ring: Ring, seed: Uint8Array, name: string) {
    if (seed.length !== SEED_BYTES) {
      throw new SottoError("internal", `a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
    }
    this.ring = ring;
    const key = hkdf(sha256, seed, utf8ToBytes("sotto/1"), utf8ToBytes(name), SEED_BYTES);
    this.keyStream = ring.keyStreams(ring, key);
    key.fill(0);
  }

  words(n: number): Vector {
    if (this.closed) throw new SottoError("internal", "the stream is closed");
    if (this.made + n > MAX_WORDS)
      throw new SottoError("internal", `a stream has at most ${MAX_WORDS} words`);
    const out = this.ring.alloc(n);
    let done = 0;
    while (done < n) {
      const missing = n - done;
      const left = this.ready ? this.ready.length - this.at : 0;
      if (left > 0) {
        const taken = Math.min(left, missing);
        this.ring.copy(out, done, this.ready!, this.at, taken);
        this.at += taken;
        done += taken;
      } else if (missing >= MOST_WORDS) {
        const whole = missing - (missing % GROUP_WORDS);
        this.make(out, done, whole);
        done += whole;
      } else this.refill();
    }
    return out;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.keyStream.close();
    this.dropReady();
  }

  private refill(): void {
    const size = this.ready ? Math.min(2 * this.ready.length, MOST_WORDS) : FIRST_WORDS;
    if (this.ready?.length !== size) {
      this.dropReady();
      this.ready = this.ring.alloc(size);
    }
    this.make(this.ready!, 0, size);
    this.at = 0;
  }

  private make(v: Vector, from: number, n: number): void {
    this.keyStream.write(v, from, n);
    this.made += n;
  }

  private dropReady(): void {
    if (!this.ready) return;
    this.ring.wipe(this.ready, 0, this.ready.length);
    this.ready.free();
    this.ready = undefined;
  }
}
