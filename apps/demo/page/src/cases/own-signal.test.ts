import { expect, it } from "vitest";
import { aboutOwn, atRate, readOwn } from "./own-signal.js";

const column = (n: number) => Array.from({ length: n }, (_, i) => String(i % 7)).join("\n");

it("a file of one column is read at the usual rate, and at another one from its beginning", () => {
  const own = readOwn("own.csv", column(720));
  expect([own.timed, own.rate, own.samples.length]).toEqual([false, 360, 250]);
  expect(aboutOwn(own)).toBe("720 samples without times: 2.0 s at this rate.");
  const slower = atRate(own, 125);
  expect([slower.rate, slower.samples.length]).toEqual([125, 720]);
  expect(aboutOwn(slower)).toMatch(/: 5\.8 s at/);
  expect(atRate(slower, 360)).toEqual(own);
});

it("a file with times is read at the rate that they say", () => {
  const own = readOwn("own.csv", "0,1\n0.004,2\n0.008,1");
  expect([own.timed, own.rate]).toEqual([true, 250]);
  expect(aboutOwn(own)).toBe("3 samples, 250 a second by their times: 0.0 s.");
});

it("a rate that no electrocardiogram has is refused, whoever says it", () => {
  const own = readOwn("own.csv", column(100));
  for (const [rate, text] of [
    [9, "expected 10 to 10,000 samples a second, found 9"],
    [10_001, /found 10,000|found 10,001/],
    [Number.NaN, "expected 10 to 10,000 samples a second"],
  ] as const)
    expect(() => atRate(own, rate)).toThrow(text);
  // taken as milliseconds
  expect(() => readOwn("own.csv", "0,1\n1000,2\n2000,1")).toThrow("samples a second, found 1");
});
