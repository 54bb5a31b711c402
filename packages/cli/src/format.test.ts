import { describe, expect, it } from "vitest";
import { bytes, cut, duration, preview, significant, table } from "./format.js";

describe("numbers for people", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [1234567, "1.23 MB"],
    [999_600, "1 MB"],
    [5.5e9, "5.5 GB"],
  ])("%d bytes", (n, text) => expect(bytes(n)).toBe(text));

  it.each([
    [0.1234, "0.123 ms"],
    [123.4, "123 ms"],
    [1234, "1.23 s"],
    [61_000, "61 s"],
  ])("%d ms", (n, text) => expect(duration(n)).toBe(text));

  it.each([
    [0, "0"],
    [12345.6, "12300"],
    [0.000123456, "0.000123"],
    [0.0000123456, "1.23e-5"],
    [Number.POSITIVE_INFINITY, "Infinity"],
  ])("%d", (n, text) => expect(significant(n)).toBe(text));
});

describe("text for people", () => {
  it("previews small arrays, and cuts large ones", () => {
    expect(preview({ shape: [1, 2], data: [0.5, -1] })).toBe("[1, 2]  0.5000, -1.0000");
    expect(preview({ shape: [9], data: new Float64Array(9) }, 2)).toBe(
      "[9]  0.0000, 0.0000, ... (9 numbers)",
    );
  });

  it("cuts what comes from outside, and keeps terminals safe", () => {
    expect(cut("Re: hello", 20)).toBe("Re: hello");
    expect(cut("a\u001b[31mred\r\nb", 20)).toBe("a [31mred b");
    expect(cut("0123456789", 5)).toBe("0123…");
    expect(cut("一展天下", 8)).toBe("一展天下");
    expect(cut("一展天下", 7)).toBe("一展天…");
    expect(cut("一展天下", 6)).toBe("一展…");
  });

  it("lines columns up", () => {
    const text = table(
      [{ title: "a" }, { title: "n", align: "right" }],
      [
        ["x", "1"],
        ["long", "23"],
      ],
    );
    expect(text).toBe("a      n\nx      1\nlong  23");
  });
});
