/** The two public sets that the models were trained and measured on, from a folder that has them (Node only). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SottoError } from "@sotto/core";
import { type NpyArray, readNpy } from "@sotto/model/npy";
import { type Beat, WINDOW } from "./beats.js";
import { FEATURES, featuresOf, RANGE } from "./features.js";
import { beatClasses, ecg5000Classes } from "./index.js";
import { seeded } from "./random.js";

export type Part = "train" | "validation" | "test" | "all";

export interface Sample {
  /** By the model's names, without privacy. The batch is 1. */
  inputs: Record<string, { shape: number[]; data: Float32Array }>;
  /** The class of each step that the model answers, as an index of `classes`. */
  labels: number[];
}

export interface Samples {
  classes: readonly string[];
  modelPath: string;
  /** What to declare to the compiler (`range`, `--input-range`), by input. */
  range: Record<string, number>;
  samples: Sample[];
}

/** Patients (records) by part: no patient is in two of them. */
export const records = {
  train: [101, 108, 109, 112, 116, 122, 201, 203, 207, 208, 209, 215, 230],
  validation: [106, 115, 118, 223],
  test: [114, 119, 124, 205, 220],
} as const;

/** Beats of a sample of MIT-BIH. A stream goes on for ever; a sample is a piece of it that begins with a zero state. */
const STRETCH = 20;
/** ADC units in a millivolt. */
const GAIN = 200;

export function beatModelPath(): string {
  return fileURLToPath(new URL("../model/beats.onnx", import.meta.url));
}

export function ecg5000ModelPath(): string {
  return fileURLToPath(new URL("../model/ecg5000.onnx", import.meta.url));
}

export interface Recording {
  record: number;
  beats: Pick<Beat, "window" | "before" | "after">[];
  labels: number[];
}

/**
 * The beats of MIT-BIH, by record, in their order.
 * @param folder beats.npy, labels.npy, rr_ms.npy and records.npy (model/README.md says what they hold)
 * @throws SottoError `bad-input` if they do not fit together
 */
export async function readRecordings(folder: string): Promise<Recording[]> {
  // one after the other: where several cannot be read, the first of them is named
  const beats = await npy(folder, "beats.npy", [WINDOW]);
  const labels = await npy(folder, "labels.npy", []);
  const intervals = await npy(folder, "rr_ms.npy", [2]);
  const numbers = await npy(folder, "records.npy", []);
  const count = beats.shape[0]!;
  for (const [name, { shape }] of Object.entries({ labels, rr_ms: intervals, records: numbers }))
    if (shape[0] !== count)
      throw new SottoError("bad-input", `${folder}: ${shape[0]} rows in ${name}.npy, ${count} in beats.npy`);
  const recordings = new Map<number, Recording>();
  for (let i = 0; i < count; i++) {
    const record = numbers.data[i]!;
    const recording = recordings.get(record) ?? { record, beats: [], labels: [] };
    recordings.set(record, recording);
    recording.beats.push({
      window: Float32Array.from({ length: WINDOW }, (_, j) => beats.data[i * WINDOW + j]! / GAIN),
      before: intervals.data[2 * i]! / 1000,
      after: intervals.data[2 * i + 1]! / 1000,
    });
    recording.labels.push(labels.data[i]!);
  }
  return [...recordings.values()];
}

/**
 * Stretches of beats in a row, for the model of beats: input `beats` [1, steps, FEATURES], a label for each step. The
 * features are those of the running record; what is left over at a record's end, less than a stretch, is not used.
 * @param part "all" for records of another split
 */
export async function mitbihSamples(folder: string, part: Part = "test", steps = STRETCH): Promise<Samples> {
  const chosen: readonly number[] = part === "all" ? [] : records[part];
  const samples: Sample[] = [];
  for (const { record, beats, labels } of await readRecordings(folder)) {
    if (part !== "all" && !chosen.includes(record)) continue;
    const features = featuresOf(beats);
    for (let i = 0; i + steps <= beats.length; i += steps) {
      const data = features.slice(i * FEATURES, (i + steps) * FEATURES);
      samples.push({
        inputs: { beats: { shape: [1, steps, FEATURES], data } },
        labels: labels.slice(i, i + steps),
      });
    }
  }
  return { classes: beatClasses, modelPath: beatModelPath(), range: { beats: RANGE }, samples };
}

/** Of 500 beats: shares of each class. */
const SHARES = { train: 0.5, validation: 0.2 };
/** The largest value that the model takes: ECG5000 is standardised, and stays below it. */
const ECG5000_RANGE = 8;

/**
 * Beats of ECG5000 (UCR archive), for the model of samples: input `ecg` [1, 140, 1], one label.
 * @param folder with ECG5000_TRAIN.txt (lines of the label, 1 to 5, and 140 values), which is split here, class by class and
 *   by a fixed seed. "all" takes every beat.
 * @param file another file of the same form
 */
export async function ecg5000Samples(
  folder: string,
  part: Part = "test",
  file = "ECG5000_TRAIN.txt",
): Promise<Samples> {
  const rows = (await read(folder, file)).toString("utf8").trim().split(/\r?\n/);
  const beats = rows.map((row, i) => {
    const [label, ...values] = row
      .trim()
      .split(/[\s,]+/)
      .map(Number);
    if (values.length !== 140 || !values.every(Number.isFinite) || !ecg5000Classes[label! - 1])
      throw new SottoError("bad-input", `${file}: line ${i + 1} is not a label of 1 to 5 and 140 numbers`);
    return { label: label! - 1, data: Float32Array.from(values) };
  });
  const chosen = part === "all" ? beats : split(beats)[part];
  return {
    classes: ecg5000Classes,
    modelPath: ecg5000ModelPath(),
    range: { ecg: ECG5000_RANGE },
    samples: chosen.map(({ label, data }) => ({
      inputs: { ecg: { shape: [1, data.length, 1], data } },
      labels: [label],
    })),
  };
}

/** Shuffles each class by a fixed seed, and gives each part its share of it. */
function split<T extends { label: number }>(all: T[]): Record<Exclude<Part, "all">, T[]> {
  const parts: Record<Exclude<Part, "all">, T[]> = { train: [], validation: [], test: [] };
  const random = seeded(1);
  for (const label of ecg5000Classes.keys()) {
    const of = all.filter((beat) => beat.label === label);
    for (let i = of.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [of[i], of[j]] = [of[j]!, of[i]!];
    }
    const first = Math.round(SHARES.train * of.length);
    const second = first + Math.round(SHARES.validation * of.length);
    parts.train.push(...of.slice(0, first));
    parts.validation.push(...of.slice(first, second));
    parts.test.push(...of.slice(second));
  }
  return parts;
}

async function npy(folder: string, name: string, rest: number[]): Promise<NpyArray> {
  const array = readNpy(await read(folder, name));
  const [, ...axes] = array.shape;
  if (array.shape.length === 0 || axes.join() !== rest.join())
    throw new SottoError(
      "bad-input",
      `${join(folder, name)}: its shape is [${array.shape}]; expected [${["beats", ...rest]}]`,
    );
  return array;
}

async function read(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, name));
  } catch (cause) {
    throw new SottoError(
      "not-found",
      `${join(folder, name)}: cannot be read; model/README.md says where the set is`,
      {
        cause,
      },
    );
  }
}
