/** `sotto inspect --error` and `--calibrate`, by the command in this process. */
import { compile, instantiate, type ModelDescription, prepareInputs, runClear, runExact } from "@sotto/core";
import { loadModel } from "@sotto/model";
import { makeGruModel, writeOnnx } from "@sotto/model/testing";
import { afterAll, describe, expect, it } from "vitest";
import type { Study } from "../commands/inspect.js";
import { executeHere } from "../testing/in-process.js";
import { Workshop } from "../testing/sotto.js";
import { calibrate, declarable } from "./calibrate.js";
import { errorReport } from "./error.js";
import { renderStudy } from "./render.js";
import type { Samples } from "./samples.js";

const shop = new Workshop();
afterAll(() => shop.close());

const wave = (i: number) => 3 * Math.sin(1 + 0.7 * i) * [1, 0.01, 2][i % 3]!;
const gru = shop.model("gru", {
  hidden: 6,
  inputSize: 3,
  resetAfter: true,
  head: { outputs: 4, end: "Softmax" },
});
const one = shop.array("one", [5, 2, 3], wave);
const many = shop.array("many", [4, 5, 2, 3], wave);

const tensor = (shape: number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) });

async function study(...args: string[]): Promise<Study> {
  const done = await executeHere("inspect", ...args, "--json");
  expect(done).toMatchObject({ code: 0, stderr: "" });
  return JSON.parse(done.stdout);
}

