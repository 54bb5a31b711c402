/** ChaCha20 by OpenSSL, which is faster than the kernel where draws are large. The same words: key-stream.test.ts. */
import { createCipheriv, getCiphers } from "node:crypto";
import { type KeyStreams, kernelKeyStreams } from "@sotto/core";

const CIPHER = "chacha20";
/** Bytes enciphered at a time: those that come out are copied, and are in the cache still. */
const ZEROS = new Uint8Array(2 ** 15);

/** Block counter and nonce. */
const IV = new Uint8Array(16);

const nativeKeyStreams: KeyStreams = (ring, key) => {
  const cipher = createCipheriv(CIPHER, key, IV);
  return {
    write(v, from, n) {
      const to = ring.bytes(v).subarray(8 * from, 8 * (from + n));
      for (let at = 0; at < to.length; at += ZEROS.length)
        to.set(cipher.update(ZEROS.subarray(0, to.length - at)), at);
    },
    // OpenSSL wipes a context that has ended
    close() {
      cipher.final();
    },
  };
};

/** The kernel's where OpenSSL has no ChaCha20, as where it is limited to FIPS 140. */
export const keyStreams: KeyStreams = getCiphers().includes(CIPHER) ? nativeKeyStreams : kernelKeyStreams;
