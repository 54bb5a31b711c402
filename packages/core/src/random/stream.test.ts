import { createCipheriv, hkdfSync } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Ring } from "../ring/ring.js";
import { Stream } from "./stream.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);

describe("ChaCha20", () => {
  it("gives the key stream of RFC 8439, section 2.3.2", () => {
    const key = ring.alloc(4);
    ring.bytes(key).set(seed);
    const out = ring.alloc(32);
    ring.kernels.chacha20(out.ptr, 1, key.ptr, 0x09000000, 0x4a000000, 0);
    // block 1, after 64 bytes of block 0
    const block = Buffer.from(ring.bytes(out).slice(64, 128)).toString("hex");
    expect(block).toBe(
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
    );
  });

  it("agrees with another implementation for any key, nonce and length", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 3, maxLength: 3 }),
        fc.integer({ min: 1, max: 5 }),
        (keyBytes, nonce, groups) => {
          const key = ring.alloc(4);
          ring.bytes(key).set(keyBytes);
          const out = ring.alloc(32 * groups);
          ring.kernels.chacha20(out.ptr, groups, key.ptr, nonce[0]! | 0, nonce[1]! | 0, nonce[2]! | 0);
          const iv = Buffer.alloc(16);
          nonce.forEach((n, i) => {
            iv.writeUInt32LE(n, 4 + 4 * i);
          });
          const expected = createCipheriv("chacha20", keyBytes, iv).update(Buffer.alloc(256 * groups));
          expect(Buffer.from(ring.bytes(out)).equals(expected)).toBe(true);
          key.free();
          out.free();
        },
      ),
    );
  });
});

describe("a stream", () => {
  it("is ChaCha20 under HKDF-SHA256 of the seed and the name, one nonce a draw", () => {
    const stream = new Stream(ring, seed, "mask");
    const key = Buffer.from(hkdfSync("sha256", seed, "sotto/1", "mask", 32));
    for (let draw = 0; draw < 3; draw++) {
      const iv = Buffer.alloc(16);
      iv.writeUInt32LE(draw, 4);
      const expected = createCipheriv("chacha20", key, iv).update(Buffer.alloc(40));
      const v = stream.words(5);
      expect(Buffer.from(ring.bytes(v)).equals(expected)).toBe(true);
      v.free();
    }
    stream.close();
  });

  it("never gives the same words twice, nor those of another name or seed", () => {
    const drawn = new Set<bigint>();
    let n = 0;
    for (const name of ["mask", "share"]) {
      for (const s of [seed, seed.map((b) => b ^ 1)]) {
        const stream = new Stream(ring, s, name);
        for (let draw = 0; draw < 10; draw++) {
          const v = stream.words(20);
          for (const w of ring.words(v)) drawn.add(w);
          n += 20;
          v.free();
        }
        stream.close();
      }
    }
    expect(drawn.size).toBe(n);
  });

  it("gives nothing once closed, and takes no seed of another length", () => {
    const stream = new Stream(ring, seed, "mask");
    stream.close();
    expect(() => stream.words(1)).toThrow(/closed/);
    expect(() => new Stream(ring, seed.subarray(1), "mask")).toThrow(/32 bytes, not 31/);
  });
});