describe("sotto inspect --error", () => {
  it("compares both interpretations on every sample", async () => {
    const { error, plan } = await study(gru, "--error", `x=${many}`);
    expect(error).toMatchObject({ samples: 4, clipped: {} });
    const [y] = error!.outputs;
    expect(y).toMatchObject({
      name: "y",
      decisions: { rule: "largest", count: 8, unchanged: 8, share: 1, changed: [] },
    });
    expect(plan).toMatch(/^[0-9a-f]{64}$/);

    // the same by core
    const compiled = compile(await loadModel(gru));
    const network = instantiate(compiled.plan, { time: 5, batch: 2 });
    const head = (values: Float64Array, row: number) => {
      const e = values.slice(4 * row, 4 * row + 4).map(Math.exp);
      return e.map((v) => v / e.reduce((a, b) => a + b, 0));
    };
    let [most, sum, margin] = [0, 0, Infinity];
    for (let s = 0; s < 4; s++) {
      const data = Float64Array.from({ length: 30 }, (_, i) => Math.fround(wave(30 * s + i)));
      const values = prepareInputs(network, { x: { shape: [5, 2, 3], data } }, {});
      const clear = runClear(network.program, compiled.tensors, values).y!;
      const exact = runExact(network.program, compiled.plan, compiled.tensors, values).y!;
      for (const row of [0, 1]) {
        const [a, b] = [head(clear, row), head(exact, row)];
        a.forEach((v, i) => {
          most = Math.max(most, Math.abs(v - b[i]!));
          sum += Math.abs(v - b[i]!);
        });
        const [first, second] = [...a].sort((x, z) => z - x);
        margin = Math.min(margin, first! - second!);
      }
    }
    expect(most).toBeGreaterThan(0);
    expect(y!.maxAbsError).toBeCloseTo(most, 12);
    expect(y!.meanAbsError).toBeCloseTo(sum / 32, 12);
    expect(y!.decisions.smallestMargin).toBeCloseTo(margin, 12);
  });

  it("takes one sample in the input's own shape, and prints", async () => {
    const done = await executeHere("inspect", gru, "--error", one);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toMatch(/on 1 sample\n/);
    expect(done.stdout).toMatch(
      /^ {2}y +[\d.e-]+ +[\d.e-]+ +2 +all +[\d.]+ +the largest entry of the last axis$/m,
    );
  });

  it("clips what is outside the declared range, and says so", async () => {
    const { error } = await study(gru, "--error", many, "--input-range", "5.5");
    expect(error!.clipped.x).toBeGreaterThan(0);
    const { stdout } = await executeHere("inspect", gru, "--error", many, "--input-range", "5.5");
    expect(stdout).toContain(`${error!.clipped.x} elements of input x outside the declared range: clipped`);
  });

  it("shows where decisions change, and by what margin they were made", () => {
    // the last weight is lost at 14 bits, and with it the second decision
    const compiled = compile(difference, { range: 1 });
    const samples: Samples = {
      count: 2,
      at: (s) => ({ x: { shape: [1, 2, 2], data: s ? [0, 1, 1, 0] : [1, 1, 0, -1] } }),
    };
    const report = errorReport(compiled, samples);
    const { decisions } = report.outputs[0]!;
    expect(decisions).toMatchObject({ rule: "sign", count: 4, unchanged: 3, share: 0.75 });
    expect(decisions.changed).toEqual([{ sample: 1, position: [0, 0], margin: expect.closeTo(TINY, 12) }]);
    expect(decisions.smallestMargin).toBeCloseTo(TINY, 12);
    const text = renderStudy({ model: "m", plan: "p", error: report });
    expect(text).toMatch(/Changed decisions of y\n {2}sample 1 \[0, 0\] {2}margin 1\.00e-9/);
    expect(text).toMatch(/ 75 % .* the sign$/m);
  });

  it("decides probabilities by the side of 0.5", async () => {
    const sigmoid = shop.model("sigmoid", {
      hidden: 4,
      inputSize: 3,
      resetAfter: true,
      head: { outputs: 1, end: "Sigmoid" },
    });
    const { error } = await study(sigmoid, "--error", many);
    expect(error!.outputs[0]!.decisions).toMatchObject({ rule: "half", count: 8, unchanged: 8 });
    expect(error!.outputs[0]!.decisions.smallestMargin).toBeLessThan(0.5);
  });

  it("decides positions by the logits that they are made of", () => {
    const labelled: ModelDescription = {
      name: "labelled",
      inputs: [{ name: "x", shape: [1, 2, 2], kind: "real" }],
      outputs: [{ name: "y" }],
      layers: [{ op: "argMax", name: "label", inputs: ["x"], outputs: ["y"], axis: -1, keepDims: false }],
      tensors: {},
      constants: {},
    };
    const samples: Samples = {
      count: 1,
      at: () => ({ x: { shape: [1, 2, 2], data: [1, 0.5, 0, 1] } }),
    };
    const [label] = errorReport(compile(labelled), samples).outputs;
    expect(label).toMatchObject({ maxAbsError: 0, decisions: { rule: "logits", count: 2, unchanged: 2 } });
    expect(label!.decisions.smallestMargin).toBe(0.5);
  });

  it("reports how many samples are done", () => {
    const done: number[] = [];
    const samples: Samples = { count: 3, at: () => ({ x: { shape: [1, 2, 2], data: [1, 0, 1, 0] } }) };
    errorReport(compile(difference), samples, (n) => done.push(n));
    expect(done).toEqual([1, 2, 3]);
  });
});

