import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { Matrix } from "./matrix.js";
import { Ring } from "./ring.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  // the largest limbs of either sign
  fc.constantFrom(
    2n ** 64n - 2n ** 12n,
    2n ** 12n - 1n,
    2n ** 38n,
    2n ** 38n - 1n,
    0n - 2n ** 38n + 2n ** 64n,
  ),
);

it("gives the product mod 2^modulus for every shape and modulus, and adds to what is there", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 9 }),
      fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(255, 256, 257, 700)),
      fc.constantFrom(1, 16, 34, 38, 39, 40, 64),
      fc.infiniteStream(word),
      (rows, outer, inner, modulus, stream) => {
        const take = (n: number) => Array.from({ length: n }, () => stream.next().value!);
        const [W, x, start] = [take(outer * inner), take(rows * inner), take(rows * outer)];
        const [w, v, out] = [vector(W), vector(x), vector(start)];
        const matrix = new Matrix(ring, w, outer, inner);
        matrix.multiplyAdd(out, v, rows, modulus);
        const expected = start.map((s, k) => {
          const [r, i] = [Math.floor(k / outer), k % outer];
          let sum = s;
          for (let j = 0; j < inner; j++) sum += W[i * inner + j]! * x[r * inner + j]!;
          return BigInt.asUintN(modulus, sum);
        });
        expect(Array.from(ring.words(out), (y) => BigInt.asUintN(modulus, y))).toEqual(expected);
        for (const used of [matrix, v, out]) used.free();
      },
    ),
  );
});

it("holds where all limbs are the largest", () => {
  const [outer, inner] = [4, 2048];
  const extreme = 2n ** 64n - (2n ** 12n + 2n ** 25n + 2n ** 38n);
  const matrix = new Matrix(ring, vector(Array(outer * inner).fill(extreme)), outer, inner);
  const x = vector(Array(inner).fill(extreme));
  const out = ring.zeros(outer);
  matrix.multiplyAdd(out, x, 1, 39);
  const expected = BigInt.asUintN(39, extreme * extreme * BigInt(inner));
  expect(Array.from(ring.words(out), (y) => BigInt.asUintN(39, y))).toEqual(Array(outer).fill(expected));
  for (const used of [matrix, x, out]) used.free();
});

function vector(values: readonly bigint[]) {
  const v = ring.alloc(values.length);
  ring.words(v).set(values);
  return v;
}
