import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WINDOW } from "./beats.js";
import { FEATURES, featuresOf, POINTS, RANGE } from "./features.js";
import { generateBeats } from "./generated.js";
import { seeded } from "./random.js";

const beat = fc.record({
  window: fc.array(fc.float({ noNaN: true, min: -10, max: 10 }), { minLength: WINDOW, maxLength: WINDOW }),
  before: fc.double({ min: 0, max: 100, noNaN: true }),
  after: fc.double({ min: 0, max: 100, noNaN: true }),
});
const arbitrary = fc
  .array(beat, { minLength: 1, maxLength: 12 })
  .map((beats) => beats.map((b) => ({ ...b, window: Float32Array.from(b.window) })));

const { beats, labels } = generateBeats({ random: seeded(5), rhythm: "premature-ventricular" }, 60);
const row = (features: Float32Array, i: number) => features.slice(i * FEATURES, (i + 1) * FEATURES);

describe("the features of beats", () => {
  it("are within the range that is declared, whatever comes", () => {
    fc.assert(
      fc.property(arbitrary, (list) => {
        for (const value of featuresOf(list)) expect(Math.abs(value)).toBeLessThanOrEqual(RANGE);
      }),
      { numRuns: 50 },
    );
  });

  it("do not depend on later beats", () => {
    const all = featuresOf(beats);
    expect(featuresOf(beats.slice(0, 7))).toEqual(all.slice(0, 7 * FEATURES));
  });

  it("do not depend on the signal's unit and offset", () => {
    const other = beats.map((b) => ({ ...b, window: b.window.map((value) => 200 * value + 1024) }));
    const [a, b] = [featuresOf(beats), featuresOf(other)];
    for (const [i, value] of a.entries()) expect(Math.abs(value - b[i]!)).toBeLessThan(1e-3);
  });

  it("of a constant beat say that nothing is unusual", () => {
    const window = Float32Array.from({ length: WINDOW }, (_, i) => (i === 48 ? 1 : 0));
    const features = featuresOf(Array.from({ length: 5 }, () => ({ window, before: 0.8, after: 0.8 })));
    const last = row(features, 4);
    expect(last[12]).toBe(1); // a quarter of the peak's window of four, in units of itself
    expect([...last.slice(POINTS, 2 * POINTS)]).toEqual(Array(POINTS).fill(0));
    expect([...last.slice(2 * POINTS)].map((x) => Number(x.toFixed(6)))).toEqual([0, 0, 0, 0.8, 0]);
  });

  it("show a premature ventricular beat as early, followed late, and different", () => {
    const features = featuresOf(beats);
    const early = labels.flatMap((label, i) => (label === "V" && i > 3 ? [row(features, i)] : []));
    expect(early.length).toBeGreaterThan(5);
    for (const values of early) {
      expect(values[2 * POINTS]).toBeLessThan(-0.5);
      expect(values[2 * POINTS + 1]).toBeGreaterThan(0.3);
      expect(values[2 * POINTS + 4]).toBeGreaterThan(0.8);
    }
  });
});
