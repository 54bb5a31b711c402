import type { Constant } from "@sotto/core";
import { describe, expect, it } from "vitest";
import {
  difference,
  FORMATS,
  type Format,
  functional,
  gru,
  importAs,
  input,
  layer,
  randomTensor,
  sequential,
} from "../testing/keras-compare.js";
import { type KerasLayerSpec, type KerasTopology, makeTfjs } from "../testing/tfjs.js";

const x = randomTensor(5, 2, 6, 3);
const tokens: Constant = { shape: [2, 4], data: [1, 4, 2, 3, 5, 1, 0, 2] };

async function expectSame(
  topology: KerasTopology,
  feeds: Constant[] = [x],
  formats: readonly Format[] = ["h5", "tfjs", "keras3"],
): Promise<void> {
  const model = await makeTfjs(topology);
  const expected = model.predict(...feeds);
  for (const format of formats) {
    const description = await importAs(model, format);
    expect(difference(description, feeds, expected), format).toBeLessThan(1e-5);
  }
}

describe("models from every format", () => {
  const topologies: Record<string, [KerasTopology, Constant[]]> = {
    sequential: [
      sequential(
        input("x", null, 3),
        gru("first", 4, { return_sequences: true }),
        layer("Dropout", "dropout", { rate: 0.5 }),
        gru("second", 3, { reset_after: false }),
        layer("Dense", "hidden", { units: 3, activation: "relu", use_bias: true }),
        layer("Dense", "head", { units: 2, activation: "softmax", use_bias: false }),
      ),
      [x],
    ],
    "text classifier": [
      sequential(
        layer("Embedding", "words", {
          input_dim: 6,
          output_dim: 3,
          batch_input_shape: [null, null],
          mask_zero: false,
        }),
        layer("Bidirectional", "both", { layer: gru("gru", 2), merge_mode: "concat" }),
        layer("Dense", "head", { units: 1, activation: "sigmoid" }),
      ),
      [tokens],
    ],
    "encoder and decoder": [
      functional(
        [
          input("source", null, 3),
          input("target", null, 3),
          gru("encoder", 4, { return_state: true }, ["source"]),
          gru("decoder", 4, { return_sequences: true, return_state: true }, ["target", ["encoder", 1]]),
          layer("TimeDistributed", "words", { layer: layer("Dense", "inner", { units: 2 }) }, ["decoder"]),
        ],
        ["source", "target"],
        ["words", ["decoder", 1]],
      ),
      [x, randomTensor(6, 2, 4, 3)],
    ],
    "two branches": [
      functional(
        [
          input("x", 6, 3),
          layer(
            "Bidirectional",
            "both",
            { layer: gru("gru", 2, { return_sequences: true }), merge_mode: "sum" },
            ["x"],
          ),
          layer("Dense", "side", { units: 2 }, ["x"]),
          layer("Add", "add", {}, ["both", "side"]),
          layer("Concatenate", "concat", { axis: -1 }, ["add", "x"]),
          layer("GlobalMaxPooling1D", "max", {}, ["concat"]),
        ],
        ["x"],
        ["max"],
      ),
      [x],
    ],
  };
  for (const [name, [topology, feeds]] of Object.entries(topologies))
    for (const format of FORMATS) it(`${name}, ${format}`, () => expectSame(topology, feeds, [format]));
});

const each = (...layers: KerasLayerSpec[]) => sequential(input("x", 6, 3), ...layers);

