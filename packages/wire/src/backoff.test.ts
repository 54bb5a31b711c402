import { expect, it } from "vitest";
import { Backoff } from "./backoff.js";

const waits = (random: number, n: number, maxMs?: number) => {
  const backoff = new Backoff({ firstMs: 50, maxMs: 1000 }, () => random);
  return { backoff, waits: Array.from({ length: n }, () => backoff.next(maxMs)) };
};

it("waits twice as long each time, up to its bound, or another one", () => {
  expect(waits(0.5, 7).waits).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
  expect(waits(0.5, 9, 5000).waits.slice(5)).toEqual([1600, 3200, 5000, 5000]);
});

it("spreads the attempts of those who failed together", () => {
  expect(waits(0, 6).waits.at(-1)).toBe(500);
  expect(waits(1, 6).waits.at(-1)).toBe(1500);
});

it("begins anew once something has worked", () => {
  const { backoff } = waits(0.5, 6);
  backoff.reset();
  expect(backoff.next()).toBe(50);
});
