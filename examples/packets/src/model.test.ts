import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { compile, instantiate, type NumberTensor, prepareInputs, runClear, runExact } from "@sotto/core";
import { loadModel } from "@sotto/model";
import { describe, expect, it } from "vitest";
import { flowFeatures } from "./features.js";
import { type Flow, flowsOf } from "./flows.js";
import { localClasses } from "./index.js";
import { readCapture } from "./pcap.js";
import { type DataSet, doh, dohSamples, local, samplesFolder } from "./sets.js";

const largest = (values: Float64Array) => values.indexOf(Math.max(...values));

/** Logits over reals and over the integers of a private run. */
async function runner(set: DataSet) {
  const compiled = compile(await loadModel(set.model), { range: set.range });
  return (inputs: Record<string, NumberTensor>) => {
    const { shape } = Object.values(inputs)[0]!;
    const network = instantiate(compiled.plan, { batch: 1, time: shape[1]! });
    const values = prepareInputs(network, inputs, compiled.publicTensors);
    return {
      float: runClear(network.program, compiled.tensors, values).logits!,
      fixed: runExact(network.program, compiled.plan, compiled.tensors, values).logits!,
    };
  };
}

function expectAlike({ float, fixed }: { float: Float64Array; fixed: Float64Array }) {
  expect(largest(fixed)).toBe(largest(float));
  float.forEach((v, i) => {
    expect(Math.abs(v - fixed[i]!)).toBeLessThan(0.01);
  });
}

describe("the model of windows", () => {
  it("knows the recordings that the repository carries, in fixed point as in float", async () => {
    const run = await runner(local);
    const samples = await local.samples(samplesFolder);
    expect(samples.length).toBeGreaterThan(15);
    expect(new Set(samples.map((s) => s.label))).toEqual(new Set(localClasses.keys()));
    for (const { inputs, label } of samples) {
      const logits = run(inputs);
      expectAlike(logits);
      expect(largest(logits.fixed)).toBe(label);
    }
  });
});

describe("the model of flows", () => {
  it("decides in fixed point as in float, for flows of any length that it takes", async () => {
    const run = await runner(doh);
    const flows: Flow[] = [];
    for (const file of await readdir(samplesFolder)) {
      const { packets } = readCapture(await readFile(join(samplesFolder, file)));
      flows.push(...flowsOf(packets));
    }
    expect(flows.length).toBeGreaterThan(2);
    // invented: a question, an acknowledgement and an answer, over and over
    const times = Array.from({ length: 100 }, (_, i) => 0.02 * i);
    flows.push({ name: "", times, lengths: times.map((_, i) => [410, -52, -240][i % 3]!) });
    for (const flow of flows) expectAlike(run({ packets: flowFeatures(flow) }));
  });

  it("reads the set as it is published, and nothing else", async () => {
    const folder = new URL("./testing/", import.meta.url).pathname;
    const [sample] = await dohSamples(join(folder, "flows.json"));
    expect(sample).toMatchObject({ label: 2, inputs: { packets: { shape: [1, 3, 29] } } });
    await expect(dohSamples(join(folder, "no-flows.json"))).rejects.toThrow(/flow 1 lacks timestamp/);
  });
});

describe("shipped files", () => {
  it("are small", async () => {
    for (const { model } of [doh, local]) expect((await stat(model)).size).toBeLessThan(500_000);
    const files = await readdir(samplesFolder);
    const sizes = await Promise.all(files.map(async (f) => (await stat(join(samplesFolder, f))).size));
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(100_000);
  });
});
