import { Ring, Stream } from "@sotto/core";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { keyStreams } from "./key-stream.js";

let native: Ring;
let kernel: Ring;
beforeAll(async () => {
  [native, kernel] = [await Ring.create(keyStreams), await Ring.create()];
  expect(native.keyStreams).not.toBe(kernel.keyStreams);
});

it("gives the kernel's words, for any seed and draws", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(fc.oneof(fc.nat(200), fc.integer({ min: 2000, max: 10_000 })), { maxLength: 10 }),
      (seed, draws) => {
        const [a, b] = [new Stream(native, seed, "share"), new Stream(kernel, seed, "share")];
        for (const n of draws) {
          const [v, w] = [a.words(n), b.words(n)];
          expect(Buffer.from(native.bytes(v)).equals(kernel.bytes(w))).toBe(true);
          v.free();
          w.free();
        }
        a.close();
        b.close();
        expect(native.bytesInUse).toBe(0);
      },
    ),
  );
});
