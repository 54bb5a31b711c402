import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ahead } from "./ahead.js";

describe("the window of what is prepared", () => {
  const stages = (...bytes: number[]) => bytes.map((drawn) => ({ drawn, expanded: 0 }));
  const open = (budget: number, ...bytes: number[]) => new Ahead(budget).open(stages(...bytes));

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
    const bytes = stages(3, 3, 3, 3, 3, 3, 3, 3);
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

  it("has room for what keys expand to, or leaves that to their use", () => {
    const ahead = new Ahead(25);
    const window = ahead.open(Array.from({ length: 6 }, () => ({ drawn: 1, expanded: 10 })));
    expect(window.reached(0)).toBe(2);
    expect([window.expands(0), window.expands(1), ahead.held]).toEqual([true, true, 22]);
    const other = ahead.open(Array.from({ length: 6 }, () => ({ drawn: 1, expanded: 10 })));
    expect(other.reached(0)).toBe(2);
    expect([other.expands(0), other.expands(1), ahead.held]).toEqual([false, false, 24]);
    // the first one has used a stage: the next one is no larger than its share
    expect(window.reached(1)).toBe(3);
    expect([window.expands(2), ahead.held]).toEqual([false, 14]);
    window.close();
    expect(other.reached(1)).toBe(4);
    expect([other.expands(2), other.expands(3), ahead.held]).toEqual([true, true, 23]);
  });

  it("takes what it holds along into another budget", () => {
    const [pool, running] = [new Ahead(4), new Ahead(9)];
    const window = pool.open(stages(2, 2, 2, 2, 2, 2));
    expect([window.reached(0), pool.held]).toEqual([2, 4]);
    window.move(running);
    expect([pool.held, running.held, pool.open(stages(2, 2)).reached(0)]).toEqual([0, 4, 2]);
    expect([window.reached(0), running.held]).toEqual([4, 8]);
    window.close();
    expect([running.held, running.share]).toEqual([0, 9]);
  });
});
