/** Where a stream's words come from: ChaCha20's key stream, by the kernel unless whoever makes the ring has something faster. */
import type { Ring, Vector } from "../ring/ring.js";

/** Words of 64 bits that ChaCha20 makes at a time, at the least: four blocks. */
export const GROUP_WORDS = 32;

/** The key stream of ChaCha20 (RFC 8439) under a key of 256 bits and nonce 0, from block 0 on. */
export interface KeyStream {
  /** Writes its next n words, a multiple of GROUP_WORDS, as words from, from + 1, ... of v. At most 2^35 words in all. */
  write(v: Vector, from: number, n: number): void;
  /** Wipes the key. */
  close(): void;
}

/** @param key 32 bytes; they are the caller's, who may wipe them. */
export type KeyStreams = (ring: Ring, key: Uint8Array) => KeyStream;

export const kernelKeyStreams: KeyStreams = (ring, key) => {
  const words = ring.alloc(key.length / 8);
  ring.bytes(words).set(key);
  let block = 0;
  return {
    write(v, from, n) {
      ring.kernels.chacha20(v.ptr + 8 * from, n / GROUP_WORDS, words.ptr, block | 0, 0, 0, 0);
      block += n / 8;
    },
    close() {
      ring.wipe(words, 0, words.length);
      words.free();
    },
  };
};
