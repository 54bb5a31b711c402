import { describe, expect, it } from "vitest";
import { apart, lineChart, ticks } from "./svg.js";

type P = [number, number];

describe("charts", () => {
  const chart = (points: [number, number][]) =>
    lineChart({ title: "a < b & c", x: "H", y: "ms", lines: [{ name: "online", points }] });

  it("put the smallest and the largest on the edges, and equal ratios at equal distances", () => {
    const [a, b, c] = [
      ...chart([
        [10, 1],
        [20, 10],
        [40, 100],
      ]).matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g),
    ].map((m) => m.slice(1).map(Number)) as unknown as [P, P, P];
    expect(b[0] - a[0]).toBeCloseTo(c[0] - b[0], 0);
    expect(a[1] - b[1]).toBeCloseTo(b[1] - c[1], 0);
    expect(a[1]).toBeGreaterThan(c[1]);
  });

  it("escape what is not markup", () => {
    expect(chart([[1, 1]])).toContain("a &#60; b &#38; c");
  });

  it("refuse what has no logarithm, naming the chart", () => {
    expect(() => chart([[1, 0]])).toThrow("a < b");
    expect(() => chart([[1, Number.NaN]])).toThrow("a < b");
    expect(() => chart([])).toThrow("a < b");
  });

  it("have ticks around every value, of any size", () => {
    expect(ticks(3, 70)).toEqual([2, 5, 10, 20, 50, 100]);
    expect(ticks(0.03, 0.05)).toEqual([0.02, 0.05]);
    expect(ticks(10, 10)).toEqual([10, 20]);
  });

  it("keep labels apart, in their order", () => {
    expect(apart([100, 20, 101])).toEqual([100, 20, 115]);
  });
});
