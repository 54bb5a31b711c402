/** `sotto inspect`, in this process. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, cost, instantiate } from "@sotto/core";
import { loadModel } from "@sotto/model";
import { GraphWriter, makeGruModel, uniform } from "@sotto/model/testing";
import { afterAll, describe, expect, it } from "vitest";
import { inspect } from "./commands/inspect.js";
import { FRAME_BYTES, networkMs } from "./plan-report.js";
import { render } from "./plan-text.js";
import { DEFAULT_STEPS } from "./sizes.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => rmSync(dir, { recursive: true }));

function model(name: string, spec: Parameters<typeof makeGruModel>[0]): string {
  const path = join(dir, `${name}.onnx`);
  writeFileSync(path, makeGruModel(spec));
  return path;
}

const head = { outputs: 3, end: "Softmax" as const };
const open = model("open", { hidden: 8, inputSize: 4, resetAfter: true, head });

describe("inspect", () => {
  it("tells what core computes", async () => {
    const report = await inspect(open, { size: { time: 5, batch: 2 }, inputRange: { "": 4 } });
    const compiled = compile(await loadModel(open), { range: 4 });
    const total = cost(instantiate(compiled.plan, { time: 5, batch: 2 }).program);
    expect(report.rounds).toBe(total.rounds);
    expect(report.onlineBytes).toBe(total.openingBytes + total.rounds * FRAME_BYTES);
    expect(report.inputs).toEqual([
      { name: "x", kind: "real", shape: [5, 2, 4], declared: ["time", "batch", 4], range: 4 },
    ]);
    expect(report.outputs).toEqual([{ name: "y", shape: [2, 3], client: "softmax" }]);
    expect(report.layers.reduce((sum, l) => sum + l.onlineBytes, 0)).toBe(total.openingBytes);
    for (const range of [0.5, 4, 20]) {
      const { bounds } = await inspect(open, { inputRange: { "": range } });
      expect(bounds.gru!.x).toBeCloseTo(range, 2);
    }
    expect(report.moduli.most).toBeLessThanOrEqual(64);
    // per step and hidden unit: z and r are sigmoids, n is a tanh
    const lookUps = (name: string) =>
      report.tables.filter((t) => t.activation === name).reduce((sum, t) => sum + t.lookUps, 0);
    expect(lookUps("sigmoid")).toBe(2 * 5 * 2 * 8);
    expect(lookUps("tanh")).toBe(5 * 2 * 8);
  });

  it("says how many numbers the client gets where it gives fewer", async () => {
    const g = new GraphWriter(13, uniform(3));
    g.input("x", [2, 4]);
    g.output(g.node("Gather", [g.node("Softmax", ["x"]), g.constant("one", [], [1], "int64")], { axis: 1 }));
    const path = join(dir, "probability.onnx");
    writeFileSync(path, g.bytes());
    const report = await inspect(path, {});
    expect(report.outputs).toMatchObject([{ shape: [2], client: "softmax", revealed: 8 }]);
    expect(render(report)).toContain(
      "softmax is computed by the client, which gets the 8 numbers that it is made of",
    );
  });

  it("assumes sizes, and says so", async () => {
    const report = await inspect(open, {});
    expect(report.sizes).toEqual([
      { name: "time", value: DEFAULT_STEPS, time: true, given: false },
      { name: "batch", value: 1, time: false, given: false },
    ]);
    const text = render(report);
    expect(text).toMatch(/time +50 +assumed: give --size time=N; rounds and bytes grow with it/);
    expect(text).toContain("softmax is computed by the client");
    expect(text).toContain("|x| <= 8 by default");
    expect(render(report, { x: 8 })).toContain("|x| <= 8 declared");
    expect(render(report, { "": 8 })).toContain("|x| <= 8 declared");
    expect(text).toContain("Latency of the network alone");
  });

  it("refuses sizes that the model has not", async () => {
    await expect(inspect(open, { size: { seq: 3 } })).rejects.toThrow("open sizes: time, batch");
    const fixed = model("fixed", { hidden: 4, inputSize: 2, resetAfter: false, steps: 3, batch: 1 });
    await expect(inspect(fixed, { size: { time: 3 } })).rejects.toThrow("it leaves no size open");
    expect((await inspect(fixed, {})).sizes).toEqual([]);
  });

  it("estimates the network's latency: half a round trip a round, and one for the client", async () => {
    expect(networkMs(250, 20)).toBe(2520);
    const { latency, rounds } = await inspect(open, {});
    expect(latency.map((l) => l.roundTripMs)).toEqual([0.1, 1, 20, 80]);
    expect(latency[3]!.networkMs).toBe((rounds / 2 + 1) * 80);
  });
});
