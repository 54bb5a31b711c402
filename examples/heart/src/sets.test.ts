import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeNpy } from "@sotto/model/npy";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WINDOW } from "./beats.js";
import { FEATURES, featuresOf } from "./features.js";
import { generateBeats } from "./generated.js";
import { seeded } from "./random.js";
import { ecg5000Samples, mitbihSamples, type Part, readRecordings, records } from "./sets.js";

const { beats } = generateBeats({ random: seeded(1) }, 45);
/** Some beats of a training patient and of two test patients, as a file has them: 200 units a millivolt, milliseconds. */
const owners = beats.map((_, i) => (i < 10 ? 101 : i < 31 ? 114 : 119));
const window = (i: number) => Array.from(beats[i]!.window, (value) => Math.round(200 * value));

let folder: string;

const put = (name: string, shape: number[], values: number[]) =>
  writeFile(join(folder, name), writeNpy(shape, values, "int64"));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heart-"));
  const n = beats.length;
  const rows = beats.flatMap((_, i) => window(i));
  await put("beats.npy", [n, WINDOW], rows);
  await put(
    "labels.npy",
    [n],
    beats.map((_, i) => i % 5),
  );
  await put(
    "rr_ms.npy",
    [n, 2],
    beats.flatMap(({ before, after }) => [Math.round(1000 * before), Math.round(1000 * after)]),
  );
  await put("records.npy", [n], owners);
  const counts = [292, 177, 10, 19, 2];
  const lines = counts.flatMap((count, c) =>
    Array.from({ length: count }, (_, i) => [c + 1, c, i, ...Array(138).fill(0.5)].join("  ")),
  );
  await writeFile(join(folder, "ECG5000_TRAIN.txt"), `${lines.join("\n")}\n`);
});

afterAll(() => rm(folder, { recursive: true }));

describe("MIT-BIH", () => {
  it("has each patient in one part", () => {
    const all = Object.values(records).flat();
    expect(new Set(all).size).toBe(all.length);
    expect(all).toHaveLength(22);
  });

  it("is read in millivolts and seconds, by record", async () => {
    const recordings = await readRecordings(folder);
    expect(recordings.map(({ record }) => record)).toEqual([101, 114, 119]);
    const [first] = recordings;
    expect(first!.labels).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    expect(first!.beats[3]!.before).toBeCloseTo(beats[3]!.before, 3);
    for (const [i, value] of first!.beats[3]!.window.entries())
      expect(Math.abs(value - beats[3]!.window[i]!)).toBeLessThan(0.003);
  });

  it("gives stretches of the test patients' beats with the running features, and nothing of another patient", async () => {
    const { samples, range } = await mitbihSamples(folder, "test", 10);
    const recordings = await readRecordings(folder);
    expect(samples.length).toBe(2 + Math.floor((beats.length - 31) / 10));
    const second = featuresOf(recordings[1]!.beats);
    const [, sample] = samples;
    expect(sample!.inputs.beats!.shape).toEqual([1, 10, FEATURES]);
    expect(sample!.inputs.beats!.data).toEqual(second.slice(10 * FEATURES, 20 * FEATURES));
    expect(sample!.labels).toEqual(recordings[1]!.labels.slice(10, 20));
    for (const { inputs } of samples)
      expect(Math.max(...inputs.beats!.data.map(Math.abs))).toBeLessThanOrEqual(range.beats!);
    expect((await mitbihSamples(folder, "all", 10)).samples).toHaveLength(samples.length + 1);
  });

  it("says which file does not fit", async () => {
    await expect(mitbihSamples(join(folder, "nowhere"))).rejects.toThrow(/beats\.npy: cannot be read/);
    const labels = beats.map((_, i) => i % 5);
    await put("labels.npy", [5], labels.slice(0, 5));
    await expect(mitbihSamples(folder)).rejects.toThrow(/5 rows in labels\.npy/);
    await put("labels.npy", [beats.length, 1], labels);
    await expect(mitbihSamples(folder)).rejects.toThrow(/labels\.npy: its shape is .* expected \[beats\]/);
    await put("labels.npy", [beats.length], labels);
  });
});

describe("ECG5000", () => {
  it("is split class by class, each beat into one part, always alike", async () => {
    const seen = new Set<string>();
    const counts: Partial<Record<Part, number[]>> = {};
    for (const part of ["train", "validation", "test"] as const) {
      const names = async () =>
        (await ecg5000Samples(folder, part)).samples.map(
          ({ inputs, labels }) => `${labels} ${inputs.ecg!.data.slice(0, 2)}`,
        );
      const { samples } = await ecg5000Samples(folder, part);
      expect(await names()).toEqual(await names());
      for (const name of await names()) seen.add(name);
      counts[part] = [0, 1, 2, 3, 4].map((c) => samples.filter(({ labels }) => labels[0] === c).length);
    }
    expect(counts).toEqual({
      train: [146, 89, 5, 10, 1],
      validation: [58, 35, 2, 4, 0],
      test: [88, 53, 3, 5, 1],
    });
    expect(seen.size).toBe(500);
    expect((await ecg5000Samples(folder, "all")).samples).toHaveLength(500);
  });

  it("says which line is damaged", async () => {
    await writeFile(join(folder, "short.txt"), "1 0.5 0.5\n");
    await expect(ecg5000Samples(folder, "all", "short.txt")).rejects.toThrow(/short\.txt: line 1 is not/);
  });
});
