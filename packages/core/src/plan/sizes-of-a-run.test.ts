/** A plan made for some sizes, run with others: the same network, or refused, and never a wrong result. */
import { beforeAll, describe, expect, it } from "vitest";
import { runClear } from "../interpret/plain.js";
import { rounds } from "../program/program.js";
import { Ring } from "../ring/ring.js";
import { applyPending } from "../share/pending.js";
import { type NumberTensor, prepareInputs } from "../share/share.js";
import { seededBytes } from "../testing/seeded.js";
import { deployTogether, inferTogether } from "../testing/together.js";
import { type CompileOptions, compile } from "./compile.js";
import type { GruLayer, Layer, ModelDescription, ModelInput, Tensor } from "./description.js";
import { instantiate } from "./instantiate.js";
import { sizesOf } from "./sizes.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const filled = (shape: number[], at: (i: number) => number): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => at(i)),
});
const real = (...shape: (number | string)[]): ModelInput => ({ name: "x", shape, kind: "real" });
const gru = (x: string, hidden: number, extra: Partial<GruLayer> = {}): GruLayer => ({
  op: "gru",
  name: "g",
  inputs: [x],
  outputs: ["Y", "h"],
  hidden,
  resetAfter: true,
  W: "W",
  U: "U",
  ...extra,
});
const model = (
  input: ModelInput,
  layers: Layer[],
  tensors: Record<string, Tensor>,
  outputs = ["h"],
): ModelDescription => ({
  name: "m",
  inputs: [input],
  outputs: outputs.map((name) => ({ name })),
  layers,
  tensors,
  constants: {},
});

/** The largest difference between a private run and float, over all outputs; the number of rounds. */
function run(description: ModelDescription, options: CompileOptions, inputs: Record<string, NumberTensor>) {
  const compiled = compile(description, options);
  const network = instantiate(compiled.plan, sizesOf(compiled.plan, inputs));
  const values = prepareInputs(network, inputs, compiled.publicTensors);
  const deployment = deployTogether(ring, compiled, seededBytes("deploy"));
  const { outputs } = inferTogether(ring, network, deployment, values, seededBytes("run"));
  deployment.setup.free();
  for (const m of deployment.models) m.free();
  const clear = runClear(network.program, compiled.tensors, values);
  let off = 0;
  for (const about of network.outputs) {
    const expected = applyPending(about, clear[about.name]!);
    outputs[about.name]!.data.forEach((v, i) => {
      off = Math.max(off, Math.abs(v - expected[i]!));
    });
  }
  return { off, rounds: rounds(network.program) };
}

const repeated = (shape: number[], value: number): NumberTensor => ({
  shape,
  data: new Array<number>(shape.reduce((n, d) => n * d, 1)).fill(value),
});

