import { expect, it } from "vitest";
import { MOST_TIMES, roundTimes } from "./round-times.js";

it("tells the time of each round", () => {
  expect(roundTimes([0.14, 2, 3.26])).toEqual({ every: 1, ms: [0.1, 2, 3.3] });
  expect(roundTimes([])).toEqual({ every: 1, ms: [] });
});

it("tells no more times than a header takes, and always the last one", () => {
  const ends = Array.from({ length: 5 * MOST_TIMES - 2 }, (_, i) => i + 1);
  const { every, ms } = roundTimes(ends);
  expect(every).toBe(5);
  expect(ms).toHaveLength(MOST_TIMES);
  expect(ms.slice(0, 2)).toEqual([5, 10]);
  expect(ms.at(-1)).toBe(ends.length);
});
