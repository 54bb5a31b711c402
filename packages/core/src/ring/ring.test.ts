import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { integers } from "../interpret/plain.js";
import { decode, encode } from "./fixed.js";
import { pack, packedBytes, unpack } from "./packed.js";
import { Ring, type Vector } from "./ring.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const words = fc.array(word, { minLength: 1, maxLength: 70 });
const pairs = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 70 });
const u64 = (v: bigint) => BigInt.asUintN(64, v);

function vector(values: readonly bigint[]): Vector {
  const v = ring.alloc(values.length);
  ring.words(v).set(values);
  return v;
}

function taken(v: Vector): bigint[] {
  const values = [...ring.words(v)];
  v.free();
  return values;
}

describe("elementwise kernels agree with their scalar twins", () => {
  it.each([
    ["add", (a: bigint, b: bigint) => u64(a + b)],
    ["sub", (a: bigint, b: bigint) => u64(a - b)],
    ["mul", (a: bigint, b: bigint) => u64(a * b)],
  ] as const)("%s", (name, twin) => {
    fc.assert(
      fc.property(pairs, (list) => {
        const a = vector(list.map(([x]) => x));
        const b = vector(list.map(([, y]) => y));
        ring.kernels[name](a.ptr, a.ptr, b.ptr, list.length);
        b.free();
        expect(taken(a)).toEqual(list.map(([x, y]) => twin(x, y)));
      }),
    );
  });

  it("reduce, shiftLeft, shiftRight, addConstant", () => {
    fc.assert(
      fc.property(
        words,
        fc.integer({ min: 1, max: 64 }),
        fc.nat(63),
        fc.maxSafeInteger(),
        (list, bits, shift, c) => {
          const run = (f: (v: Vector) => void) => {
            const v = vector(list);
            f(v);
            return taken(v);
          };
          const { kernels } = ring;
          const n = list.length;
          expect(run((v) => kernels.reduce(v.ptr, v.ptr, bits, n))).toEqual(
            list.map((x) => BigInt.asUintN(bits, x)),
          );
          expect(run((v) => kernels.shiftLeft(v.ptr, v.ptr, shift, n))).toEqual(
            list.map((x) => u64(x << BigInt(shift))),
          );
          expect(run((v) => kernels.addConstant(v.ptr, v.ptr, c, n))).toEqual(
            list.map((x) => u64(x + BigInt(c))),
          );
          expect(run((v) => kernels.shiftRight(v.ptr, v.ptr, bits, shift, 1, n))).toEqual(
            list.map((x) => u64((BigInt.asUintN(bits, x) >> BigInt(shift)) + 1n)),
          );
        },
      ),
    );
  });

  it("addRow and gather", () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 4 }), (row, rows) => {
        const base = Array.from({ length: rows * row.length }, (_, i) => BigInt(i) << 40n);
        const [a, r] = [vector(base), vector(row)];
        ring.kernels.addRow(a.ptr, a.ptr, r.ptr, rows, row.length);
        const sum = base.map((v, i) => u64(v + row[i % row.length]!));
        const index = ring.alloc(row.length);
        const picks = Int32Array.from(row, (v) => Number(v % BigInt(base.length)));
        ring.bytes(index, picks.byteLength).set(new Uint8Array(picks.buffer));
        const g = ring.alloc(row.length);
        ring.kernels.gather(g.ptr, a.ptr, index.ptr, row.length);
        index.free();
        r.free();
        expect(taken(a)).toEqual(sum);
        expect(taken(g)).toEqual([...picks].map((i) => sum[i]));
      }),
    );
  });
});

describe("matrix product", () => {
  it("agrees with its scalar twin for every shape, and adds to what is there", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(word),
        (rows, outer, inner, stream) => {
          const take = (n: number) => Array.from({ length: n }, () => stream.next().value!);
          const [W, x, start] = [take(outer * inner), take(rows * inner), take(rows * outer)];
          const [w, v, out] = [vector(W), vector(x), vector(start)];
          ring.kernels.multiplyAdd(out.ptr, w.ptr, v.ptr, rows, outer, inner);
          w.free();
          v.free();
          const expected = start.map((s, k) => {
            const [r, i] = [Math.floor(k / outer), k % outer];
            let sum = s;
            for (let j = 0; j < inner; j++) sum += W[i * inner + j]! * x[r * inner + j]!;
            return u64(sum);
          });
          expect(taken(out)).toEqual(expected);
        },
      ),
    );
  });
});

describe("packing", () => {
  it("takes n words of any number of bits to ceil(n bits / 8) bytes and back", () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 64 }), fc.nat(3), (list, bits, at) => {
        const v = vector(list);
        const bytes = new Uint8Array(at + packedBytes(list.length, bits)).fill(0xee);
        expect(pack(ring, v, bits, bytes, at)).toBe(bytes.length);
        v.free();
        expect(bytes.subarray(0, at)).toEqual(new Uint8Array(at).fill(0xee));
        expect(taken(unpack(ring, bytes, at, list.length, bits))).toEqual(
          list.map((x) => BigInt.asUintN(bits, x)),
        );
        // the twin: one big number, little end first
        const whole = list.reduce((sum, x, i) => sum | (BigInt.asUintN(bits, x) << BigInt(i * bits)), 0n);
        bytes.subarray(at).forEach((b, i) => {
          expect(b).toBe(Number((whole >> BigInt(8 * i)) & 255n));
        });
      }),
    );
  });

  it("refuses a message that is too short", () => {
    expect(() => unpack(ring, new Uint8Array(9), 2, 4, 16)).toThrow(/expected 8 bytes at offset 2, found 7/);
  });
});

describe("fixed point", () => {
  it("returns each value to within half a unit", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1000, max: 1000, noNaN: true }), { minLength: 1 }), (list) => {
        const v = encode(ring, list, 20);
        const back = decode(ring, v, 40, 20);
        v.free();
        list.forEach((x, i) => {
          expect(Math.abs(back[i]! - x)).toBeLessThanOrEqual(2 ** -21);
        });
      }),
    );
  });
});

describe("encoding", () => {
  it("makes the integers that the exact interpretation and the bounds compute with, ties included", () => {
    const half = fc.integer({ min: -(2 ** 20), max: 2 ** 20 }).map((k) => k / 2);
    const real = fc.double({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.oneof(half, real), { minLength: 1 }), fc.nat(20), (list, scale) => {
        const values = Float64Array.from(list, (v) => v / 2 ** scale);
        const v = encode(ring, values, scale);
        expect(taken(v)).toEqual([...integers(values, scale)].map((k) => BigInt.asUintN(64, BigInt(k))));
      }),
    );
  });
});

describe("memory", () => {
  it("is given back, reused, and never shared between two live vectors", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.boolean()), { maxLength: 60 }),
        (steps) => {
          const before = ring.bytesInUse;
          const live: { v: Vector; mark: bigint }[] = [];
          steps.forEach(([n, drop], i) => {
            const v = ring.alloc(n);
            ring.words(v).fill(BigInt(i + 1));
            live.push({ v, mark: BigInt(i + 1) });
            if (drop) live.splice(Math.floor(live.length / 2), 1)[0]!.v.free();
          });
          for (const { v, mark } of live) {
            expect(taken(v).every((w) => w === mark)).toBe(true);
          }
          expect(ring.bytesInUse).toBe(before);
        },
      ),
    );
  });

  it("refuses to free a vector twice", () => {
    const v = ring.alloc(3);
    v.free();
    expect(() => v.free()).toThrow(/twice/);
  });
});