describe("sizes that the plan was not made for", () => {
  it.each([2, 4, 32])("refuse a sum over %d steps that a GRU reads, when made for one", (T) => {
    const sum: Layer = {
      op: "reduce",
      name: "s",
      fn: "sum",
      axes: [0],
      keepDims: true,
      inputs: ["x"],
      outputs: ["y"],
    };
    const description = model(real("T", 1, 1), [sum, gru("y", 1)], {
      W: filled([3, 1], () => 0.9),
      U: filled([3, 1], () => 0.1),
    });
    const inputs = { x: repeated([T, 1, 1], -8) };
    expect(() => run(description, {}, inputs)).toThrow(/layer g: .*than the plan assumes.*--size/);
    expect(run(description, { sizes: { T } }, inputs).off).toBeLessThan(0.002);
  });

  it.each([1, 2, 3, 9])("do not matter to a padded convolution before a GRU, for %d steps", (T) => {
    const conv: Layer = {
      op: "conv1d",
      name: "c",
      W: "C",
      stride: 1,
      dilation: 1,
      groups: 1,
      pads: [1, 1],
      inputs: ["x"],
      outputs: ["y"],
    };
    const turn: Layer = { op: "transpose", name: "t", perm: [2, 0, 1], inputs: ["y"], outputs: ["z"] };
    const description = model(real(1, 1, "T"), [conv, turn, gru("z", 1)], {
      C: filled([1, 1, 3], () => 31 / 8),
      W: filled([3, 1], () => -0.25),
      U: filled([3, 1], () => 0.1),
    });
    expect(run(description, {}, { x: repeated([1, 1, T], -8) }).off).toBeLessThan(0.002);
  });

  it("refuse a run in which other scales would apply to a layer", () => {
    const constants = { zero: { shape: [1], data: [0] }, one: { shape: [1], data: [1] } };
    const layers: Layer[] = [
      { op: "affine", name: "a", scale: "s", inputs: ["x"], outputs: ["ax"] },
      { op: "slice", name: "first", inputs: ["ax", "zero", "one", "zero"], outputs: ["p"] },
      { op: "concat", name: "c", axis: 0, inputs: ["p", "x"], outputs: ["z"] },
      { op: "shape", name: "length", inputs: ["x"], outputs: ["n"], start: 0, end: 1 },
      { op: "slice", name: "as many", inputs: ["z", "zero", "n", "zero"], outputs: ["zz"] },
      { op: "product", name: "square", inputs: ["ax", "ax"], outputs: ["q"] },
      gru("zz", 1),
    ];
    const tensors = {
      s: filled([2], (i) => 3 + i),
      W: filled([3, 2], (i) => 0.05 * (i + 1)),
      U: filled([3, 1], () => 0.1),
    };
    const description = { ...model(real("T", 1, 2), layers, tensors, ["h", "q"]), constants };
    const x = { shape: [2, 1, 2], data: [0.5, 0.3, 0.1, -0.1] };
    expect(() => run(description, { range: 1 }, { x })).toThrow(
      /layer g: with this run's sizes other scales/,
    );
    expect(run(description, { range: 1, sizes: { T: 2 } }, { x }).off).toBeLessThan(0.002);
  });

  it("do not make a server build an endless network", () => {
    const conv: Layer = {
      op: "conv1d",
      name: "c",
      W: "C",
      stride: 1,
      dilation: 1,
      groups: 1,
      pads: [1, 1],
      inputs: ["x"],
      outputs: ["y"],
    };
    const description = model(real(1, 1, "T"), [conv], { C: filled([64, 1, 3], () => 1) }, ["y"]);
    const { plan } = compile(description);
    expect(() => instantiate(plan, { T: 2 ** 21 })).toThrow(/intermediate values/);
  });
});

describe("a GRU whose input comes in parts", () => {
  it("takes the bounds of all parts", () => {
    const layers: Layer[] = [
      { op: "dense", name: "d", A: "A", inputs: ["x"], outputs: ["y"] },
      { op: "concat", name: "c", axis: 0, inputs: ["x", "y"], outputs: ["z"] },
      gru("z", 1),
    ];
    const description = model(real(1, 1, 1), layers, {
      A: filled([1, 1], () => 15.5),
      W: filled([3, 1], () => 1),
      U: filled([3, 1], () => 0.1),
    });
    expect(run(description, { range: 1 }, { x: repeated([1, 1, 1], -1) }).off).toBeLessThan(0.002);
  });
});

describe("what one value serves for", () => {
  it("two secret tables of one input have bounds of their own", () => {
    const look = (name: string, table: string, out: string): Layer => ({
      op: "embedding",
      name,
      table,
      inputs: ["x"],
      outputs: [out],
    });
    const input: ModelInput = { name: "x", shape: [3], kind: "token" };
    const tables = { small: filled([4, 2], (i) => i / 8), large: filled([4, 2], (i) => 100 * i) };
    const description = model(input, [look("a", "small", "p"), look("b", "large", "q")], tables, ["p", "q"]);
    const x = { shape: [3], data: [1, 2, 3] };
    expect(run(description, { privateEmbeddings: true }, { x }).off).toBeLessThan(0.01);
  });

  it("a product may share the opening of a GRU that nobody reads", () => {
    const layers: Layer[] = [
      gru("x", 2),
      gru("h", 2, { name: "unread", outputs: ["Y2", "h2"] }),
      { op: "product", name: "square", inputs: ["h", "h"], outputs: ["p"] },
    ];
    const description = model(
      real(1, 1, 2),
      layers,
      { W: filled([6, 2], Math.sin), U: filled([6, 2], Math.cos) },
      ["p"],
    );
    expect(run(description, { range: 1 }, { x: { shape: [1, 1, 2], data: [-1, 0.5] } }).off).toBeLessThan(
      0.002,
    );
  });

  it.each([1, 64, 126, 1000])("a maximum of thousands of values up to %d stays one of them", (most) => {
    const max: Layer = {
      op: "reduce",
      name: "r",
      fn: "max",
      axes: [1],
      keepDims: false,
      inputs: ["x"],
      outputs: ["y"],
    };
    const description = model(real(1, 4096), [max], {}, ["y"]);
    const { off } = run(description, { range: most }, { x: repeated([1, 4096], most) });
    expect(off).toBeLessThan(0.02 * Math.max(1, most));
  });
});

