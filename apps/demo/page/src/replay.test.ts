import { expect, it } from "vitest";
import { roundAt } from "./replay.js";

it("tells the round that is over; the last mark covers the rounds that are left", () => {
  // seven rounds, each third and the last one told
  const times = { every: 3, ms: [2, 5, 5.5] };
  const at = (...ms: number[]) => ms.map((one) => roundAt(times, 7, one));
  expect(at(0, 1.9)).toEqual([0, 0]);
  expect(at(2, 4.9)).toEqual([3, 3]);
  expect(at(5, 5.4)).toEqual([6, 6]);
  expect(at(5.5, 100)).toEqual([7, 7]);
});

it("tells every round of a run that has a time for each, also where two ended at the same time", () => {
  const times = { every: 1, ms: [1, 1, 3] };
  expect([0.5, 1, 2.9, 3].map((ms) => roundAt(times, 3, ms))).toEqual([0, 2, 2, 3]);
});
