/** When the heart of ecg.ts beats, and which kind of beat it is. */
import { gaussian } from "./random.js";
import type { Heart } from "./waves.js";

/**
 * - `normal`: from the sinus node, with respiratory and slow variation.
 * - `premature-ventricular`: every few beats one from a ventricle, followed by a compensatory pause.
 * - `premature-atrial`: every few beats one from an atrium, which resets the sinus node.
 * - `tachycardia`: from the sinus node, about 140 a minute (its beats are of class N).
 * - `ventricular-runs`: runs of some beats from a ventricle, about 150 a minute.
 */
export type Rhythm = (typeof rhythms)[number];

export const rhythms = [
  "normal",
  "premature-ventricular",
  "premature-atrial",
  "tachycardia",
  "ventricular-runs",
] as const;

export type BeatKind = "normal" | "atrial" | "ventricular";

export interface ScheduledBeat {
  /** Of the R peak, seconds from the beginning. */
  time: number;
  kind: BeatKind;
  /** The sinus node's interval at that time, seconds. */
  interval: number;
}

/** Standard deviation of the heart rate, beats a minute. */
const VARIATION = 2.5;
/** Two bands of the paper's spectrum of RR intervals: centre, width (Hz) and share of the power (LF/HF = 0.5). */
const BANDS = [
  { centre: 0.1, width: 0.01, power: 1 / 3 },
  { centre: 0.25, width: 0.01, power: 2 / 3 },
];
/** Cosines of random phase in each band. */
const TONES = 6;
const TACHYCARDIA = 140;
/** Seconds that the rate takes to follow a change of the rhythm. */
const FOLLOW = 3;

export class HeartClock {
  rhythm: Rhythm;
  /** The last beat's R peak, seconds. */
  last = 0.3;
  private readonly heart: Heart;
  private readonly random: () => number;
  private readonly tones: { frequency: number; phase: number; size: number }[];
  private rate: number;
  /** Kinds of beats that are decided already. */
  private queue: BeatKind[] = [];
  /** Sinus beats until the next premature one. */
  private left: number;
  private before: BeatKind = "normal";
  /** The sinus node's last beat: a ventricular one does not change its time. */
  private sinus = 0.3;

  constructor(heart: Heart, rhythm: Rhythm, random: () => number) {
    this.heart = heart;
    this.rhythm = rhythm;
    this.random = random;
    this.rate = rhythm === "tachycardia" ? TACHYCARDIA : heart.heartRate;
    this.tones = BANDS.flatMap(({ centre, width, power }) =>
      Array.from({ length: TONES }, () => ({
        frequency: centre + width * gaussian(random),
        phase: 2 * Math.PI * random(),
        size: Math.sqrt((2 * power) / TONES),
      })),
    );
    this.left = this.pause();
  }

  /** The next beat. */
  beat(): ScheduledBeat {
    const interval = this.interval();
    const kind = this.kind();
    const { atrial, ventricular, variation } = this.heart.coupling;
    const jitter = Math.max(0.8, 1 + variation * gaussian(this.random));
    if (kind === "ventricular") {
      const run = this.before === "ventricular";
      // in a run about 150 a minute
      this.last += run ? 0.4 * jitter : interval * ventricular * jitter;
    } else if (kind === "atrial") {
      this.last += interval * atrial * jitter;
      // the sinus node begins anew, a little later than after a beat of its own
      this.sinus = this.last + 0.1 * interval;
    } else {
      let next = this.sinus + interval;
      // sinus beats that meet a heart still at rest after a ventricular beat are lost: the compensatory pause
      while (next < this.last + 0.7 * interval) next += interval;
      this.last = next;
      this.sinus = next;
    }
    this.before = kind;
    return { time: this.last, kind, interval };
  }

  private interval(): number {
    const target = this.rhythm === "tachycardia" ? TACHYCARDIA : this.heart.heartRate;
    this.rate += (target - this.rate) * Math.min(1, 60 / this.rate / FOLLOW);
    const sway = this.tones.reduce(
      (sum, { frequency, phase, size }) => sum + size * Math.cos(2 * Math.PI * frequency * this.last + phase),
      0,
    );
    return 60 / Math.max(30, this.rate + VARIATION * sway);
  }

  private kind(): BeatKind {
    const queued = this.queue.shift();
    if (queued !== undefined) return queued;
    if (this.rhythm === "normal" || this.rhythm === "tachycardia") return "normal";
    if (this.left-- > 0) return "normal";
    this.left = this.pause();
    if (this.rhythm === "premature-atrial") return "atrial";
    if (this.rhythm === "ventricular-runs")
      this.queue = Array.from({ length: 3 + Math.floor(5 * this.random()) }, () => "ventricular");
    return "ventricular";
  }

  private pause(): number {
    return 2 + Math.floor(5 * this.random());
  }
}
