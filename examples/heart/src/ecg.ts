/**
 * A generated electrocardiogram, sample after sample, from the dynamical model of
 *
 *   P. E. McSharry, G. D. Clifford, L. Tarassenko, L. A. Smith: A dynamical model for generating synthetic
 *   electrocardiogram signals. IEEE Transactions on Biomedical Engineering 50(3), 289-294, 2003.
 *
 * Its trajectory turns around a limit cycle, once a beat, and each wave pulls z up and down as the phase θ passes
 * its place: dz/dt = -Σ a_i Δθ_i exp(-Δθ_i² / 2 b_i²) - (z - z0), where z0 is respiration, 0.15 mV sin(2π f2 t). On the
 * cycle θ moves with ω = 2π / RR, so that with Δθ_i = ω (t - t_i), b_i = ω σ_i and a_i = A_i ω / b_i² the sum reads
 *
 *   dz/dt = -Σ A_i (t - t_i) / σ_i² exp(-(t - t_i)² / 2 σ_i²) - (z - z0),
 *
 * where A_i is the wave's height, and t_i its time. In this form a beat can come early, and have a shape of its own: that is
 * how premature beats are made (the paper has none; rhythms by switching between kinds of beats are those of Clifford,
 * Nemati, Sameni: An artificial vector model for generating abnormal electrocardiographic rhythms, Physiological
 * Measurement 31, 2010).
 */
import { gaussian } from "./random.js";
import { type BeatKind, HeartClock, type Rhythm } from "./rhythm.js";
import { type Heart, standardHeart, type Wave } from "./waves.js";

export interface EcgOptions {
  /** Uniform numbers of [0, 1): a seeded source, or Math.random. Nothing secret depends on it. */
  random: () => number;
  /** Samples a second; default 125, which the model of beats takes. */
  rate?: number;
  /** Default: "normal". */
  rhythm?: Rhythm;
  /** Default: the paper's. */
  heart?: Heart;
  /** Standard deviation of the measurement's noise, mV; default 0.01. */
  noise?: number;
}

/** A beat that was generated. */
export interface GeneratedBeat {
  /** The sample nearest to its R peak, counted from the generator's first. */
  sample: number;
  kind: BeatKind;
  /** The class of ANSI/AAMI EC57: N, S (supraventricular ectopic) or V (ventricular ectopic). */
  label: "N" | "S" | "V";
}

export interface EcgBlock {
  /** mV. */
  samples: Float32Array;
  /** Beats whose R peak is within this block. */
  beats: GeneratedBeat[];
}

const LABELS = { normal: "N", atrial: "S", ventricular: "V" } as const;
/** Waves reach this far from their centre, in widths. */
const REACH = 5;
/** Respiration: mV (the paper's A) and Hz (its f2). */
const RESPIRATION = 0.15;
const BREATHS = 0.25;
/** Integration steps a second, at least. */
const STEPS = 500;
/** Beats are decided this long before their R peak, seconds: their P wave begins earlier than that. */
const AHEAD = 0.5;

interface PlacedWave {
  time: number;
  height: number;
  width: number;
}

export class EcgGenerator {
  readonly rate: number;
  private readonly clock: HeartClock;
  private readonly heart: Heart;
  private readonly random: () => number;
  private readonly noise: number;
  private waves: PlacedWave[] = [];
  private pending: { time: number; kind: BeatKind }[] = [];
  private count = 0;
  private z = 0;

  constructor({ random, rate = 125, rhythm = "normal", heart = standardHeart(), noise = 0.01 }: EcgOptions) {
    this.rate = rate;
    this.heart = heart;
    this.random = random;
    this.noise = noise;
    this.clock = new HeartClock(heart, rhythm, random);
  }

  get rhythm(): Rhythm {
    return this.clock.rhythm;
  }

  /** Takes effect within a beat or two. */
  set rhythm(rhythm: Rhythm) {
    this.clock.rhythm = rhythm;
  }

  /** The next samples. */
  next(count: number): EcgBlock {
    const first = this.count;
    const samples = Float32Array.from({ length: count }, () => this.sample());
    const due = this.pending.filter(({ time }) => Math.round(time * this.rate) < this.count);
    this.pending = this.pending.filter((beat) => !due.includes(beat));
    const beats = due.map(({ time, kind }) => ({
      // a beat right at the first sample of all may round to before it
      sample: Math.max(first, Math.round(time * this.rate)),
      kind,
      label: LABELS[kind],
    }));
    return { samples, beats };
  }

  private sample(): number {
    const now = this.count++ / this.rate;
    while (this.clock.last < now + AHEAD) this.place();
    this.waves = this.waves.filter((wave) => wave.time + REACH * wave.width > now);
    const value = this.z + this.noise * gaussian(this.random);
    const steps = Math.ceil(STEPS / this.rate);
    const dt = 1 / (this.rate * steps);
    for (let i = 0; i < steps; i++) {
      const t = now + i * dt;
      // the sum does not depend on z: its mean over the step is exact to second order
      this.z += dt * ((this.pull(t) + this.pull(t + dt)) / 2 - (this.z - respiration(t)));
    }
    return value;
  }

  /** The next beat's waves. */
  private place(): void {
    const { time, kind, interval } = this.clock.beat();
    this.pending.push({ time, kind });
    const { ventricular, normal, atrial } = this.heart;
    const shape = {
      normal,
      atrial,
      ventricular: ventricular[Math.floor(this.random() * ventricular.length)]!,
    }[kind];
    for (const wave of shape) this.waves.push(placed(wave, time, interval));
  }

  private pull(t: number): number {
    let sum = 0;
    for (const { time, height, width } of this.waves) {
      const d = (t - time) / width;
      if (Math.abs(d) < REACH) sum -= (height / width) * d * Math.exp(-0.5 * d * d);
    }
    return sum;
  }
}

function placed({ height, time, width, stretch }: Wave, peak: number, interval: number): PlacedWave {
  // ECGSYN, the authors' program, widens waves by the root of the RR interval; QRS complexes keep their width here
  const wider = stretch === 0 ? 1 : Math.sqrt(interval);
  return { time: peak + time * interval ** stretch, height, width: width * wider };
}

function respiration(t: number): number {
  return RESPIRATION * Math.sin(2 * Math.PI * BREATHS * t);
}
