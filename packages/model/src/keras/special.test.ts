/** What TensorFlow.js has no counterpart for, against models that must compute the same. */
import type { Constant } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { evaluate } from "../testing/evaluate.js";
import {
  difference,
  functional,
  gru,
  importAs,
  input,
  layer,
  randomTensor,
  sequential,
} from "../testing/keras-compare.js";
import { writeKeras } from "../testing/keras-files.js";
import { type KerasLayerSpec, makeTfjs, type TfjsModel, type Weights } from "../testing/tfjs.js";
import { importKeras } from "./import.js";

const x = randomTensor(3, 2, 5, 3);
const tokens: Constant = { shape: [3, 5], data: [1, 2, 3, 0, 0, 0, 4, 5, 1, 0, 2, 2, 2, 2, 2] };

function weights(name: string, shape: number[], data: ArrayLike<number>): Weights {
  return { name, shape, data: Float32Array.from(data) };
}

/** A model that TensorFlow.js could not run, to be written only. */
function unrun(layers: KerasLayerSpec[], list: Record<string, Weights[]> = {}): TfjsModel {
  const never = () => {
    throw new Error("not for running");
  };
  return {
    topology: sequential(...layers),
    weights: new Map(Object.entries(list)),
    predict: never,
    save: never,
  };
}

describe("layers beyond TensorFlow.js", () => {
  it("CuDNNGRU, whose matrices have cuDNN's order", async () => {
    const [I, H] = [3, 4];
    const plain = await makeTfjs(sequential(input("x", null, I), gru("net", H)));
    const [kernel, recurrent, bias] = plain.weights.get("net")!;
    // Gate by gate: kernel transposed and its numbers refilled by rows, recurrent kernel transposed.
    const cudnn = (from: Weights, n: number) => {
      const data = new Float32Array(from.data.length);
      for (let gate = 0; gate < 3; gate++)
        for (let i = 0; i < n; i++)
          for (let h = 0; h < H; h++) {
            const at = h * n + i;
            data[Math.floor(at / H) * 3 * H + gate * H + (at % H)] = from.data[i * 3 * H + gate * H + h]!;
          }
      return { ...from, data };
    };
    const config = { units: H, return_sequences: false, go_backwards: false, stateful: false };
    const model = unrun([input("x", null, I), layer("CuDNNGRU", "net", config)], {
      net: [cudnn(kernel!, I), cudnn(recurrent!, H), { ...bias!, shape: [6 * H] }],
    });
    expect(difference(await importAs(model, "h5"), [x], plain.predict(x))).toBeLessThan(1e-5);
  });

  it("time_major", async () => {
    const turned = {
      shape: [5, 2, 3],
      data: Array.from(
        { length: 30 },
        (_, i) => x.data[(Math.floor(i / 3) % 2) * 15 + Math.floor(i / 6) * 3 + (i % 3)]!,
      ),
    };
    const plain = await makeTfjs(sequential(input("x", null, 3), gru("net", 4)));
    const topology = sequential(input("x", null, 3), gru("net", 4, { time_major: true }));
    const description = await importAs({ ...plain, topology }, "keras2.13");
    expect(difference(description, [turned], plain.predict(x))).toBeLessThan(1e-5);
  });

  it("Normalization, learnt and given", async () => {
    const expected = [
      { shape: x.shape, data: x.data.map((v, i) => (v - [0.5, 1, -1][i % 3]!) / [2, 0.5, 1][i % 3]!) },
    ];
    const [mean, variance] = [
      [0.5, 1, -1],
      [4, 0.25, 1],
    ];
    const learnt = unrun([input("x", null, 3), layer("Normalization", "l", { axis: [-1] })], {
      l: [weights("mean", [3], mean), weights("variance", [3], variance), weights("count", [], [7])],
    });
    const given = unrun([
      input("x", null, 3),
      layer("Normalization", "l", { axis: [-1], mean: [[mean]], variance }),
    ]);
    for (const model of [learnt, given])
      for (const format of ["h5", "keras3"] as const)
        expect(difference(await importAs(model, format), [x], expected)).toBeLessThan(1e-5);
    const all = unrun([
      input("x", null, 3),
      layer("Normalization", "l", { axis: null, mean: 1, variance: 4 }),
    ]);
    const halved = [{ shape: x.shape, data: x.data.map((v) => (v - 1) / 2) }];
    expect(difference(await importAs(all, "keras3"), [x], halved)).toBeLessThan(1e-5);
  });

  it("Subtract, and ELU with another alpha", async () => {
    const layers = [
      input("x", null, 3),
      input("y", null, 3),
      layer("Subtract", "minus", {}, ["x", "y"]),
      layer("ELU", "elu", { alpha: 0.5 }, ["minus"]),
    ];
    const model = { ...unrun([]), topology: functional(layers, ["x", "y"], ["elu"]) };
    const y = randomTensor(9, 2, 5, 3);
    const expected = x.data.map((v, i) => v - y.data[i]!).map((v) => (v < 0 ? 0.5 * Math.expm1(v) : v));
    expect(
      difference(await importAs(model, "keras3"), [x, y], [{ shape: x.shape, data: expected }]),
    ).toBeLessThan(1e-5);
  });

  it("softmax, which comes last", async () => {
    const model = await makeTfjs(
      sequential(
        input("x", null, 3),
        gru("net", 3),
        layer("Dense", "d", { units: 4, activation: "softmax" }),
      ),
    );
    const description = await importAs(model, "h5");
    expect(description.layers.at(-1)).toMatchObject({ op: "softmax", axis: -1, outputs: ["d"] });
  });
});

