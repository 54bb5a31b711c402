/**
 * What the model gets of a beat: its time step. Computed by the client, from this beat and those before it (and the RR
 * interval after it). The training reads what this file gives: train/prepare.mjs.
 */
import { type Beat, median, WINDOW } from "./beats.js";

/** Averages that a window is reduced to, of four samples each. */
export const POINTS = 32;
/** Features of a beat: waveform, its difference from the usual one, and five numbers more. */
export const FEATURES = 2 * POINTS + 5;
/** No feature is larger: the range to declare to the compiler. */
export const RANGE = 4;

/** Beats that a running mean remembers, about. */
const MEMORY = 32;
/** Factors that bring features of different kind to similar size. */
const DIFFERENCE = 4;
const RHYTHM = 4;
const DISTANCE = 8;
/** RR intervals beyond these are artefacts: seconds. */
const SHORTEST = 0.2;
const LONGEST = 2.5;

/** A running mean: of all values at first, then with more weight on the newest ones. */
class Mean {
  private readonly values: Float64Array;
  private count = 0;

  constructor(size: number) {
    this.values = new Float64Array(size);
  }

  /** Takes a value in. @param most how many times the mean so far (of positive values) it counts at most. */
  add(value: ArrayLike<number>, most?: number): Float64Array {
    this.count = Math.min(MEMORY, this.count + 1);
    for (let i = 0; i < this.values.length; i++) {
      const mean = this.values[i]!;
      const limit = most === undefined || this.count === 1 ? Number.POSITIVE_INFINITY : most * mean;
      this.values[i] = mean + (Math.min(value[i]!, limit) - mean) / this.count;
    }
    return this.values;
  }
}

/** Features of beats in a row; one object for each recording. */
export class BeatFeatures {
  private readonly size = new Mean(1);
  private readonly interval = new Mean(1);
  private readonly usual = new Mean(POINTS);

  /**
   * The next beat's features, each within ±RANGE:
   *
   * - POINTS averages of the window, less its median, in units of the usual height of a beat (so neither the unit nor the
   *   offset of the signal matters);
   * - POINTS differences of these from the usual beat;
   * - how much earlier than usual it came, and the next one came, and their ratio (logarithms), its RR interval
   *   (seconds), and how different it is in all (root mean square).
   */
  next({ window, before, after }: Pick<Beat, "window" | "before" | "after">): Float32Array {
    const level = median(window);
    const step = WINDOW / POINTS;
    const wave = Float64Array.from({ length: POINTS }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < step; j++) sum += window[i * step + j]!;
      return sum / step - level;
    });
    const height = this.size.add([Math.max(Math.max(...wave) - Math.min(...wave), 1e-9)], 2)[0]!;
    for (let i = 0; i < POINTS; i++) wave[i]! /= height;
    const usual = this.usual.add(wave);
    const difference = wave.map((value, i) => value - usual[i]!);
    const [early, late] = [clip(before, SHORTEST, LONGEST), clip(after, SHORTEST, LONGEST)];
    const mean = this.interval.add([early])[0]!;
    const features = [
      ...wave,
      ...difference.map((value) => DIFFERENCE * value),
      RHYTHM * Math.log(early / mean),
      RHYTHM * Math.log(late / mean),
      RHYTHM * Math.log(late / early),
      early,
      DISTANCE * Math.sqrt(difference.reduce((sum, value) => sum + value * value, 0) / POINTS),
    ];
    return Float32Array.from(features, (value) => clip(value, -RANGE, RANGE));
  }
}

function clip(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** The features of a recording's beats: [beats, FEATURES], row-major. */
export function featuresOf(beats: Pick<Beat, "window" | "before" | "after">[]): Float32Array {
  const features = new BeatFeatures();
  const all = new Float32Array(beats.length * FEATURES);
  for (const [i, beat] of beats.entries()) all.set(features.next(beat), i * FEATURES);
  return all;
}
