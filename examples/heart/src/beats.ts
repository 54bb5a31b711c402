/**
 * Finds heartbeats in a running ECG, after
 *
 *   J. Pan, W. J. Tompkins: A real-time QRS detection algorithm. IEEE Transactions on Biomedical Engineering 32(3),
 *   230-236, 1985:
 *
 * a band-pass filter for QRS complexes, slope, square, mean over 150 ms; then thresholds that follow the peaks of signal and of noise,
 * half of them where a beat is overdue, and a T wave is told from a beat by its slope.
 */
import { bandPass, type Filter } from "./filter.js";
import { resample } from "./resample.js";

/** Samples a second that everything here works at. */
export const RATE = 125;
/** Samples of a beat's window, and of those the ones before its R peak. */
export const WINDOW = 128;
export const BEFORE = 48;

export interface Beat {
  /** Its R peak: a sample, counted from the first. */
  sample: number;
  /** The samples from `sample - BEFORE` on, as they came. */
  window: Float32Array;
  /** RR intervals to the beat before and after, seconds. */
  before: number;
  after: number;
}

const seconds = (s: number) => Math.round(s * RATE);
/** Samples of the mean. */
const MEAN = seconds(0.15);
/** Between noise and signal. The paper has a quarter of the squares' mean; here it is of its root, so that flat beats are found. */
const THRESHOLD = 0.28;
/** No two beats are closer. */
const REFRACTORY = seconds(0.2);
/** Within so much after a beat, what is less than half as steep is its T wave. */
const T_WAVE = seconds(0.36);
/** The thresholds begin with the largest peak of this time. */
const LEARN = seconds(2);
/** A beat is overdue after so many mean intervals. */
const OVERDUE = 1.66;
/** The R peak is the largest deflection from here before to here after the middle of the mean's window. */
const SEARCH = seconds(0.11);
/** Samples by which the peak of the mean comes after the R peak: half of the mean's window, and the filter's delay. */
const DELAY = seconds(0.11);
/** Samples that are kept: the longest wait for a beat, its window before it and what the search goes back. */
const KEEP = seconds(6);

interface Peak {
  /** Sample of the averaged signal. */
  at: number;
  height: number;
  slope: number;
}

/** Takes samples as they come. A beat is given once the one after it is known, whose time is one of its features. */
export class BeatDetector {
  private readonly filter: Filter = bandPass(RATE, 5, 15);
  private readonly raw = new Float32Array(KEEP);
  private readonly steep = new Float32Array(MEAN);
  private readonly recent = [0, 0, 0, 0, 0];
  private count = 0;
  private sum = 0;
  private readonly means = [0, 0, 0];
  private rising: Peak | undefined;
  private learning = 0;
  private signal = 0;
  private noise = 0;
  private last: Peak | undefined;
  private missed: Peak | undefined;
  private interval = seconds(0.8);
  /** R peaks without a beat yet: at most the last three. */
  private peaks: number[] = [];

  /** @param samples at RATE, in any unit. @returns the beats that are complete with them, in order */
  push(samples: ArrayLike<number>): Beat[] {
    const beats: Beat[] = [];
    for (let i = 0; i < samples.length; i++) {
      this.take(samples[i]!);
      const beat = this.complete();
      if (beat) beats.push(beat);
    }
    return beats;
  }

  private take(value: number): void {
    const now = this.count++;
    this.raw[now % KEEP] = value;
    const filtered = this.filter(value);
    this.recent.push(filtered);
    const [a, b, , d, e] = this.recent as [number, number, number, number, number, number];
    this.recent.shift();
    // the paper's five-point derivative
    const slope = (2 * e + d - b - 2 * a) / 8;
    const place = now % MEAN;
    this.sum += slope * slope - this.steep[place]!;
    this.steep[place] = slope * slope;
    this.means.push(Math.sqrt(Math.max(0, this.sum) / MEAN));
    this.means.shift();
    if (now < LEARN) {
      // the filter's first answer is to the signal's offset and not to a beat
      if (now > LEARN / 8) this.learning = Math.max(this.learning, this.means[2]!);
      this.signal = this.learning * 0.6;
      this.noise = this.learning * 0.1;
      this.pending(now);
      if (now === LEARN - 1) this.settle();
      return;
    }
    this.pending(now);
    this.overdue(now);
  }

