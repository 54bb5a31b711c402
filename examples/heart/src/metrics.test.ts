import { expect, it } from "vitest";
import { decisions } from "./classify.js";
import { confusion, figures } from "./metrics.js";

it("counts answers by truth, and takes what divides by nothing as unknown", () => {
  const counts = confusion(3, [0, 0, 0, 1, 1], [0, 0, 1, 1, 0]);
  expect(counts).toEqual([
    [2, 1, 0],
    [1, 1, 0],
    [0, 0, 0],
  ]);
  const result = figures(counts);
  expect(result.accuracy).toBe(3 / 5);
  expect(result.sensitivity).toEqual([2 / 3, 1 / 2, undefined]);
  expect(result.predictivity).toEqual([2 / 3, 1 / 2, undefined]);
  expect(result.macroF1).toBeCloseTo((2 / 3 + 1 / 2) / 2);
});

it("decides for the largest entry of each row", () => {
  expect(decisions([1, 2, 3, 0, -1, -2], 3)).toEqual([2, 0]);
});
