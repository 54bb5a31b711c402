import { describe, expect, it } from "vitest";
import { exponent, percentile, spread } from "./statistics.js";

describe("statistics", () => {
  it("takes the middle, or the mean of both middles", () => {
    expect(spread([5, 1, 3])).toEqual({ min: 1, median: 3, max: 5 });
    expect(spread([4, 1, 3, 2])).toEqual({ min: 1, median: 2.5, max: 4 });
    expect(spread([7])).toEqual({ min: 7, median: 7, max: 7 });
  });

  it("takes percentiles by nearest rank", () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(percentile(values, 0.95)).toBe(95);
    expect(percentile(values, 1)).toBe(100);
    expect(percentile([3], 0.01)).toBe(3);
  });

  it("finds the exponent of a power law", () => {
    expect(exponent([1, 2, 4, 8].map((x) => [x, 5 * x ** 1.5]))).toBeCloseTo(1.5);
    expect(exponent([1, 2, 4].map((x) => [x, 3]))).toBeCloseTo(0);
  });
});
