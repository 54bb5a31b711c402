/** The whole path over real sockets: deploy, infer, costs, many at once, deployed anew. */
import { deploy } from "@sotto/client";
import { compile, cost, inputBytesOpened, instantiate, planHash, Ring } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { HEADER_BYTES } from "@sotto/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTestFolder, TestCluster } from "./testing/cluster.js";
import { largestError, testModel } from "./testing/models.js";

const small = testModel();
const wan = testModel(6, 8, 1, "wan");
/** At most two stages are prepared ahead: what has more waits for its rounds. */
const limits = { preparedBytes: 1 };

describe("a cluster", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  let rings: [Ring, Ring, Ring];

  beforeAll(async () => {
    folder = await makeTestFolder();
    rings = [await Ring.create(), await Ring.create(), await Ring.create()];
    cluster = await TestCluster.start(folder.dir, {
      dealer: { ring: rings[2] },
      servers: [{ ring: rings[0] }, { ring: rings[1] }],
      limits,
    });
    await deploy(cluster.as("owner"), "small", small.compiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  it.each([
    ["lan", small],
    ["wan", wan],
  ])("infers privately, at the declared cost, profile %s", async (_profile, made) => {
    await deploy(cluster.as("owner"), "one", made.compiled);
    const hash = planHash(made.compiled.plan);
    const model = await cluster.client().model("one", { plan: hash });
    expect(model.hash).toBe(hash);
    const progress: string[] = [];
    const { outputs, stats } = await model.infer(made.input(1), {
      onProgress: (p) => progress.push(p.stage),
    });
    expect(outputs.y!.shape).toEqual([1, 3]);
    expect(largestError(outputs, made.expected(1))).toBeLessThan(0.002);
    expect(progress).toEqual(["sharing", "sent", "server", "server", "done"]);

    const { program } = instantiate(made.compiled.plan, {});
    const declared = cost(program);
    expect(stats.rounds).toBe(declared.rounds);
    expect(stats.onlineBytes).toBe(declared.openingBytes + HEADER_BYTES * declared.rounds);
    // a frame for each stage, and the message with the seed
    const frames = HEADER_BYTES * program.stages.length;
    const common = declared.commonBytes > 0 ? declared.commonBytes + frames : 0;
    const seed = stats.offlineBytes.server0 - common;
    expect(stats.offlineBytes.server1).toBe(declared.correctionBytes + frames + seed);
    expect(seed).toBeGreaterThan(0);
    expect(seed).toBeLessThan(500);
    for (const { input, message } of stats.saw) expect([input.length, message.length]).toEqual([16, 16]);
    for (const ms of [stats.onlineMs, stats.offlineMs, stats.totalMs]) expect(ms).toBeGreaterThan(0);
  });

  it("shows a client who asks more of the openings of its input, and nothing else", async () => {
    const model = await cluster.client().model("small");
    const { program } = instantiate(small.compiled.plan, {});
    const most = inputBytesOpened(program);
    expect(most).toBeGreaterThan(8);
    const shown = await Promise.all([0, 10, 2048].map((look) => model.infer(small.input(1), { look })));
    const lengths = shown.map(({ stats }) => stats.saw.map(({ message }) => message.length / 2));
    expect(lengths).toEqual([0, 10, most].map((bytes) => [bytes, bytes]));
    await expect(model.infer(small.input(1), { look: 2049 })).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(/header sotto-look: .*2048/),
    });
    const seen: string[] = [];
    const stream = await model.stream({
      look: 3,
      onSent: (shares) => {
        seen.push(...shares.map((s) => Buffer.from(s.subarray(0, 8)).toString("hex")));
      },
    });
    const x = { shape: [1, 1, 4], data: small.input(1).x!.data.slice(0, 4) };
    const { stats } = await stream.step({ x });
    expect(stats.saw.map(({ message }) => message.length / 2)).toEqual([3, 3]);
    expect(stats.saw.map(({ input }) => input)).toEqual(seen);
    await stream.close();
  });

  it("tells a client who asks when each round was over, and nobody else", async () => {
    const model = await cluster.client().model("small");
    const { stats } = await model.infer(small.input(1), { roundTimes: true });
    const { every, ms } = stats.roundTimes!;
    expect([every, ms.length]).toEqual([1, stats.rounds]);
    expect([...ms].sort((a, b) => a - b)).toEqual(ms);
    // in tenths
    expect(ms.at(-1)).toBeLessThanOrEqual(stats.onlineMs + 0.1);
    expect((await model.infer(small.input(1))).stats.roundTimes).toBeUndefined();
  });

  it("tells it of each chunk of a stream, and nothing of several together", async () => {
    const model = await cluster.client().model("small");
    const steps = (n: number) => ({
      x: { shape: [n, 1, 4], data: Float64Array.from({ length: 4 * n }, (_, i) => i / 8) },
    });
    const stream = await model.stream({ roundTimes: true });
    for (let t = 0; t < 2; t++) {
      const { stats } = await stream.step(steps(1));
      expect(stats.roundTimes?.ms.length).toBe(stats.rounds);
    }
    expect((await stream.step(steps(2))).stats.roundTimes).toBeUndefined();
    await stream.close();
    const quiet = await model.stream();
    expect((await quiet.step(steps(1))).stats.roundTimes).toBeUndefined();
    await quiet.close();
  });

  it("runs many sessions at once, and keeps nothing of them", async () => {
    const model = await cluster.client().model("small");
    await model.infer(small.input(0));
    const inUse = () => rings.map((r) => r.bytesInUse);
    let before: number[] = [];
    // models of tests before this one may still be dropped
    await expect
      .poll(
        () => {
          const last = before;
          before = inUse();
          return before.join() === last.join();
        },
        { interval: 500 },
      )
      .toBe(true);
    const inputs = Array.from({ length: 12 }, (_, i) => i);
    const results = await Promise.all(inputs.map((i) => model.infer(small.input(i))));
    results.forEach(({ outputs }, i) => {
      expect(largestError(outputs, small.expected(i))).toBeLessThan(0.002);
    });
    // less, where a model of before was dropped only now
    await expect.poll(() => inUse().filter((bytes, i) => bytes > before[i]!)).toEqual([]);
  });

  it("serves a model that is deployed anew under its name", async () => {
    const other = testModel(6, 8, 2);
    await deploy(cluster.as("owner"), "changing", small.compiled);
    const client = cluster.client();
    const first = await client.model("changing");
    await first.infer(small.input(1));
    await deploy(cluster.as("owner"), "changing", other.compiled);
    const second = await client.model("changing");
    const { outputs } = await second.infer(other.input(1));
    expect(largestError(outputs, other.expected(1))).toBeLessThan(0.002);
    expect(second.hash).not.toBe(first.hash);
  });

  it.each([
    ["more stages than are prepared ahead", testModel(230, 4)],
    ["more weights than a piece of a set-up message", testModel(2, 256)],
  ])("serves a model of %s", async (_what, large) => {
    await deploy(cluster.as("owner"), "large", large.compiled);
    const { outputs } = await (await cluster.client().model("large")).infer(large.input(1));
    expect(largestError(outputs, large.expected(1))).toBeLessThan(0.002);
  });

  it("serves a model with an open size and a public table, one input size after another", async () => {
    const table = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i));
    const { layers, tensors } = randomGru({ seed: 3, hidden: 8, inputSize: 4, steps: 2 });
    const compiled = compile({
      name: "tokens",
      inputs: [{ name: "t", shape: ["time", 1], kind: "token" }],
      outputs: [{ name: "h" }],
      layers: [
        { op: "embedding", name: "e", inputs: ["t"], outputs: ["x"], table: "E" },
        { ...layers[0]!, inputs: ["x"], outputs: ["", "h"] },
      ],
      tensors: { ...tensors, E: { shape: [10, 4], data: table } },
      constants: {},
    });
    await deploy(cluster.as("owner"), "tokens", compiled);
    const model = await cluster.client().model("tokens");
    const two = await model.infer({ t: { shape: [2, 1], data: [3, 9] } });
    const five = await model.infer({ t: { shape: [5, 1], data: [3, 9, 0, 1, 2] } });
    expect(two.outputs.h!.shape).toEqual([1, 1, 8]);
    expect(five.stats.rounds).toBeGreaterThan(two.stats.rounds);
    await expect(model.infer({ t: { shape: [2, 1], data: [3, 10] } })).rejects.toThrow(
      /element 1 \(\[1,0\]\) is not a token/,
    );
  });
});
