import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BEFORE, type Beat, BeatDetector, findBeats, RATE, WINDOW } from "./beats.js";
import { EcgGenerator, type GeneratedBeat } from "./ecg.js";
import { seeded } from "./random.js";
import { rhythms } from "./rhythm.js";
import { drawHeart } from "./waves.js";

interface Case {
  seed: number;
  rhythm: (typeof rhythms)[number];
  rate?: number;
  noise?: number;
}

function signal({ seed, rhythm, rate = RATE, noise = 0.02 }: Case) {
  const random = seeded(seed);
  const generator = new EcgGenerator({ random, heart: drawHeart(random), rhythm, rate, noise });
  return generator.next(25 * rate);
}

/** Beats of the middle, where neither the detector's beginning nor the last beat's missing interval matters: [missed, found too much, all]. */
function compare(found: Beat[], truth: GeneratedBeat[], rate: number): [number, number, number] {
  const times = truth.map(({ sample }) => sample / rate).filter((time) => time > 3 && time < 22);
  const inside = found.map(({ sample }) => sample / RATE).filter((time) => time > 2.9 && time < 22.1);
  const far = (time: number, others: number[]) => others.every((other) => Math.abs(other - time) > 0.12);
  const missed = times.filter((time) => far(time, inside)).length;
  const extra = inside.filter((time) => far(time, times)).length;
  return [missed, Math.max(0, extra - 2), times.length]; // two may belong to the beats just outside
}

const cases = fc.record({
  seed: fc.integer({ min: 1, max: 60 }),
  rhythm: fc.constantFrom(...rhythms),
});

describe("the detector", () => {
  it.each(rhythms)("finds every beat of the standard heart, %s, at any usual sampling rate", (rhythm) => {
    for (const rate of [100, 125, 250, 360, 500]) {
      const generator = new EcgGenerator({ random: seeded(rate), rhythm, rate, noise: 0.02 });
      const { samples, beats } = generator.next(25 * rate);
      expect(compare(findBeats(samples, rate), beats, rate).slice(0, 2)).toEqual([0, 0]);
    }
  });

  it("finds nearly all beats of hearts unlike it", () => {
    const sums = [0, 0, 0];
    for (let seed = 1; seed <= 25; seed++) {
      const { samples, beats } = signal({ seed, rhythm: rhythms[seed % rhythms.length]! });
      for (const [i, count] of compare(findBeats(samples, RATE), beats, RATE).entries()) sums[i]! += count;
    }
    const [missed, extra, all] = sums as [number, number, number];
    expect(all).toBeGreaterThan(700);
    expect(missed / all).toBeLessThan(0.02);
    expect(extra / all).toBeLessThan(0.02);
  });

  it("does not depend on unit, offset, direction, or on how many samples come at a time", () => {
    fc.assert(
      fc.property(
        cases,
        fc.constantFrom(1, 200, -1, 1e-3, 1000),
        fc.double({ min: -3, max: 3, noNaN: true }),
        fc.integer({ min: 1, max: 500 }),
        (base, gain, offset, size) => {
          const { samples } = signal(base);
          const whole = findBeats(samples, RATE);
          const other = samples.map((value) => gain * (value + offset));
          const detector = new BeatDetector();
          const found: Beat[] = [];
          for (let i = 0; i < other.length; i += size) found.push(...detector.push(other.slice(i, i + size)));
          // what is equally high in one may round to another sample in the other
          const late = (beats: Beat[]) =>
            beats.map(({ sample }) => sample).filter((sample) => sample > 3 * RATE);
          expect(late(found).length).toBe(late(whole).length);
          for (const [i, sample] of late(found).entries())
            expect(Math.abs(sample - late(whole)[i]!)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 25, seed: 1 },
    );
  });

  it("gives each beat with its window and the intervals to its neighbours", () => {
    const { samples } = signal({ seed: 1, rhythm: "premature-ventricular" });
    const beats = findBeats(samples, RATE);
    expect(beats.length).toBeGreaterThan(15);
    for (const [i, beat] of beats.entries()) {
      expect([...beat.window]).toEqual([
        ...samples.slice(beat.sample - BEFORE, beat.sample - BEFORE + WINDOW),
      ]);
      if (i > 0) expect(beat.before).toBe(beats[i - 1]!.after);
      if (i > 0) expect(beat.before).toBeCloseTo((beat.sample - beats[i - 1]!.sample) / RATE);
    }
  });

  it("comes back after an artefact, and after a flat line", () => {
    const { samples, beats } = signal({ seed: 4, rhythm: "normal" });
    const spoiled = samples.map((value, i) =>
      i > 1000 && i < 1020 ? value + 15 : i > 1500 && i < 2100 ? 0 : value,
    );
    const late = findBeats(spoiled, RATE).filter(({ sample }) => sample > 2400);
    const expected = beats.filter(({ sample }) => sample > 2400 && sample < 2950);
    expect(late.length).toBeGreaterThanOrEqual(expected.length - 1);
  });

  it("finds nothing where there is nothing", () => {
    expect(findBeats(new Float32Array(2000), RATE)).toEqual([]);
    expect(findBeats([], 250)).toEqual([]);
  });
});