describe("masks", () => {
  const embedding = (inputs?: string[]) =>
    layer(
      "Embedding",
      "words",
      { input_dim: 6, output_dim: 3, mask_zero: true, batch_input_shape: [null, null] },
      inputs,
    );

  it("become inputs that the client finds by itself", async () => {
    const model = await makeTfjs(sequential(embedding(), gru("net", 2)));
    const description = await importAs(model, "h5");
    expect(description.inputs).toEqual([
      { name: "words_input", shape: ["batch", "words_input.1"], kind: "token" },
      {
        name: "words_input.end",
        shape: ["batch"],
        kind: "length",
        mask: { input: "words_input", value: 0, edge: "end" },
      },
      {
        name: "words_input.start",
        shape: ["batch"],
        kind: "length",
        mask: { input: "words_input", value: 0, edge: "start" },
      },
    ]);
    expect(description.layers.find((l) => l.op === "gru")).toMatchObject({
      inputs: [expect.any(String), "", "words_input.end", "words_input.start"],
      padding: "carry",
    });
  });

  it("bound the mean over time", async () => {
    const full = await makeTfjs(
      sequential({ ...embedding(), config: { ...embedding().config, mask_zero: false } }),
    );
    const topology = sequential(
      embedding(),
      layer("Dropout", "drop", { rate: 0.2 }),
      layer("GlobalAveragePooling1D", "mean"),
    );
    const embedded = full.predict(tokens)[0]!.data;
    const data = [0, 1, 2].flatMap((b) =>
      [0, 1, 2].map((c) => {
        const steps = [0, 1, 2, 3, 4].filter((t) => tokens.data[5 * b + t] !== 0);
        return steps.reduce((sum, t) => sum + embedded[(5 * b + t) * 3 + c]!, 0) / steps.length;
      }),
    );
    const description = await importAs({ ...full, topology }, "keras3");
    expect(difference(description, [tokens], [{ shape: [3, 3], data }])).toBeLessThan(1e-5);
  });

  it("pass two recurrent layers and a dense one", async () => {
    const model = await makeTfjs(
      sequential(
        embedding(),
        gru("a", 3, { return_sequences: true, go_backwards: true }),
        layer("TimeDistributed", "b", { layer: layer("Dense", "inner", { units: 2, activation: "tanh" }) }),
        gru("c", 2),
      ),
    );
    for (const format of ["tfjs", "h5", "keras3"] as const)
      expect(difference(await importAs(model, format), [tokens], model.predict(tokens)), format).toBeLessThan(
        1e-5,
      );
  });

  it("that functional models of Keras 3 write as operations are the same", async () => {
    const layers = [input("t", null), embedding(["t"]), gru("net", 2, {}, ["words"])];
    const model = await makeTfjs(functional(layers, ["t"], ["net"]));
    const bytes = await writeKeras(model, "keras3");
    const plain = importKeras(bytes);
    const tensor = (name: string) => ({
      class_name: "__keras_tensor__",
      config: { keras_history: [name, 0, 0] },
    });
    const { strFromU8, strToU8, unzipSync, zipSync } = await import("fflate");
    const files = unzipSync(bytes);
    const config = JSON.parse(strFromU8(files["config.json"]!));
    config.config.layers.push({
      module: "keras.src.ops.numpy",
      class_name: "NotEqual",
      config: { name: "not_equal" },
      registered_name: "NotEqual",
      name: "not_equal",
      inbound_nodes: [{ args: [tensor("t"), 0], kwargs: {} }],
    });
    config.config.layers[2].inbound_nodes[0].kwargs.mask = tensor("not_equal");
    const explicit = importKeras(zipSync({ ...files, "config.json": strToU8(JSON.stringify(config)) }));
    expect(explicit).toEqual(plain);
    expect(Object.keys(evaluate(explicit, { t: tokens }))).toEqual(["net"]);
  });
});
