import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ahead } from "./ahead.js";

describe("the window of what is prepared", () => {
  const open = (budget: number, ...bytes: number[]) => new Ahead(budget).open(Float64Array.from(bytes));

  it("holds all stages where they fit", () => {
    expect(open(6, 1, 2, 3).reached(0)).toBe(3);
  });

  it("moves on as stages are used", () => {
    const window = open(5, 3, 1, 2, 2, 5, 1);
    expect([0, 1, 2, 3, 4, 5].map((round) => window.reached(round))).toEqual([2, 4, 4, 5, 6, 6]);
  });

  it("always has two stages, however large they are, and never more than the share beyond them", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100), { minLength: 1, maxLength: 40 }), fc.nat(300), (bytes, budget) => {
        const window = open(budget, ...bytes);
        for (let round = 0; round <= bytes.length; round++) {
          const to = window.reached(round);
          expect(to).toBeGreaterThanOrEqual(Math.min(round + 2, bytes.length));
          const held = bytes.slice(round, to).reduce((a, b) => a + b, 0);
          if (to > round + 2) expect(held).toBeLessThanOrEqual(budget);
          if (to < bytes.length) expect(held + bytes[to]!).toBeGreaterThan(budget);
        }
      }),
    );
  });

  it("narrows as more sessions share the budget, which they never exceed but by two stages each", () => {
    const ahead = new Ahead(12);
    const bytes = Float64Array.of(3, 3, 3, 3, 3, 3, 3, 3);
    const alone = ahead.open(bytes);
    expect(alone.reached(0)).toBe(4);
    const second = ahead.open(bytes);
    expect(second.reached(0)).toBe(2);
    expect(ahead.held).toBe(18);
    // what is granted is not taken back, and not more is granted
    expect([1, 2, 3].map((round) => alone.reached(round))).toEqual([4, 4, 5]);
    expect(ahead.held).toBe(12);
    alone.close();
    expect(second.reached(0)).toBe(4);
    second.close();
    expect([ahead.held, ahead.share]).toEqual([0, 12]);
  });
});