describe("a state that is clipped", () => {
  it.each([
    { resetAfter: true, each: 8 },
    { resetAfter: false, each: 9 },
  ])(
    "takes $each rounds a step, reset after $resetAfter, from an initial state beyond the bound too",
    ({ resetAfter, each }) => {
      const layer = gru("x", 1, { gate: { name: "tanh" }, resetAfter, initial: "h0" });
      const description = model(real(4, 1, 1), [layer], {
        W: filled([3, 1], () => -0.25),
        U: filled([3, 1], () => 0.1),
        h0: filled([1, 1], () => 0.9),
      });
      const x = { shape: [4, 1, 1], data: [0.1, -0.2, 0.3, 0.05] };
      const result = run(description, { range: 8, stateBound: 3 }, { x });
      expect(result.rounds).toBe(4 * each);
      expect(result.off).toBeLessThan(0.01);
    },
  );
});

describe("lengths of a run", () => {
  const input: ModelInput = { name: "n", shape: [2], kind: "length" };
  const tensors = {
    W: filled([6, 1], Math.sin),
    U: filled([6, 2], Math.cos),
    h0: filled([1, 2], (i) => i / 4),
  };
  const description = (layer: GruLayer): ModelDescription => ({
    ...model(real(3, 2, 1), [layer], tensors, ["Y", "h"]),
    inputs: [real(3, 2, 1), input],
  });
  const x = { shape: [3, 2, 1], data: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] };

  it.each([
    { padding: "carry", initial: "h0", states: [0, 0.25, 0, 0.25] },
    { padding: "zero", initial: "h0", states: [0, 0, 0, 0] },
    { padding: "zero", states: [0, 0, 0, 0] },
  ] as const)(
    "may all be zero: the states are those before the first step as Keras has it, and zero as ONNX Runtime does ($padding, $initial)",
    ({ states, ...more }) => {
      const layer = gru("x", 2, { inputs: ["x", "", "n"], ...more });
      const compiled = compile(description(layer), { range: 1 });
      const given = { x, n: { shape: [2], data: [0, 0] } };
      const network = instantiate(compiled.plan, sizesOf(compiled.plan, given));
      const values = prepareInputs(network, given, {});
      const clear = runClear(network.program, compiled.tensors, values);
      expect([...clear.h!]).toEqual([...states]);
      expect(clear.Y!.every((v) => v === 0)).toBe(true);
      expect(run(description(layer), { range: 1 }, given).off).toBeLessThan(0.002);
    },
  );

  it("are refused beyond the axis, naming the input and both numbers", () => {
    const layer = gru("x", 2, { inputs: ["x", "", "n"] });
    expect(() => run(description(layer), { range: 1 }, { x, n: { shape: [2], data: [1, 11] } })).toThrow(
      /input n: sequence 1 has steps 0 to 11, and the time axis of layer g has 3/,
    );
  });
});

describe("a model that does not fit", () => {
  it("because of one weight names it", () => {
    const tensors = { W: filled([3, 1], (i) => (i === 1 ? 1e30 : 0.1)), U: filled([3, 1], () => 0.1) };
    expect(() => compile(model(real(1, 1, 1), [gru("x", 1)], tensors))).toThrow(
      /the largest weight is 1\.00e\+30, in W/,
    );
  });

  it("because of the number of steps says what bounds them", () => {
    const tensors = { W: filled([3, 1], () => 0.1), U: filled([3, 1], () => 0.1) };
    const description = model(real("T", 1, 1), [gru("x", 1, { candidate: { name: "relu" } })], tensors);
    const { plan } = compile(description, { stateBound: 1000 });
    expect(() => instantiate(plan, { T: 20 })).toThrow(/states up to 1000 at most 16 are .*--state-bound/);
  });
});
