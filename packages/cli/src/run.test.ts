/** `sotto run`, end to end: the real command, real processes, real sockets. */
import { readdirSync, readFileSync } from "node:fs";
import { compile, instantiate, prepareInputs } from "@sotto/core";
import { loadModel } from "@sotto/model";
import { readNpy } from "@sotto/model/npy";
import { afterAll, describe, expect, it } from "vitest";
import { largestDifference } from "./outputs.js";
import { runPlaintext } from "./plaintext.js";
import { executeHere } from "./testing/in-process.js";
import { CAN_SEE_PROCESSES, until, Workshop } from "./testing/sotto.js";

const shop = new Workshop();
afterAll(() => shop.close());

const model = shop.model("gru", { hidden: 16, inputSize: 5, resetAfter: true });
const wave = (i: number) => 3 * Math.sin(1 + 0.7 * i);
const x = shop.array("x", [6, 2, 5], wave);

/** The plaintext result, by core and without any of the command. */
async function plaintext(path: string, range: number) {
  const compiled = compile(await loadModel(path), { range });
  const network = instantiate(compiled.plan, { time: 6, batch: 2 });
  const inputs = { x: { shape: [6, 2, 5], data: readNpy(readFileSync(x)).data } };
  return runPlaintext(compiled, network, prepareInputs(network, inputs, {}));
}

describe("sotto run", () => {
  it("gives the plaintext result, in JSON and in files, as dear as the plan says", async () => {
    const args = ["--input", `x=${x}`, "--input-range", "4"];
    const done = await shop.sotto("run", model, ...args, "--output-dir", "out", "--check", "--json");
    expect(done.stderr).toBe("");
    expect(done.code).toBe(0);
    expect(done.stdout.trim().split("\n")).toHaveLength(1);
    const json = JSON.parse(done.stdout);
    const expected = await plaintext(model, 4);
    expect(Object.keys(json.outputs)).toEqual(["y", "y_h"]);
    expect(json.outputs.y.shape).toEqual([6, 1, 2, 16]);
    expect(json.outputs.y_h.shape).toEqual([1, 2, 16]);
    const difference = largestDifference(json.outputs, expected);
    expect(difference).toBeLessThan(0.002);
    expect(json.maxAbsError).toBeCloseTo(difference, 12);

    for (const name of ["y", "y_h"]) {
      const file = readNpy(readFileSync(shop.path("out", `${name}.npy`)));
      expect(file).toMatchObject({ dtype: "float32", shape: json.outputs[name].shape });
      expect(json.outputs[name].file).toBe(`out/${name}.npy`);
      expect([...file.data]).toEqual(Array.from(json.outputs[name].data as number[], Math.fround));
    }

    const sizes = ["--size", "time=6", "--size", "batch=2"];
    const plan = JSON.parse(
      (await executeHere("inspect", model, "--input-range", "4", ...sizes, "--json")).stdout,
    );
    expect(json.plan).toBe(plan.plan);
    expect(json.rounds).toBe(plan.rounds);
    expect(json.onlineBytes).toBe(plan.onlineBytes);
    // the corrections, and a few control messages
    expect(json.offlineBytes.server1).toBeGreaterThanOrEqual(plan.offlineBytes.server1);
    expect(json.offlineBytes.server1).toBeLessThan(plan.offlineBytes.server1 + 2000);
    expect(json.offlineBytes.server0).toBeLessThan(2000);
    for (const ms of [json.onlineMs, json.offlineMs]) {
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBe(Math.round(ms * 1000) / 1000);
    }
    expect(shop.leftDirectories()).toEqual([]);
  });

  it("prints a summary for people; --clip clips and warns", async () => {
    const done = await executeHere("run", model, "--input", x, "--input-range", "2", "--clip", "--check");
    expect(done.stderr).toMatch(/^sotto: warning: input x: \d+ elements outside \|x\| <= 2 were clipped\n$/);
    expect(done.code).toBe(0);
    expect(done.stdout).toMatch(/^y {2}\[6, 1, 2, 16\] .*\(192 numbers\)/m);
    expect(done.stdout).toMatch(/^online .* rounds, .* each way between the servers$/m);
    expect(done.stdout).toMatch(/^check .*plaintext result: [\d.e-]+$/m);
  });

  it("keeps its deadline", async () => {
    const long = shop.model("long", { hidden: 64, inputSize: 5, resetAfter: true, steps: 3000, batch: 1 });
    const input = shop.array("long", [3000, 1, 5], wave);
    const done = await shop.sotto("run", long, "--input", input, "--timeout", "1.5", "--json");
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toMatch(/took longer than 1.5 s/);
    expect(shop.leftDirectories()).toEqual([]);
  });
});

describe.runIf(CAN_SEE_PROCESSES)("sotto run leaves nothing", () => {
  const long = shop.model("longer", { hidden: 8, inputSize: 5, resetAfter: true, steps: 3000, batch: 1 });
  const input = shop.array("longer", [3000, 1, 5], wave);
  /** A run whose processes have been started. */
  const running = async () => {
    const run = shop.start(["run", long, "--input", input]);
    await until(() => shop.parties().length === 3, "three party processes");
    return run;
  };
  /** Until everything is up, and the inference at most just begun. */
  const clusterUp = () => {
    const files = () => shop.leftDirectories().flatMap((d) => readdirSync(shop.path(d)));
    return until(() => files().includes("cluster-client.yaml"), "the cluster");
  };
  const nothingLeft = async () => {
    await until(() => shop.parties().length === 0, "the end of all party processes");
    await until(() => shop.leftDirectories().length === 0, "the removal of the temporary directory");
  };

  it("after SIGINT while its processes start", async () => {
    const run = await running();
    run.process.kill("SIGINT");
    expect((await run.finished).code).toBe(130);
    await nothingLeft();
  });

  it("after SIGKILL while it infers", async () => {
    const run = await running();
    await clusterUp();
    run.process.kill("SIGKILL");
    expect((await run.finished).signal).toBe("SIGKILL");
    await nothingLeft();
  });

  it("after SIGKILL of one party, and says which", async () => {
    const run = await running();
    await clusterUp();
    const [, , last] = shop.parties();
    expect(readFileSync(`/proc/${last}/cmdline`, "latin1")).toMatch(/^sotto server 1\0/);
    process.kill(last!, "SIGKILL");
    const done = await run.finished;
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toContain("server 1 ended unexpectedly (signal SIGKILL)");
    await nothingLeft();
  });
});
