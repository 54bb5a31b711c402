/** Generated beats as the page sees them: found by the detector, with the labels that the generator knows. */
import { type Beat, BeatDetector, RATE } from "./beats.js";
import { EcgGenerator, type EcgOptions, type GeneratedBeat } from "./ecg.js";

export interface LabelledBeats {
  beats: Beat[];
  /** In the order of `beats`. */
  labels: GeneratedBeat["label"][];
}

/** A found beat is the generated one that is not further away: samples. */
const NEAR = 14;
const BLOCK = 25;

/**
 * Runs generator and detector.
 * @param seconds how long
 * @param each called before each block of samples, to change the rhythm, for example
 */
export function generateBeats(
  options: EcgOptions,
  seconds: number,
  each: (generator: EcgGenerator, second: number) => void = () => {},
): LabelledBeats {
  const generator = new EcgGenerator({ ...options, rate: RATE });
  const detector = new BeatDetector();
  const truth: GeneratedBeat[] = [];
  const result: LabelledBeats = { beats: [], labels: [] };
  for (let count = 0; count < seconds * RATE; count += BLOCK) {
    each(generator, count / RATE);
    const block = generator.next(BLOCK);
    truth.push(...block.beats);
    for (const beat of detector.push(block.samples)) {
      const near = truth.filter(({ sample }) => Math.abs(sample - beat.sample) <= NEAR);
      near.sort((a, b) => Math.abs(a.sample - beat.sample) - Math.abs(b.sample - beat.sample));
      if (near[0] === undefined) continue;
      result.beats.push(beat);
      result.labels.push(near[0].label);
    }
  }
  return result;
}
