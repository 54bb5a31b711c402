import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resample } from "./resample.js";

const sine = (frequency: number, rate: number, seconds = 4) =>
  Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * frequency * i) / rate));

/** Without the ends, where the signal is not known. */
const middle = (samples: Float32Array) => [...samples].slice(50, -50);

describe("resampling", () => {
  it("keeps what both rates can hold", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 90, max: 1000 }),
        fc.integer({ min: 90, max: 400 }),
        fc.double({ min: 0.5, max: 25, noNaN: true }),
        (from, to, frequency) => {
          const expected = middle(sine(frequency, to));
          const found = middle(resample(sine(frequency, from), from, to)).slice(0, expected.length);
          for (const [i, value] of found.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(0.05);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("keeps out what the new rate can't hold", () => {
    expect(Math.max(...middle(resample(sine(100, 500), 500, 125)))).toBeLessThan(0.02);
  });

  it("gives as many samples as there is time for", () => {
    expect(resample(new Float32Array(361), 360, 125)).toHaveLength(126);
    expect(resample([], 360, 125)).toHaveLength(0);
    expect([...resample([1, 2, 3], 125, 125)]).toEqual([1, 2, 3]);
  });

  it("refuses rates that are none", () => {
    for (const rate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => resample([1, 2], rate, 125)).toThrow(/sampling rate of .*expected a positive number/);
  });
});
