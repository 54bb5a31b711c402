/** What callers give as inputs that are none. */
import { describe, expect, it } from "vitest";
import { tensorsOf } from "./given.js";

const x = (value: unknown) => tensorsOf(["x"], { x: value });

describe("inputs", () => {
  it.each([
    [[1, 2, 3], /^input x: expected \{shape, data\}.*; its shape is missing$/],
    [null, /^input x: expected \{shape, data\}/],
    [7, /^input x: expected \{shape, data\}/],
    [{ shape: 3, data: [1, 2, 3] }, /^input x: expected \{shape, data\}.*; its shape is a number$/],
    [{ shape: [3] }, /^input x: expected \{shape, data\}.*; its data is missing$/],
    [{ shape: [3], data: "123" }, /^input x: expected \{shape, data\}.*; its data is a string$/],
    [{ shape: [3], data: new ArrayBuffer(12) }, /its data is an object$/],
    [{ shape: [1.5, 2], data: [1, 2, 3] }, /shape has something else than whole numbers/],
    [{ shape: ["1", 3], data: [1, 2, 3] }, /shape has something else than whole numbers/],
    [
      { shape: [1, 2, 3], data: [1, 2, 3] },
      /^input x: its shape \[1,2,3\] is of 6 numbers, and data has 3 numbers$/,
    ],
    [{ shape: [2], data: new Float32Array(1) }, /is of 2 numbers, and data has 1 number$/],
    [{ shape: [3], data: [1, "7.25", 3] }, /^input x: element 1 is a string, expected a number$/],
    [{ shape: [2], data: [1, true] }, /^input x: element 1 is a boolean, expected a number$/],
    [{ shape: [2], data: new Array(2) }, /^input x: element 0 is missing, expected a number$/],
    [
      { shape: [2], data: [[1], [2]] },
      /^input x: element 0 is a list, expected a number; .* row-major in one list$/,
    ],
  ])("that are no tensors are refused, saying what they are: %j", (value, message) => {
    expect(() => x(value)).toThrow(expect.objectContaining({ code: "bad-input" }));
    expect(() => x(value)).toThrow(message);
    expect(() => x(value)).not.toThrow(/7\.25/);
  });

  it.each([undefined, null, "x", 3])(
    "that are no object are refused, naming those of the model: %j",
    (given) => {
      const none = given as unknown as Record<string, unknown>;
      expect(() => tensorsOf(["x", "h"], none)).toThrow(/\{shape, data\} for each input of the model: x, h$/);
    },
  );

  it("may be lists, typed arrays and bigints", () => {
    const values = [[1, -2, 3], Float32Array.of(1, -2, 3), Int8Array.of(1, -2, 3)];
    const bigints = [[1n, -2n, 3n], [1, -2n, 3], BigInt64Array.of(1n, -2n, 3n)];
    for (const data of [...values, ...bigints]) {
      const { shape, data: numbers } = x({ shape: [1, 3], data }).x!;
      expect([shape, [...Array.from(numbers)]]).toEqual([
        [1, 3],
        [1, -2, 3],
      ]);
    }
  });

  it("are not copied where they are numbers already", () => {
    const data = new Float64Array(3);
    expect(x({ shape: [3], data }).x!.data).toBe(data);
  });

  it("of other names are left to those who know what the names are", () => {
    expect(tensorsOf(["x"], { y: 7, x: undefined })).toEqual({ y: 7 });
  });
});
