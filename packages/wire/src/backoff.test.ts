import { expect, it } from "vitest";
import { Backoff } from "./backoff.js";

const waits = (random: number, n: number, code: "unreachable" | "conflict" = "unreachable") => {
  const backoff = new Backoff(() => random);
  return { backoff, waits: Array.from({ length: n }, () => backoff.next(code)) };
};

it("waits twice as long each time, up to a second, or five where the place is taken", () => {
  expect(waits(0.5, 7).waits).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
  expect(waits(0.5, 9, "conflict").waits.slice(5)).toEqual([1600, 3200, 5000, 5000]);
});

it("spreads the attempts of parties that lost the same peer", () => {
  expect(waits(0, 6).waits.at(-1)).toBe(500);
  expect(waits(1, 6).waits.at(-1)).toBe(1500);
});

it("begins anew once a connection has lived", () => {
  const { backoff } = waits(0.5, 6);
  backoff.reset();
  expect(backoff.next("unreachable")).toBe(50);
});
