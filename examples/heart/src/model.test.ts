import { stat } from "node:fs/promises";
import {
  applyPending,
  type Compiled,
  compile,
  instantiate,
  type ModelDescription,
  prepareInputs,
  runClear,
  runExact,
  Streaming,
} from "@sotto/core";
import { loadModel } from "@sotto/model";
import { beforeAll, describe, expect, it } from "vitest";
import { classify, decisions } from "./classify.js";
import { FEATURES, featuresOf, RANGE } from "./features.js";
import { generateBeats } from "./generated.js";
import { type BeatClass, beatClasses } from "./index.js";
import { seeded } from "./random.js";
import { type Rhythm, rhythms } from "./rhythm.js";
import { beatModelPath, ecg5000ModelPath, type Sample } from "./sets.js";

/** Hearts that training has not seen: its seeds are small. */
function generated(rhythm: Rhythm, seconds: number, seed = 5000): Sample {
  const { beats, labels } = generateBeats({ random: seeded(seed), rhythm, noise: 0.02 }, seconds);
  return {
    inputs: { beats: { shape: [1, beats.length, FEATURES], data: featuresOf(beats) } },
    labels: labels.map((label) => beatClasses.indexOf(label)),
  };
}

/** What real and integer arithmetic decide, and the largest difference of their outputs. */
function bothWays(compiled: Compiled, { inputs }: Pick<Sample, "inputs">, sizes: Record<string, number>) {
  const network = instantiate(compiled.plan, sizes);
  const values = prepareInputs(network, inputs, compiled.publicTensors, { outside: "refuse" });
  const [output] = network.outputs;
  const clear = applyPending(output!, runClear(network.program, compiled.tensors, values).logits!);
  const exact = applyPending(
    output!,
    runExact(network.program, compiled.plan, compiled.tensors, values).logits!,
  );
  const error = Math.max(...Array.from(clear, (value, i) => Math.abs(value - exact[i]!)));
  return { clear: decisions(clear, 5), exact: decisions(exact, 5), error };
}

describe("the model of beats", () => {
  let model: ModelDescription;
  let compiled: Compiled;
  beforeAll(async () => {
    model = await loadModel(beatModelPath());
    compiled = compile(model, { range: { beats: RANGE } });
  });

  it.each([
    ["normal", 0.98, undefined],
    ["tachycardia", 0.98, undefined],
    ["premature-ventricular", 0.97, ["V", 0.9]],
    ["ventricular-runs", 0.97, ["V", 0.9]],
    ["premature-atrial", 0.97, ["S", 0.8]],
  ] as const)("knows the page's beats: %s", async (rhythm, normal, other) => {
    const sample = generated(rhythm, 90);
    const [answers] = await classify(beatModelPath(), [sample]);
    const right = (name: BeatClass) => {
      const c = beatClasses.indexOf(name);
      const places = sample.labels.flatMap((label, i) => (label === c ? [i] : []));
      expect(places.length).toBeGreaterThan(10);
      return places.filter((i) => answers![i] === c).length / places.length;
    };
    expect(right("N")).toBeGreaterThan(normal);
    if (other) expect(right(other[0])).toBeGreaterThan(other[1]);
  });

  it("decides in the integers of a private run as in floats", async () => {
    for (const [i, rhythm] of rhythms.entries()) {
      const sample = generated(rhythm, 25, 6000 + i);
      const [floats] = await classify(beatModelPath(), [sample]);
      const { clear, exact, error } = bothWays(compiled, sample, { batch: 1, time: sample.labels.length });
      expect(clear).toEqual(floats);
      expect(exact).toEqual(floats);
      expect(error).toBeLessThan(0.01);
    }
  });

  it("can be streamed, beat by beat", () => {
    const streaming = new Streaming(compiled.plan, { sizes: { batch: 1 }, steps: 1 });
    expect(streaming.chunk("continue").inputs.map(({ shape }) => shape)).toEqual([[1, 1, FEATURES]]);
  });

  it("fits without any declaration, too, and is small", async () => {
    expect(() => compile(model)).not.toThrow();
    expect((await stat(beatModelPath())).size).toBeLessThan(500_000);
  });
});

describe("the model of ECG5000", () => {
  it("decides in the integers of a private run as in floats, on beats like those of the set", async () => {
    const compiled = compile(await loadModel(ecg5000ModelPath()), { range: { ecg: 8 } });
    const { beats } = generateBeats({ random: seeded(1), rhythm: "premature-ventricular" }, 15);
    for (const { window } of beats.slice(0, 6)) {
      const mean = window.reduce((a, b) => a + b, 0) / window.length;
      const deviation = Math.sqrt(window.reduce((a, b) => a + (b - mean) ** 2, 0) / window.length);
      const data = Float32Array.from(
        { length: 140 },
        (_, i) => (window[i % window.length]! - mean) / deviation,
      );
      const sample = { inputs: { ecg: { shape: [1, 140, 1], data } } };
      const [floats] = await classify(ecg5000ModelPath(), [sample]);
      const { clear, exact, error } = bothWays(compiled, sample, { batch: 1, time: 140 });
      expect(clear).toEqual(floats);
      expect(exact).toEqual(floats);
      expect(error).toBeLessThan(0.01);
    }
    expect((await stat(ecg5000ModelPath())).size).toBeLessThan(500_000);
  });
});
