import { describe, expect, it } from "vitest";
import { confusionOf, differenceOf, figuresOf } from "./metrics.js";

describe("figures", () => {
  it("of three classes are those worked out by hand", () => {
    const confusion = confusionOf([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2], 3);
    expect(confusion).toEqual([
      [2, 1, 0],
      [0, 1, 1],
      [0, 0, 1],
    ]);
    const { accuracy, macroF1, byClass } = figuresOf(confusion);
    expect(accuracy).toBeCloseTo(4 / 6);
    // 2 * 2 / (3 + 2), 2 * 1 / (2 + 2), 2 * 1 / (1 + 2)
    expect(byClass.map((c) => c.f1)).toEqual([4 / 5, 1 / 2, 2 / 3]);
    expect(macroF1).toBeCloseTo((4 / 5 + 1 / 2 + 2 / 3) / 3);
    expect(byClass[1]).toEqual({ precision: 1 / 2, recall: 1 / 2, f1: 1 / 2, count: 2 });
  });

  it("leave out of the mean what is neither there nor answered", () => {
    const { macroF1, byClass } = figuresOf(confusionOf([0, 1], [0, 1], 3));
    expect(macroF1).toBe(1);
    expect(byClass[2]).toEqual({ precision: 0, recall: 0, f1: 0, count: 0 });
  });

  it("count a class as missed where it is answered and not there", () => {
    expect(figuresOf(confusionOf([0, 0], [0, 1], 2)).macroF1).toBeCloseTo((2 / 3 + 0) / 2);
  });
});

describe("two runs beside each other", () => {
  it("differ by their decisions and by every score", () => {
    const a = { decisions: [0, 1], scores: [2, 1, 0, 4] };
    const b = { decisions: [0, 0], scores: [2.5, 1, 0, -1] };
    expect(differenceOf(a, b)).toEqual({ count: 2, equal: 1, maxError: 5, meanError: 5.5 / 4 });
  });

  it("do not differ by infinities that are equal", () => {
    const a = { decisions: [0], scores: [0, -Infinity] };
    expect(differenceOf(a, a)).toEqual({ count: 1, equal: 1, maxError: 0, meanError: 0 });
  });

  it("are refused over different samples", () => {
    expect(() => differenceOf({ decisions: [0], scores: [1] }, { decisions: [], scores: [] })).toThrow(
      "different samples",
    );
  });
});