  private early: Peak[] = [];

  /** Peaks of the averaged signal: one stays if none is higher within the refractory time. */
  private pending(now: number): void {
    const [before, middle, after] = this.means as [number, number, number];
    if (middle > before && middle >= after && middle > (this.rising?.height ?? 0)) {
      this.rising = { at: now - 1, height: middle, slope: Math.sqrt(Math.max(...this.steep)) };
    }
    if (this.rising && now - this.rising.at >= REFRACTORY) {
      const peak = this.rising;
      this.rising = undefined;
      if (now < LEARN) this.early.push(peak);
      else this.judge(peak);
    }
  }

  /** Peaks of the learning time, now that there are thresholds. */
  private settle(): void {
    for (const peak of this.early) if (peak.at > LEARN / 8) this.judge(peak);
    this.early = [];
  }

  private judge(peak: Peak): void {
    const threshold = this.noise + THRESHOLD * (this.signal - this.noise);
    const since = this.last ? peak.at - this.last.at : Number.POSITIVE_INFINITY;
    const isTWave = this.last && since < T_WAVE && peak.slope < this.last.slope / 2;
    if (peak.height > threshold && since >= REFRACTORY && !isTWave) {
      this.accept(peak, 1 / 8);
      return;
    }
    this.noise += (peak.height - this.noise) / 8;
    if (!isTWave && since >= T_WAVE && peak.height > (this.missed?.height ?? 0)) this.missed = peak;
  }

  /** Where no beat came for long, the highest peak since is one, if it reaches half of the threshold. */
  private overdue(now: number): void {
    if (!this.last || !this.missed || now - this.last.at < OVERDUE * this.interval) return;
    const threshold = this.noise + THRESHOLD * (this.signal - this.noise);
    if (this.missed.height > threshold / 2) this.accept(this.missed, 1 / 4);
    else {
      // the signal has become weaker
      this.signal *= 0.9;
      this.missed = undefined;
    }
  }

  private accept(peak: Peak, weight: number): void {
    // one artefact must not deafen the detector
    this.signal += (Math.min(peak.height, 4 * this.signal) - this.signal) * weight;
    if (this.last) {
      const interval = Math.min(seconds(2), peak.at - this.last.at);
      this.interval += (interval - this.interval) / 8;
    }
    this.last = peak;
    this.missed = undefined;
    const at = this.refine(peak.at - DELAY);
    const previous = this.peaks.at(-1);
    if (at >= 0 && (previous === undefined || at > previous)) this.peaks.push(at);
  }

  /** The largest deflection from the level around a place. */
  private refine(middle: number): number {
    const from = Math.max(0, this.count - KEEP, middle - 2 * SEARCH);
    const to = Math.min(this.count - 1, middle + 2 * SEARCH);
    const level = median(Array.from({ length: to - from + 1 }, (_, i) => this.raw[(from + i) % KEEP]!));
    let best = middle;
    let most = -1;
    for (let i = Math.max(from, middle - SEARCH); i <= Math.min(to, middle + SEARCH); i++) {
      const deflection = Math.abs(this.raw[i % KEEP]! - level);
      if (deflection > most) [most, best] = [deflection, i];
    }
    return best;
  }

  /** The beat before the last one, once its window is complete. */
  private complete(): Beat | undefined {
    if (this.peaks.length < 3) return undefined;
    const [previous, at, next] = this.peaks as [number, number, number];
    const begin = at - BEFORE;
    if (this.count < begin + WINDOW) return undefined;
    this.peaks.shift();
    // lost after a long pause, or before the first sample
    if (begin < Math.max(0, this.count - KEEP)) return undefined;
    const window = Float32Array.from({ length: WINDOW }, (_, i) => this.raw[(begin + i) % KEEP]!);
    return { sample: at, window, before: (at - previous) / RATE, after: (next - at) / RATE };
  }
}

/**
 * The beats of a whole signal. The first beat and the last one are not given: an interval of theirs is unknown.
 * @param rate samples a second; the beats' samples are at RATE.
 */
export function findBeats(signal: ArrayLike<number>, rate: number): Beat[] {
  return new BeatDetector().push(resample(signal, rate, RATE));
}

/** The middle one of some numbers. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
