import { compile, instantiate, type ModelDescription } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { detailOf } from "./layer-details.js";

const tensor = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.3 * Math.sin(i)),
});

const model: ModelDescription = {
  name: "all",
  inputs: [
    { name: "x", shape: ["batch", 2, 9], kind: "real" },
    { name: "n", shape: ["batch"], kind: "length" },
  ],
  outputs: [{ name: "y" }],
  layers: [
    {
      op: "conv1d",
      name: "conv",
      inputs: ["x"],
      outputs: ["a"],
      W: "W",
      stride: 2,
      dilation: 1,
      groups: 2,
      pads: [2, 0],
    },
    { op: "affine", name: "norm", inputs: ["a"], outputs: ["b"], scale: "s", offset: "s" },
    {
      op: "activation",
      name: "leaky",
      inputs: ["b"],
      outputs: ["c"],
      activation: { name: "leakyRelu", alpha: 0.2 },
    },
    { op: "transpose", name: "time first", inputs: ["c"], outputs: ["d"], perm: [2, 0, 1] },
    {
      op: "gru",
      name: "gru",
      inputs: ["d", "", "n"],
      outputs: ["Y", ""],
      hidden: 3,
      resetAfter: false,
      W: "gW",
      U: "gU",
      reverse: true,
      gate: { name: "hardSigmoid", alpha: 0.25 },
      candidate: { name: "relu" },
      clip: 5,
      initial: "h0",
    },
    { op: "squeeze", name: "directions", inputs: ["Y", "axis"], outputs: ["e"] },
    { op: "transpose", name: "batch first", inputs: ["e"], outputs: ["f"], perm: [1, 0, 2] },
    {
      op: "reduce",
      name: "mean",
      inputs: ["f", "n"],
      outputs: ["g"],
      fn: "mean",
      axes: [1],
      keepDims: false,
    },
    { op: "product", name: "square", inputs: ["g", "g"], outputs: ["h"] },
    { op: "affine", name: "shift", inputs: ["h"], outputs: ["i"], offset: "o" },
    { op: "affine", name: "own", inputs: ["h"], outputs: ["j"], scale: "o" },
    { op: "sum", name: "sum", inputs: ["i", "j"], outputs: ["k"] },
    { op: "activation", name: "end", inputs: ["k"], outputs: ["y"], activation: { name: "sigmoid" } },
  ],
  tensors: {
    W: tensor(4, 1, 3),
    s: tensor(4, 1),
    gW: tensor(9, 4),
    gU: tensor(9, 3),
    h0: tensor(1, 3),
    o: tensor(3),
  },
  constants: { axis: { shape: [1], data: [1] } },
};

describe("what is said of a layer", () => {
  const compiled = compile(model, { stateBound: 4 });
  const network = instantiate(compiled.plan, { batch: 1 });
  const said = Object.fromEntries(compiled.plan.layers.map((l) => [l.name, detailOf(l, compiled, network)]));

  it.each([
    ["conv", "2 -> 4 channels, 3 taps, stride 2, 2 groups, pads 2, 0"],
    ["norm", "in the weights of its neighbours; costs nothing"],
    ["leaky", "leakyRelu(0.2), by the servers; counted with the layer that reads it"],
    [
      "gru",
      "4 -> 3, reset before the product, backwards, gates hardSigmoid(0.25), candidate relu, clipped to 5 before them, " +
        "initial state in the model, lengths in n",
    ],
    ["mean", "mean over axes 1, lengths in n"],
    ["square", "of two private values"],
    ["shift", "by itself: a sum, which costs nothing"],
    ["own", "by itself: a product with a diagonal matrix"],
    ["sum", ""],
    ["end", "sigmoid, by the client, on the result"],
    ["time first", ""],
  ])("%s", (name, detail) => {
    expect(said[name]).toBe(detail);
  });
});
