import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EcgBlock, EcgGenerator, type EcgOptions } from "./ecg.js";
import { seeded } from "./random.js";
import { rhythms } from "./rhythm.js";
import { paperWaves } from "./waves.js";

function run(seconds: number, options: Partial<EcgOptions> = {}): EcgBlock {
  const generator = new EcgGenerator({ random: seeded(1), ...options });
  return generator.next(seconds * generator.rate);
}

/** Seconds between the beats. */
const intervals = ({ beats }: EcgBlock, rate = 125) =>
  beats.slice(1).map(({ sample }, i) => (sample - beats[i]!.sample) / rate);
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe("the generated ECG", () => {
  it("has the waves of the paper's table, in its range of -0.4 to 1.2 mV", () => {
    expect(paperWaves().map(({ height }) => Number(height.toFixed(2)))).toEqual([0.3, -0.2, 1.2, -0.3, 0.48]);
    const { samples } = run(60, { noise: 0 });
    expect(Math.max(...samples)).toBeGreaterThan(1);
    expect(Math.max(...samples)).toBeLessThan(1.3);
    expect(Math.min(...samples)).toBeGreaterThan(-0.7);
  });

  it("peaks where it says that it beats", () => {
    const { samples, beats } = run(30, { noise: 0 });
    for (const { sample } of beats.slice(0, -1)) {
      const around = [...samples.slice(sample - 30, sample + 31)];
      expect(Math.abs(around.indexOf(Math.max(...around)) - 30)).toBeLessThanOrEqual(1);
    }
  });

  it("does not depend on how many samples are taken at a time", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...rhythms),
        fc.constantFrom(125, 256, 360, 1000),
        (sizes, rhythm, rate) => {
          const total = sizes.reduce((a, b) => a + b, 0);
          const whole = new EcgGenerator({ random: seeded(2), rhythm, rate }).next(total);
          const generator = new EcgGenerator({ random: seeded(2), rhythm, rate });
          const blocks = sizes.map((size) => generator.next(size));
          expect(blocks.flatMap(({ samples }) => [...samples])).toEqual([...whole.samples]);
          expect(blocks.flatMap(({ beats }) => beats)).toEqual(whole.beats);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("beats at rest as often as asked for, with the variation of breathing", () => {
    const rr = intervals(run(120));
    expect(60 / mean(rr)).toBeCloseTo(68, -0.5);
    const deviation = Math.sqrt(mean(rr.map((value) => (value - mean(rr)) ** 2)));
    expect(deviation).toBeGreaterThan(0.01);
    expect(deviation).toBeLessThan(0.08);
  });

  it("has premature ventricular beats with a compensatory pause", () => {
    const block = run(120, { rhythm: "premature-ventricular" });
    const rr = intervals(block);
    const usual = 60 / 68;
    const early = block.beats.flatMap(({ label }, i) => (label === "V" && rr[i - 1] && rr[i] ? [i] : []));
    expect(early.length).toBeGreaterThan(10);
    for (const i of early) {
      expect(rr[i - 1]!).toBeLessThan(0.75 * usual);
      expect((rr[i - 1]! + rr[i]!) / usual).toBeCloseTo(2, 0);
    }
  });

  it("has premature atrial beats after which the sinus node begins anew", () => {
    const block = run(120, { rhythm: "premature-atrial" });
    const rr = intervals(block);
    const early = block.beats.flatMap(({ label }, i) => (label === "S" && rr[i - 1] && rr[i] ? [i] : []));
    expect(early.length).toBeGreaterThan(10);
    expect(mean(early.map((i) => rr[i - 1]!)) / (60 / 68)).toBeLessThan(0.75);
    expect(mean(early.map((i) => rr[i - 1]! + rr[i]!)) / (60 / 68)).toBeLessThan(1.9);
  });

  it("changes its rhythm while it runs, there and back", () => {
    const generator = new EcgGenerator({ random: seeded(3) });
    const rate = (seconds: number) => 60 / mean(intervals(generator.next(seconds * 125)));
    expect(rate(20)).toBeLessThan(75);
    generator.rhythm = "tachycardia";
    generator.next(15 * 125);
    expect(rate(10)).toBeGreaterThan(130);
    generator.rhythm = "ventricular-runs";
    const labels = generator.next(30 * 125).beats.map(({ label }) => label);
    expect(labels.join("")).toMatch(/VVV/);
    generator.rhythm = "normal";
    generator.next(15 * 125);
    expect(rate(20)).toBeLessThan(75);
  });
});