describe("layers as TensorFlow.js computes them", () => {
  const cases: Record<string, KerasTopology> = {
    flatten: each(layer("Flatten", "l"), layer("Dense", "d", { units: 2 })),
    reshape: each(layer("Reshape", "l", { target_shape: [9, -1] })),
    permute: each(layer("Permute", "l", { dims: [2, 1] }), layer("Dense", "d", { units: 2 })),
    "repeat vector": each(gru("g", 2), layer("RepeatVector", "l", { n: 3 }), gru("h", 2)),
    "batch normalisation": each(layer("BatchNormalization", "l", { axis: -1, epsilon: 0.01 })),
    "batch normalisation, no shift": each(layer("BatchNormalization", "l", { center: false })),
    "mean over time": each(layer("GlobalAveragePooling1D", "l")),
    "maximum over time": each(layer("GlobalMaxPooling1D", "l")),
    "maxima of windows": each(layer("MaxPooling1D", "l", { pool_size: [2], strides: [2], padding: "valid" })),
    "overlapping windows": each(layer("MaxPooling1D", "l", { pool_size: [3], strides: [2] })),
    "means of windows": each(layer("AveragePooling1D", "l", { pool_size: [4], strides: [1] })),
    "whole windows": each(layer("MaxPooling1D", "l", { pool_size: [2], strides: [2], padding: "same" })),
    "pooling between layers": sequential(
      input("x", null, 3),
      layer("Conv1D", "c", {
        filters: 4,
        kernel_size: [3],
        strides: [1],
        padding: "same",
        activation: "relu",
      }),
      layer("MaxPooling1D", "l", { pool_size: [2], strides: [2] }),
      gru("g", 2),
    ),
    activation: each(layer("Activation", "l", { activation: "softsign" })),
    relu: each(layer("ReLU", "l")),
    "limited relu": each(layer("ReLU", "l", { max_value: 0.5 })),
    "leaky relu": each(layer("LeakyReLU", "l", { alpha: 0.2 })),
    elu: each(layer("ELU", "l", { alpha: 1 })),
    "thresholded relu": each(layer("ThresholdedReLU", "l", { theta: 0.3 })),
    softmax: each(gru("g", 3), layer("Softmax", "l")),
    "noise and dropout": each(
      layer("GaussianNoise", "a", { stddev: 1 }),
      layer("GaussianDropout", "b", { rate: 0.5 }),
      layer("AlphaDropout", "c", { rate: 0.5 }),
      layer("Dropout", "d", { rate: 0.5 }),
      layer("Dense", "e", { units: 1 }),
    ),
    rescaling: each(layer("Rescaling", "l", { scale: 2, offset: -0.5 })),
    convolution: each(
      layer("Conv1D", "l", { filters: 4, kernel_size: [3], strides: [1], activation: "tanh" }),
    ),
    "strided convolution": each(
      layer("Conv1D", "l", { filters: 2, kernel_size: [3], strides: [2], padding: "same" }),
    ),
    "strided convolution, even": each(
      layer("Conv1D", "l", { filters: 2, kernel_size: [4], strides: [3], padding: "same", use_bias: false }),
    ),
    "dilated convolution": each(
      layer("Conv1D", "l", { filters: 2, kernel_size: [2], dilation_rate: [2], padding: "same" }),
    ),
    "cells in a layer": each(
      layer("RNN", "l", {
        cell: layer("GRUCell", "cell", gru("", 3, { reset_after: false }).config),
        return_sequences: true,
      }),
    ),
    "stacked cells": each(
      layer("RNN", "l", {
        return_state: false,
        cell: layer("StackedRNNCells", "cells", {
          cells: [3, 2].map((n) =>
            layer("GRUCell", `cell${n}`, { ...gru("", n, { reset_after: false }).config, name: `c${n}` }),
          ),
        }),
      }),
    ),
  };
  for (const [name, topology] of Object.entries(cases)) it(name, () => expectSame(topology));

  for (const activation of ["linear", "sigmoid", "tanh", "relu", "elu", "softplus", "softsign", "relu6"])
    it(`dense with ${activation}`, () => expectSame(each(layer("Dense", "l", { units: 4, activation }))));
  it("dense with hard_sigmoid of Keras 2", () =>
    expectSame(each(layer("Dense", "l", { units: 4, activation: "hard_sigmoid" })), [x], ["h5", "tfjs"]));

  const two = (kind: string, config: Record<string, unknown> = {}) =>
    functional(
      [
        input("x", null, 3),
        layer("Dense", "a", { units: 3 }, ["x"]),
        layer("Dense", "b", { units: 3 }, ["x"]),
        layer(kind, "both", config, ["a", "b"]),
      ],
      ["x"],
      ["both"],
    );
  for (const kind of ["Add", "Multiply", "Average"]) it(kind, () => expectSame(two(kind)));
  it("Concatenate", () => expectSame(two("Concatenate", { axis: 2 })));
  it("Concatenate in time", () => expectSame(two("Concatenate", { axis: 1 })));

  it("inputs of different ranks", () =>
    expectSame(
      functional(
        [input("x", 6, 3), gru("g", 3, {}, ["x"]), layer("Add", "add", {}, ["x", "g"])],
        ["x"],
        ["add"],
      ),
    ));

  it("batch normalisation of time, which TensorFlow.js gets wrong", async () => {
    const norm = (axis: number) => layer("BatchNormalization", "l", { axis, scale: false });
    const turn = (name: string) => layer("Permute", name, { dims: [2, 1] });
    const turned = await makeTfjs(each(turn("a"), norm(-1), turn("b")));
    const description = await importAs(await makeTfjs(each(norm(1))), "h5");
    expect(difference(description, [x], turned.predict(x))).toBeLessThan(1e-5);
  });

  it("causal convolution and zero padding, which TensorFlow.js can't do", async () => {
    const conv = (padding: string) =>
      layer("Conv1D", "l", { filters: 2, kernel_size: [3], dilation_rate: [2], padding });
    const padded = {
      shape: [2, 10, 3],
      data: [0, 1].flatMap((b) => [...Array(12).fill(0), ...x.data.slice(18 * b, 18 * b + 18)]),
    };
    const expected = (await makeTfjs(sequential(input("x", 10, 3), conv("valid")))).predict(padded);
    const causal = await makeTfjs(each(conv("causal")));
    expect(difference(await importAs(causal, "keras3"), [x], expected)).toBeLessThan(1e-5);
    const topology = each(conv("valid"));
    topology.config.layers.splice(1, 0, layer("ZeroPadding1D", "pad", { padding: [4, 0] }));
    expect(difference(await importAs({ ...causal, topology }, "h5"), [x], expected)).toBeLessThan(1e-5);
  });

  it("a layer that is called twice", async () => {
    const shared = layer("Dense", "shared", { units: 3 }, ["x"]);
    shared.inbound_nodes = [[["x", 0, 0, {}]], [["shared", 0, 0, {}]]];
    const topology = functional([input("x", null, 3), shared], ["x"], ["shared"]);
    topology.config.output_layers = [["shared", 1, 0]];
    await expectSame(topology);
  });
});
