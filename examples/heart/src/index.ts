/** Example models of heartbeats, and all that a page needs to feed the first of them. Nothing here needs Node. */

export { BEFORE, type Beat, BeatDetector, findBeats, RATE, WINDOW } from "./beats.js";
export { type CsvSignal, readCsv } from "./csv.js";
export { type EcgBlock, EcgGenerator, type EcgOptions, type GeneratedBeat } from "./ecg.js";
export { BeatFeatures, FEATURES, featuresOf, RANGE } from "./features.js";
export { generateBeats, type LabelledBeats } from "./generated.js";
export { seeded } from "./random.js";
export { resample } from "./resample.js";
export { type BeatKind, type Rhythm, rhythms } from "./rhythm.js";
export { drawHeart, type Heart, paperWaves, standardHeart, type Wave } from "./waves.js";

/** Classes of ANSI/AAMI EC57, in the order of the beat model's outputs. */
export const beatClasses = ["N", "S", "V", "F", "Q"] as const;
export type BeatClass = (typeof beatClasses)[number];

/** What they stand for. */
export const beatClassNames: Readonly<Record<BeatClass, string>> = {
  N: "normal, or bundle branch block",
  S: "supraventricular ectopic",
  V: "ventricular ectopic",
  F: "fusion of ventricular and normal",
  Q: "paced, or not to be classified",
};

/** Classes of ECG5000 (UCR archive), in the order of that model's outputs: labels 1 to 5. */
export const ecg5000Classes = [
  "normal",
  "R-on-T premature ventricular contraction",
  "premature ventricular contraction",
  "supraventricular premature or ectopic beat",
  "unclassified beat",
] as const;