describe("sotto inspect --calibrate", () => {
  it("shows what samples reach, and what to declare", async () => {
    const { calibration } = await study(gru, "--calibrate", many);
    const [x] = calibration!.inputs;
    expect(x).toMatchObject({ name: "x", declared: 8, outside: 0, elements: 120 });
    [3, 0.03, 6].forEach((most, i) => {
      expect(x!.observed[i]).toBeGreaterThan(0.9 * most);
      expect(x!.observed[i]).toBeLessThanOrEqual(most);
    });
    expect(x!.option).toBe("--input-range x=3.1,0.033,6.6");
    expect(calibration!.bounds.map((b) => `${b.layer} ${b.what}`)).toEqual([
      ...["z", "r", "n", "state"].map((what) => `gru ${what}`),
      expect.stringMatching(/ output$/),
    ]);
    for (const b of calibration!.bounds) {
      expect(b.ratio).toBeGreaterThan(0);
      expect(b.ratio).toBeLessThan(1.001);
      expect(b.mark).toBeUndefined();
    }
    // what it says can be used, and is enough
    const option = x!.option.split(" ");
    const narrow = await study(gru, "--calibrate", many, ...option);
    expect(narrow.calibration!.inputs[0]).toMatchObject({ declared: [3.1, 0.033, 6.6], outside: 0 });
    const proven = (s: Study) => s.calibration!.bounds[0]!.proven;
    expect(proven(narrow)).toBeLessThan(proven({ calibration } as Study));
  });

  it("says how many elements are outside, and that nothing is proven of them", async () => {
    const { calibration } = await study(gru, "--calibrate", many, "--input-range", "0.05");
    expect(calibration!.inputs[0]!.outside).toBeGreaterThan(40);
    expect(calibration!.bounds.some((b) => b.mark === "unproven")).toBe(true);
    const { stdout } = await executeHere("inspect", gru, "--calibrate", many, "--input-range", "0.05");
    expect(stdout).toMatch(/of 120 elements are OUTSIDE/);
    expect(stdout).toContain("EXCEEDED: by inputs outside the declared range");
  });

  it("takes both at once, and prints", async () => {
    const { stdout } = await executeHere("inspect", gru, "--calibrate", many, "--error", one);
    expect(stdout).toMatch(/Inputs, on 4 samples[\s\S]*gru +gate z, before its function[\s\S]*on 1 sample\n/);
  });

  it.each([
    [1.9, "near", /NEAR --state-bound 2/],
    [2.5, "clipped", /EXCEEDS --state-bound 2: a private run clips it/],
    [1, undefined, / 50 % {2}--state-bound 2$/m],
  ])("marks what comes near to a limit that clips: %s of 2", (value, mark, text) => {
    const compiled = compile(growing, { range: 3, stateBound: 2 });
    const samples: Samples = { count: 1, at: () => ({ x: { shape: [1, 1, 1], data: [value] } }) };
    const calibration = calibrate(compiled, samples);
    const candidate = calibration.bounds.find((b) => b.what === "candidate");
    expect([candidate!.limit, candidate!.mark]).toEqual([2, mark]);
    expect(renderStudy({ model: "m", plan: "p", calibration })).toMatch(text);
  });

  it("proposes two digits, with a tenth to spare", () => {
    expect([3, 0.03, 99, 100, 0, 1e-9, 12345].map(declarable)).toEqual([
      3.3, 0.033, 110, 110, 1, 1.1e-9, 14000,
    ]);
  });
});

describe("a GRU whose functions do not bound its state", () => {
  const relu = shop.file(
    "relu.onnx",
    writeOnnx({
      inputs: [{ name: "x", shape: ["time", "batch", 3] }],
      outputs: [{ name: "y_h", shape: [1, "batch", 2] }],
      nodes: [
        {
          op: "GRU",
          name: "gru",
          inputs: ["x", "W", "R"],
          outputs: ["", "y_h"],
          attributes: {
            hidden_size: 2,
            linear_before_reset: 1,
            activations: ["Sigmoid", "Relu"],
          },
        },
      ],
      initialisers: {
        W: tensor([1, 6, 3], ...Array.from({ length: 18 }, (_, i) => 0.5 * Math.sin(i))),
        R: tensor([1, 6, 2], ...Array.from({ length: 12 }, (_, i) => 0.5 * Math.cos(i))),
      },
    }),
  );

  it("needs a bound, which samples show, and with which it runs", async () => {
    const refused = await executeHere("inspect", relu);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("--state-bound");

    const calibrated = await executeHere("inspect", relu, "--calibrate", many, "--json");
    expect(calibrated.stderr).toMatch(
      /no --state-bound for gru; 16 is assumed while the samples are observed/,
    );
    const { calibration } = JSON.parse(calibrated.stdout) as Study;
    const [{ layer, observed: most, option }] = calibration!.stateBounds as [
      { layer: string; observed: number; option: string },
    ];
    expect(layer).toBe("gru");
    expect(most).toBeGreaterThan(1);
    expect(most).toBe(Math.max(...calibration!.bounds.filter((o) => o.limit).map((o) => o.observed)));
    const bound = option.split(" ");
    expect(bound).toEqual(["--state-bound", `gru=${declarable(most)}`]);

    const { error } = await study(relu, "--error", many, ...bound);
    expect(error!.outputs[0]!.maxAbsError).toBeLessThan(0.02);
    const narrow = await study(relu, "--error", many, "--state-bound", String(most / 2));
    expect(narrow.error!.outputs[0]!.maxAbsError).toBeGreaterThan(0.1);
    const plan = await executeHere("inspect", relu, ...bound);
    expect(plan.stdout).toMatch(/candidate relu, state bound [\d.]+$/m);

    const done = await executeHere("run", relu, "--input", one, ...bound, "--check", "--json");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(done.stdout).maxAbsError).toBeLessThan(0.02);
  });
});

