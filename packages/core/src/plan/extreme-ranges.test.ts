import { describe, expect, it } from "vitest";
import { runClear, runExact } from "../interpret/plain.js";
import { prepareInputs } from "../share/share.js";
import { randomGru, randomInput } from "../testing/models.js";
import { seededUniform } from "../testing/seeded.js";
import { compile } from "./compile.js";
import type { Layer, ModelDescription, ModelInput, Tensor } from "./description.js";
import { instantiate } from "./instantiate.js";

/** A network for inputs of this size: its first weights are as much smaller. */
function sized(range: number): ModelDescription {
  const model = randomGru({ seed: 1, hidden: 6, inputSize: 4, steps: 3, head: 2 });
  model.tensors.W0!.data = model.tensors.W0!.data.map((w) => w / range);
  return model;
}

function error(range: number): number {
  const model = sized(range);
  const { plan, tensors } = compile(model, { range });
  const network = instantiate(plan, {});
  const x = { shape: [3, 1, 4], data: randomInput(1, 12, 1).map((v) => v * range) };
  const inputs = prepareInputs(network, { x }, {});
  const [clear, exact] = [
    runClear(network.program, tensors, inputs).y!,
    runExact(network.program, plan, tensors, inputs).y!,
  ];
  expect(Math.max(...clear.map(Math.abs))).toBeGreaterThan(0.05);
  return Math.max(...clear.map((v, i) => Math.abs(v - exact[i]!)));
}

describe("an input's range", () => {
  it.each([1e-9, 1e-5, 1, 2 ** 18, 2 ** 19, 1e9, 1e12, 1e30])("may be %f", (range) => {
    expect(error(range)).toBeLessThan(0.001);
  });
});

const random = seededUniform("layers");
const tensor = (most: number, ...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => (2 * random() - 1) * most),
});
const conv: Layer = {
  ...{ op: "conv1d", name: "c", inputs: ["v"], outputs: ["y"], W: "W" },
  ...{ stride: 1, dilation: 1, groups: 1, pads: [1, 1] },
};
const normed: Layer = { op: "affine", name: "n", inputs: ["x"], outputs: ["v"], scale: "s", offset: "o" };
const dense: Layer = { op: "dense", name: "d", inputs: ["v"], outputs: ["y"], A: "A" };
const reduced = (fn: "sum" | "mean"): Layer => ({
  ...{ op: "reduce", name: "r", fn, inputs: ["x"], outputs: ["v"], axes: [2], keepDims: false },
});

/** What reads an input of [1, 4, 5] numbers up to `range` and gives numbers around 1. */
const READERS: [string, Layer[], (range: number) => Record<string, Tensor>][] = [
  ["padded convolution", [{ ...conv, inputs: ["x"] }], (r) => ({ W: tensor(1 / r, 3, 4, 3) })],
  [
    "normalisation and a padded convolution",
    [normed, conv],
    (r) => ({ s: tensor(1 / r, 4, 1), o: tensor(1, 4, 1), W: tensor(1, 3, 4, 3) }),
  ],
  [
    "normalisation and a function",
    [normed, { op: "activation", name: "a", inputs: ["v"], outputs: ["y"], activation: { name: "tanh" } }],
    (r) => ({ s: tensor(1 / r, 4, 1), o: tensor(1, 4, 1) }),
  ],
  ["sum over time", [reduced("sum"), dense], (r) => ({ A: tensor(1 / r, 3, 4) })],
  ["mean over time", [reduced("mean"), dense], (r) => ({ A: tensor(1 / r, 3, 4) })],
  [
    "difference",
    [
      { op: "sum", name: "m", inputs: ["x", "z"], outputs: ["u"], signs: [1, -1] },
      { op: "transpose", name: "t", inputs: ["u"], outputs: ["v"], perm: [0, 2, 1] },
      dense,
    ],
    (r) => ({ A: tensor(1 / r, 3, 4) }),
  ],
];

function readerError(layers: Layer[], tensors: Record<string, Tensor>, range: number, output = "y"): number {
  const read = new Set(layers.flatMap((l) => l.inputs));
  const inputs = ["x", "z"]
    .filter((name) => read.has(name))
    .map((name): ModelInput => ({ name, shape: [1, 4, 5], kind: "real" }));
  const model = { name: "m", inputs, outputs: [{ name: output }], layers, tensors, constants: {} };
  const { plan, tensors: values } = compile(model, { range });
  const network = instantiate(plan, {});
  const given = Object.fromEntries(
    inputs.map(({ name }) => [
      name,
      { shape: [1, 4, 5], data: randomInput(name, 20, 1).map((v) => v * range) },
    ]),
  );
  const prepared = prepareInputs(network, given, {});
  const exact = runExact(network.program, plan, values, prepared)[output]!;
  const clear = runClear(network.program, values, prepared)[output]!;
  if (output === "x")
    expect([...clear].map((v, i) => Math.abs(v - given.x!.data[i]!) < 1e-6 * range)).not.toContain(false);
  else expect(Math.max(...clear.map(Math.abs))).toBeGreaterThan(0.2);
  return Math.max(...clear.map((v, i) => Math.abs(v - exact[i]!)));
}

it.each([1e-46, 1e39, 0, -1, Number.NaN])("a range of %f is refused", (range) => {
  const model = randomGru({ seed: 1, hidden: 2, inputSize: 2, steps: 1 });
  for (const declared of [range, [1, range]])
    expect(() => compile(model, { range: declared })).toThrow(/input x: range .*expected a positive number/);
});

it("a range below 2^-30 is refused with what to do, but for a feature among others", () => {
  const model = randomGru({ seed: 1, hidden: 2, inputSize: 2, steps: 1 });
  expect(() => compile(model, { range: 2 ** -31 })).toThrow(
    /input x: range .*2\^-30 at least: scale the input up/,
  );
  compile(model, { range: [1, 2 ** -31] });
});

describe.each([1e-7, 1e-5, 2 ** -15, 1e-3, 2 ** 18, 1e6])("an input of range %f", (range) => {
  it.each(READERS)("may be read by a %s", (_, layers, tensors) => {
    expect(readerError(layers, tensors(range), range)).toBeLessThan(0.002);
  });

  it("may itself be an output, in units of its own", () => {
    const layers = [{ ...conv, inputs: ["x"] }];
    expect(readerError(layers, { W: tensor(1 / range, 3, 4, 3) }, range, "x")).toBeLessThan(1e-3 * range);
  });
});
