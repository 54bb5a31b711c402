import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ahead, Window } from "./ahead.js";

describe("the window of what is prepared", () => {
  it("holds all stages where they fit", () => {
    expect(new Window(Float64Array.of(1, 2, 3), new Ahead(6)).reached(0)).toBe(3);
  });

  it("moves on as stages are used", () => {
    const window = new Window(Float64Array.of(3, 1, 2, 2, 5, 1), new Ahead(5));
    expect([0, 1, 2, 3, 4, 5].map((round) => window.reached(round))).toEqual([2, 4, 4, 5, 6, 6]);
  });

  it("always has two stages, however large they are, and never more than the share beyond them", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100), { minLength: 1, maxLength: 40 }), fc.nat(300), (bytes, budget) => {
        const window = new Window(Float64Array.from(bytes), new Ahead(budget));
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

  it("narrows as more sessions share the budget, and takes back nothing", () => {
    const ahead = new Ahead(12);
    const bytes = Float64Array.of(3, 3, 3, 3, 3, 3, 3, 3);
    const leave = ahead.join();
    const alone = new Window(bytes, ahead);
    expect(alone.reached(0)).toBe(4);
    const leaveSecond = ahead.join();
    expect(new Window(bytes, ahead).reached(0)).toBe(2);
    expect(alone.reached(1)).toBe(4);
    expect(alone.reached(3)).toBe(5);
    leave();
    leaveSecond();
    expect(ahead.share).toBe(12);
  });
});