describe("samples", () => {
  const two = shop.file(
    "two.onnx",
    makeGruModel({ hidden: 3, inputSize: 3, resetAfter: true, initialState: true }),
  );
  const h0 = shop.array("h0", [1, 2, 3], () => 0.5);
  const h3 = shop.array("h3", [3, 1, 2, 3], () => 0.5);

  it("may share an input", async () => {
    const { error } = await study(two, "--error", `x=${many}`, "--error", `h0=${h0}`);
    expect(error!.samples).toBe(4);
    expect(error!.outputs.map((o) => o.name)).toEqual(["y", "y_h"]);
  });

  it.each([
    [
      "another count",
      ["--error", `x=${many}`, "--error", `h0=${h3}`],
      /3 samples of input h0, 4 of those before/,
      1,
    ],
    ["a missing input", ["--error", `x=${many}`], /no --error for h0 \[1, batch, 3\]/, 2],
    [
      "a wrong rank",
      ["--calibrate", `x=${shop.array("flat", [3], wave)}`, "--calibrate", `h0=${h0}`],
      /--calibrate: input x has shape \[3\], expected \[time, batch, 3\], or one axis more in front.*\[samples, time, batch, 3\]/,
      1,
    ],
    [
      "a wrong size",
      ["--error", `x=${shop.array("wide", [2, 5, 2, 4], wave)}`, "--error", `h0=${h0}`],
      /input x has shape \[5, 2, 4\]/,
      1,
    ],
    [
      "NaN",
      [
        "--error",
        `x=${shop.array("nan", [3, 5, 2, 3], (i) => (i === 50 ? Number.NaN : 0))}`,
        "--error",
        `h0=${h0}`,
      ],
      /sample 1: input x: element 20 \(\[3,0,2\]\) is NaN/,
      1,
    ],
    ["sizes", ["--error", `x=${many}`, "--size", "time=3"], /--size with samples/, 2],
    ["inputs", ["--error", `x=${many}`, "--input", `x=${one}`], /--input with samples/, 2],
    ["no file", ["--error", shop.path("none.npy")], /say which input/, 2],
  ])("%s is refused", async (_, args, message, code) => {
    const done = await executeHere("inspect", two, ...args);
    expect(done.stderr).toMatch(message);
    expect(done).toMatchObject({ code, stdout: "" });
  });

  it("are observed by the real command", async () => {
    const done = await shop.sotto("inspect", gru, "--calibrate", many, "--error", many);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(done.stdout).toContain("--input-range x=3.1,0.033,6.6");
  });
});

const TINY = Math.fround(1e-9);

/** y = a + b / 10^9. */
const difference: ModelDescription = {
  name: "difference",
  inputs: [{ name: "x", shape: [1, 2, 2], kind: "real" }],
  outputs: [{ name: "y" }],
  layers: [{ op: "dense", name: "dense", inputs: ["x"], outputs: ["y"], A: "A" }],
  tensors: { A: tensor([1, 2], 1, 1e-9) },
  constants: {},
};

/** A GRU with the candidate relu(x). */
const growing: ModelDescription = {
  name: "growing",
  inputs: [{ name: "x", shape: [1, 1, 1], kind: "real" }],
  outputs: [{ name: "h" }],
  layers: [
    {
      op: "gru",
      name: "gru",
      inputs: ["x"],
      outputs: ["", "h"],
      hidden: 1,
      resetAfter: true,
      W: "W",
      U: "U",
      candidate: { name: "relu" },
    },
  ],
  tensors: { W: tensor([3, 1], 0, 0, 1), U: tensor([3, 1], 0, 0, 0) },
  constants: {},
};
