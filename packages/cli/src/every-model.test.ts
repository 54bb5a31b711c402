/** Models of every kind, privately: three processes, mutual TLS, and what ONNX Runtime computes beside it. */
import { type Client, connect, deploy, loadCluster } from "@sotto/client";
import { type CompileOptions, compile, type ModelDescription, type NumberTensor } from "@sotto/core";
import { anyModel } from "@sotto/core/testing";
import { importOnnx } from "@sotto/model/onnx";
import {
  evaluate,
  type Feed,
  fixture,
  randomFeeds,
  randomModel,
  runOnnx,
  writeRandomModel,
} from "@sotto/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalCluster, throwAwayCluster } from "./cluster/local.js";

const RANDOM = process.env.SOTTO_LONG ? 60 : 5;

let cluster: LocalCluster;
let client: Client;
beforeAll(async () => {
  cluster = await throwAwayCluster({});
  client = connect(loadCluster(cluster.client));
});
afterAll(async () => {
  client.close();
  await cluster.close();
});

/** The outputs of a private run, in the model's order. */
async function infer(
  description: ModelDescription,
  inputs: Record<string, NumberTensor>,
  options: CompileOptions,
): Promise<NumberTensor[]> {
  await deploy(loadCluster(cluster.owner), "m", compile(description, options));
  const { outputs } = await (await client.model("m")).infer(inputs);
  return description.outputs.map(({ name }) => outputs[name]!);
}

function expectClose(
  got: readonly NumberTensor[],
  expected: readonly NumberTensor[],
  tolerance: number,
): void {
  expect(got.map((t) => t.shape)).toEqual(expected.map((t) => [...t.shape]));
  got.forEach(({ data }, k) => {
    Array.from(data).forEach((v, i) => {
      expect(Math.abs(v - expected[k]!.data[i]!)).toBeLessThan(tolerance);
    });
  });
}

const feedsOf = (feeds: Record<string, Feed>): Record<string, NumberTensor> =>
  Object.fromEntries(Object.entries(feeds).map(([name, { shape, data }]) => [name, { shape, data }]));

describe("over the real transport", () => {
  it.each([
    { activations: "usual", scale: 1, tolerance: 0.002 },
    { activations: "usual", scale: 3, tolerance: 0.01 },
    { activations: "bounded", scale: 1, tolerance: 0.002 },
  ] as const)(
    `${RANDOM} random ONNX models of $activations activations, weights $scale times the usual, give what ONNX Runtime gives`,
    async ({ activations, scale, tolerance }) => {
      for (let k = 0; k < RANDOM; k++) {
        const spec = randomModel(7000 + k, activations, scale);
        const feeds = randomFeeds(spec);
        const expected = await runOnnx(writeRandomModel(spec, true), feeds);
        const description = importOnnx(writeRandomModel(spec));
        const got = await infer(description, feedsOf(feeds), { range: 1, stateBound: 10 });
        expectClose(got, Object.values(expected), tolerance);
      }
    },
  );

  it(`${RANDOM} random models with every kind of layer give what they are`, async () => {
    for (let k = 0; k < RANDOM; k++) {
      const { model, options, inputs } = anyModel(`transport ${k}`, "ordinary");
      const given = Object.fromEntries(
        Object.entries(inputs).map(([name, { shape, data }]) => [name, { shape, data: Array.from(data) }]),
      );
      const expected = evaluate(model, given, options);
      const got = await infer(model, inputs, options);
      expectClose(
        got,
        model.outputs.map(({ name }) => expected[name]!),
        0.002,
      );
    }
  });

  it.each([false, true])("a text model, its table private: %s", async (privateEmbeddings) => {
    const bytes = fixture("text");
    const tokens = { shape: [2, 5], data: [3, 1, 4, 1, 5, 9, 2, 6, 10, 0] };
    const expected = await runOnnx(bytes, { tokens: { ...tokens, type: "int64" } });
    const got = await infer(importOnnx(bytes), { tokens }, { privateEmbeddings });
    expectClose(got, Object.values(expected), 0.002);
  });
});
