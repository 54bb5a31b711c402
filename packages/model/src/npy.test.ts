import { SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readNpy, writeNpy } from "./npy.js";

/** A file with a header of our choice. */
function file(header: string, data: Uint8Array, version = 1): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  const length =
    version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return new Uint8Array([
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    version,
    0,
    ...length,
    ...text,
    ...data,
  ]);
}
const header = (descr: string, shape: string, fortran = "False") =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });

describe("NPY files", () => {
  it.each(["float32", "float64", "int64"] as const)("come back as they were written: %s", (dtype) => {
    const value = {
      float32: fc.float(),
      float64: fc.double(),
      int64: fc.maxSafeInteger(),
    }[dtype];
    const array = shapes.chain((shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return fc.tuple(fc.constant(shape), fc.array(value, { minLength: size, maxLength: size }));
    });
    fc.assert(
      fc.property(array, ([shape, data]) => {
        const bytes = writeNpy(shape, data, dtype);
        const found = readNpy(bytes);
        expect(found.shape).toEqual(shape);
        expect(found.dtype).toBe(dtype);
        // int64 has no negative zero.
        expect([...found.data]).toEqual(dtype === "int64" ? data.map((v) => v + 0) : data);
        expect(bytes.length - found.data.length * (dtype === "float32" ? 4 : 8)).toSatisfy(
          (n: number) => n % 64 === 0,
        );
      }),
    );
  });

  it("are written as NumPy writes them", () => {
    const text = new TextDecoder("latin1").decode(writeNpy([3], [1, 2, 3], "float32"));
    expect(text.slice(1, 80)).toContain(
      "NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  ",
    );
    expect(text[127]).toBe("\n");
  });

  it.each([
    ["<f4", Float32Array.of(1, -2), [1, -2], "float32"],
    ["<f8", Float64Array.of(1, -2), [1, -2], "float64"],
    ["<f2", Uint16Array.of(0x3c00, 0x0001), [1, 2 ** -24], "float16"],
    ["|i1", Int8Array.of(1, -2), [1, -2], "int8"],
    ["|u1", Uint8Array.of(1, 254), [1, 254], "uint8"],
    ["<i2", Int16Array.of(1, -2), [1, -2], "int16"],
    ["<u2", Uint16Array.of(1, 65534), [1, 65534], "uint16"],
    ["<i4", Int32Array.of(1, -2), [1, -2], "int32"],
    ["<u4", Uint32Array.of(1, 2 ** 31), [1, 2 ** 31], "uint32"],
    ["<i8", BigInt64Array.of(1n, -2n), [1, -2], "int64"],
    ["<u8", BigUint64Array.of(1n, 2n), [1, 2], "uint64"],
    ["|b1", Uint8Array.of(0, 1), [0, 1], "bool"],
    [">i1", Int8Array.of(1, -2), [1, -2], "int8"],
    [">f4", Uint8Array.of(0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0), [1, -2], "float32"],
    [">i2", Uint8Array.of(0, 1, 0xff, 0xfe), [1, -2], "int16"],
    [">u8", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2), [1, 258], "uint64"],
  ])("are read with type %s, in all versions", (descr, data, expected, dtype) => {
    for (const version of [1, 2, 3]) {
      const found = readNpy(file(header(descr, "(2,)"), bytesOf(data), version));
      expect(found).toMatchObject({ shape: [2], dtype });
      expect([...found.data]).toEqual(expected);
    }
  });

  it("are turned from Fortran's order", () => {
    // [[0, 1, 2], [3, 4, 5]] lies as columns.
    const found = readNpy(file(header("<f4", "(2, 3)", "True"), bytesOf(Float32Array.of(0, 3, 1, 4, 2, 5))));
    expect([...found.data]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(found.shape).toEqual([2, 3]);
    const cube = readNpy(file(header("|i1", "(2, 2, 2)", "True"), Uint8Array.of(0, 4, 2, 6, 1, 5, 3, 7)));
    expect([...cube.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(readNpy(file(header("|i1", "(0, 3)", "True"), new Uint8Array(0))).data).toHaveLength(0);
  });

  it("may have their entries in any order", () => {
    const text = "{'shape': (), 'fortran_order': False, 'descr': '<f8'}";
    expect(readNpy(file(text, bytesOf(Float64Array.of(4))))).toMatchObject({ shape: [] });
  });

  it.each([
    [new Uint8Array(4), /\\x93NUMPY/],
    [file(header("<f4", "(2,)"), new Uint8Array(7)), /takes 8 bytes, but the file has 7.*truncated/],
    [file(header("<f4", "(2,)"), new Uint8Array(9)), /too long/],
    [file(header("<f4", "(99999999, 99999999)"), new Uint8Array(8)), /truncated/],
    [file(header("<f4", `(${"9".repeat(400)},)`), new Uint8Array(8)), /not a shape/],
    [file(header("<f4", "(-1,)"), new Uint8Array(8)), /shape/],
    [file(header("|O", "(1,)"), new Uint8Array(4)), /"\|O" is not supported; supported are float16/],
    [file(header("<c8", "(1,)"), new Uint8Array(8)), /"<c8" is not supported/],
    [file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", new Uint8Array(4)), /records/],
    [file("{'descr': '<f4', 'shape': (1,)}", new Uint8Array(4)), /fortran_order/],
    [file("nothing", new Uint8Array(4)), /not a dictionary/],
    [file(header("<f4", "()"), new Uint8Array(4), 9), /version 9/],
    [file(header("<i8", "(1,)"), bytesOf(BigInt64Array.of(2n ** 60n))), /beyond 2\^53/],
  ])("are refused with a reason (%#)", (bytes, message) => {
    expect(() => readNpy(bytes)).toThrow(message);
    expect(() => readNpy(bytes)).toThrow(SottoError);
  });

  it("are not written with wrong sizes or inexact integers", () => {
    expect(() => writeNpy([2], [1], "float32")).toThrow(SottoError);
    expect(() => writeNpy([-1, -1], [1], "float32")).toThrow(SottoError);
    expect(() => writeNpy([1], [0.5], "int64")).toThrow(/int64/);
  });

  it("are read or refused when damaged", () => {
    const bytes = writeNpy([2, 3], [1, 2, 3, 4, 5, 6], "float64");
    const changes = fc.array(fc.tuple(fc.nat(90), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(changes, fc.nat(bytes.length), fc.boolean(), (list, length, cut) => {
        const damaged = bytes.slice(0, cut ? length : bytes.length);
        for (const [at, value] of list) if (at < damaged.length) damaged[at] = value;
        try {
          const { shape, data } = readNpy(damaged);
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          if (!(error instanceof SottoError)) throw error;
          expect(error.code).toBe("bad-input");
        }
      }),
      { numRuns: 2000 },
    );
  });
});
