import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { SEED_BYTES, Stream } from "../random/stream.js";
import { systemRandom } from "../random/system.js";
import { Packer, Unpacker } from "../ring/packed.js";
import { Ring, type Vector } from "../ring/ring.js";
import { pointVectors } from "../testing/points.js";
import { seededBytes } from "../testing/seeded.js";
import { dealPoints, PointKeys, type PointShape, pointDraws, rootWords } from "./points.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

function vector(words: BigUint64Array): Vector {
  const v = ring.alloc(words.length);
  ring.words(v).set(words);
  return v;
}

interface Dealt {
  /** Both servers' shares. */
  shares: [BigUint64Array, BigUint64Array];
  /** What both are sent. */
  sent: Uint8Array;
}

function deal(
  shape: PointShape,
  m: BigUint64Array,
  s: number,
  payload: BigUint64Array,
  seeds: readonly [Uint8Array, Uint8Array],
): Dealt {
  const source = (i: 0 | 1) => new Stream(ring, seeds[i], "roots");
  const [mask, P] = [vector(m), vector(payload)];
  const { tree, leaf } = dealPoints(ring, [source(0), source(1)], shape, mask, s, P);
  const [first, ...leaves] = pointDraws(shape);
  const packer = new Packer(ring, ring.words(tree).length * 8 + ring.words(leaf).length * 8);
  packer.put(tree, first!.bits);
  leaves.forEach(({ n, bits: b }, w) => {
    if (b > 0) packer.put(leaf, b, w * n, n);
  });
  const sent = packer.take();
  const shares = ([0, 1] as const).map((i) => {
    const roots = source(i).words(rootWords(shape));
    const unpacker = new Unpacker(ring, sent);
    const keys = new PointKeys(ring, i, roots, unpacker, shape);
    expect(unpacker.position).toBe(sent.length);
    unpacker.free();
    const E = keys.expand();
    const words = ring.words(E).slice();
    E.free();
    // in parts it is the same
    let at = 0;
    keys.inParts((part, first, last) => {
      const count = (Math.ceil((last - first) / 4) * 4 * words.length) / (Math.ceil(shape.n / 4) * 4);
      const bytes = (v: BigUint64Array) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
      const whole = words.subarray(at, at + count);
      expect(Buffer.compare(bytes(ring.words(part).subarray(0, count)), bytes(whole))).toBe(0);
      at += count;
    });
    expect(at).toBe(words.length);
    keys.free();
    return words;
  }) as [BigUint64Array, BigUint64Array];
  for (const v of [mask, P, tree, leaf]) v.free();
  return { shares, sent };
}

const uniform = (n: number, random = systemRandom) => new BigUint64Array(random(n * 8).buffer);

describe("shares of point vectors", () => {
  it("add up to the payload at the mask's place and to zero elsewhere, mod each word's modulus", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(64, 67)),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom(1, 3, 8, 9, 17),
        fc.integer({ min: 0, max: 12 }),
        fc.array(fc.integer({ min: 0, max: 64 }), { minLength: 17, maxLength: 17 }),
        fc.string(),
        (n, levels, words, s, moduli, seed) => {
          const random = seededBytes(seed);
          const bits = moduli.slice(0, words);
          const shape = { n, levels, bits };
          const [m, payload] = [uniform(n, random), uniform(n * words, random)];
          const seeds = [random(SEED_BYTES), random(SEED_BYTES)] as const;
          const { shares } = deal(shape, m, s, payload, seeds);
          const whole = pointVectors(shape, m, s, payload);
          const wide = Math.ceil(n / 4) * 4;
          for (let i = 0; i < wide; i++) {
            for (let at = 0; at < 2 ** levels * words; at++) {
              const word = ((i >> 2) * 2 ** levels * words + at) * 4 + (i & 3);
              const b = bits[at % words]!;
              // an element that fills up the last group shares zeros at a place of its own
              const sum = BigInt.asUintN(b, shares[0][word]! + shares[1][word]!);
              if (sum !== BigInt.asUintN(b, whole[word]!))
                throw new Error(`element ${i}, word ${at}: ${sum}`);
            }
          }
        },
      ),
      { numRuns: process.env.SOTTO_LONG ? 2000 : 40 },
    );
  });

  it("are at every place of a tree of 512", () => {
    const shape = { n: 512, levels: 9, bits: [64] };
    const m = BigUint64Array.from({ length: 512 }, (_, i) => BigInt(i) << 4n);
    const payload = BigUint64Array.from({ length: 512 }, (_, i) => BigInt(i) * 0x123456789abcdefn);
    const { shares } = deal(shape, m, 4, payload, [systemRandom(32), systemRandom(32)]);
    const whole = pointVectors(shape, m, 4, payload);
    const off = whole.findIndex((v, i) => BigInt.asUintN(64, shares[0][i]! + shares[1][i]!) !== v);
    expect(off).toBe(-1);
  });

  it("tell neither server of its place: every bit of what is sent and of either's shares is unbiased", () => {
    const shape = { n: 4, levels: 6, bits: [62, 62, 43] };
    const m = BigUint64Array.from([0n, 5n, 31n, 63n]);
    const payload = BigUint64Array.from({ length: 12 }, (_, i) => BigInt(i % 3));
    const runs = 400;
    const count = (samples: Uint8Array[], partial: number) => {
      const ones = new Float64Array(samples[0]!.length * 8);
      for (const bytes of samples) {
        bytes.forEach((byte, i) => {
          for (let b = 0; b < 8; b++) ones[i * 8 + b]! += (byte >> b) & 1;
        });
      }
      // six deviations
      const biased = ones.filter((c) => Math.abs(c - runs / 2) > 3 * Math.sqrt(runs));
      expect(biased.length).toBe(partial);
    };
    const samples = Array.from({ length: runs }, () =>
      deal(shape, m, 0, payload, [systemRandom(32), systemRandom(32)]),
    );
    // two places a leaf, so five levels: of the 32 bits for the masks of each tree's levels, two a level are used; four
    // words of 43 bits end within a byte, twice
    count(
      samples.map(({ sent }) => sent),
      4 * (32 - 2 * 5) + 2 * 4,
    );
    for (const i of [0, 1] as const) {
      count(
        samples.map(({ shares }) => new Uint8Array(shares[i].buffer)),
        0,
      );
    }
  });

  it("are other ones for every session: fresh seeds change all of what is sent and of either's shares", () => {
    const shape = { n: 4, levels: 6, bits: Array<number>(9).fill(64) };
    const [m, payload] = [uniform(4), uniform(36)];
    const [a, b] = [0, 1].map(() => deal(shape, m, 2, payload, [systemRandom(32), systemRandom(32)]));
    for (const i of [0, 1] as const) {
      expect(a!.shares[i].some((v, at) => v === b!.shares[i][at])).toBe(false);
    }
    expect(Buffer.compare(a!.sent, b!.sent)).not.toBe(0);
  });
});
