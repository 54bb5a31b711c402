import { SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dataFrame, type Frame, FrameDecoder, frameTag, HEADER_BYTES, writeHeader } from "./frame.js";

const frames = fc.array(
  fc.record({
    number: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    tag: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
  { maxLength: 8 },
);

/** The bytes of frames, one after the other. */
function stream(list: readonly Frame[]): Uint8Array {
  return new Uint8Array(Buffer.concat(list.map((f) => dataFrame(f.number, f.tag, f.payload))));
}

/** Decodes, with cuts at the given positions. */
function decode(bytes: Uint8Array, cuts: readonly number[], maxPayload?: number): Frame[] {
  const found: Frame[] = [];
  const decoder = new FrameDecoder((f) => found.push(f), maxPayload);
  const at = [0, ...cuts.map((c) => c % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < at.length; i++) decoder.push(bytes.subarray(at[i - 1], at[i]));
  return found;
}

const plain = (list: readonly Frame[]) => list.map((f) => ({ ...f, payload: [...f.payload] }));

describe("frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 20 }), (list, cuts) => {
        expect(plain(decode(stream(list), cuts))).toEqual(plain(list));
      }),
    );
  });

  it("come out byte by byte", () => {
    fc.assert(
      fc.property(frames, (list) => {
        const bytes = stream(list);
        const everywhere = Array.from(bytes, (_, i) => i);
        expect(plain(decode(bytes, everywhere))).toEqual(plain(list));
      }),
      { numRuns: 30 },
    );
  });

  it("with mutated bytes give frames or a protocol error, never more bytes than arrived", () => {
    const mutation = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        frames,
        fc.array(mutation, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat()),
        (list, mutations, cuts) => {
          const bytes = stream(list);
          for (const { at, value } of mutations) if (bytes.length > 0) bytes[at % bytes.length] = value;
          try {
            const total = decode(bytes, cuts, 1000).reduce(
              (sum, f) => sum + HEADER_BYTES + f.payload.length,
              0,
            );
            expect(total).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(SottoError);
            expect((error as SottoError).code).toBe("protocol");
          }
        },
      ),
    );
  });

  it("that claim more than the bound are refused by their header alone", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1001, max: 2 ** 32 - 1 }), (length) => {
        const header = new Uint8Array(HEADER_BYTES);
        new DataView(header.buffer).setUint32(0, length, true);
        expect(() => decode(header, [], 1000)).toThrow(/claims a payload of \d+ bytes; at most 1000/);
      }),
    );
  });

  it("are not copied when they arrive whole", () => {
    const bytes = dataFrame(7, 9n, new Uint8Array([1, 2, 3]));
    const [frame] = decode(bytes, []);
    expect(frame?.payload.buffer).toBe(bytes.buffer);
  });

  it("stop at once when the decoder is stopped in between", () => {
    const found: number[] = [];
    const decoder = new FrameDecoder((f) => {
      found.push(f.number);
      decoder.stop();
    });
    decoder.push(stream([1, 2].map((number) => ({ number, tag: 1n, payload: new Uint8Array(4) }))));
    expect(found).toEqual([1]);
  });

  it("carry their header in front of a payload in place", () => {
    const frame = new Uint8Array(HEADER_BYTES + 5).fill(1, HEADER_BYTES);
    writeHeader(frame, 3, 5n);
    expect(plain(decode(frame, []))).toEqual([{ number: 3, tag: 5n, payload: [1, 1, 1, 1, 1] }]);
  });
});

describe("a tag", () => {
  it("differs in kind, id, hash and direction", () => {
    const [id, hash] = ["a".repeat(32), "b".repeat(64)];
    const tags = [
      frameTag("round", id, hash, "server-0", "server-1"),
      frameTag("round", id, hash, "server-1", "server-0"),
      frameTag("corrections", id, hash, "server-0", "server-1"),
      frameTag("round", "c".repeat(32), hash, "server-0", "server-1"),
      frameTag("round", id, "d".repeat(64), "server-0", "server-1"),
    ];
    expect(new Set(tags).size).toBe(tags.length);
  });
});
