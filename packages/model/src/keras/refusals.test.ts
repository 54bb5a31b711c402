/** What is not supported is refused by name, with what to do instead. */
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { functional, gru, importAs, input, layer, sequential } from "../testing/keras-compare.js";
import { writeKeras } from "../testing/keras-files.js";
import { type KerasLayerSpec, type KerasTopology, makeTfjs, type TfjsModel } from "../testing/tfjs.js";
import { writeHdf5 } from "../testing/write-hdf5.js";
import { importKeras } from "./import.js";
import { importTfjs } from "./tfjs.js";

const sound = await makeTfjs(
  sequential(input("x", 6, 3), gru("net", 2), layer("Dense", "head", { units: 1 })),
);
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The error of a file that says this, with the sound model's weights. */
async function refusal(topology: KerasTopology, model: TfjsModel = sound): Promise<string> {
  try {
    await importAs({ ...model, topology }, "h5");
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
  return "none";
}

describe("refusals", () => {
  const x = input("x", 6, 3);
  const softmax = layer("Softmax", "end");
  const cases: [string, KerasLayerSpec[], RegExp][] = [
    ["Lambda", [layer("Lambda", "f", { function: ["code"] })], /unsupported.*"f".*"Lambda".*Python code/],
    ["LayerNormalization", [layer("LayerNormalization", "ln")], /unsupported.*"ln".*LayerNormalization/],
    ["LSTM", [layer("LSTM", "l", { units: 2 })], /unsupported.*LSTM.*supported are InputLayer.*GRU/],
    ["custom classes", [layer("Custom>Mine", "m")], /unsupported.*a class of its own/],
    ["models inside", [layer("Functional", "inner")], /unsupported.*call its layers directly/],
    ["operations", [layer("TFOpLambda", "op")], /unsupported.*operation between layers/],
    ["stateful", [gru("net", 2, { stateful: true })], /unsupported.*"net" \(GRU\).*stateful.*return_state/],
    [
      "unknown functions",
      [gru("net", 2, { activation: "gelu" })],
      /unsupported.*"gelu".*supported are.*tanh/,
    ],
    ["names of objects", [gru("net", 2, { activation: "constructor" })], /unsupported.*"constructor"/],
    ["softmax in cells", [gru("net", 2, { activation: "softmax" })], /unsupported.*softmax inside/],
    ["softmax before the end", [softmax, gru("net", 2)], /unsupported.*result of a softmax/],
    [
      "embeddings of values",
      [layer("Masking", "m", { mask_value: 0 }), layer("Embedding", "e", { input_dim: 2, output_dim: 2 })],
      /unsupported.*"e".*model input as it is/,
    ],
    [
      "other masks",
      [layer("Dropout", "d"), layer("Masking", "m")],
      /unsupported.*move the masking to the start/,
    ],
    [
      "masked steps that are looked at",
      [layer("Masking", "m", { mask_value: 9 }), layer("Flatten", "f")],
      /unsupported.*mask_value = 9.*use mask_value = 0/,
    ],
    [
      "masked steps as outputs",
      [layer("Masking", "m", { mask_value: 9 })],
      /unsupported.*output "m".*mask_value = 9/,
    ],
    [
      "padding alone",
      [layer("ZeroPadding1D", "p", { padding: 1 }), gru("net", 2)],
      /unsupported.*ZeroPadding1D/,
    ],
    ["padding at the end", [layer("ZeroPadding1D", "p", { padding: 1 })], /unsupported.*"p".*ZeroPadding1D/],
    [
      "channels first",
      [layer("Conv1D", "c", { filters: 1, kernel_size: [1], data_format: "channels_first" })],
      /unsupported.*channels_first/,
    ],
    [
      "windows in parts",
      [layer("MaxPooling1D", "p", { pool_size: [4], strides: [4], padding: "same" })],
      /unsupported.*"p".*whole windows/,
    ],
    [
      "windows without steps",
      [layer("AveragePooling1D", "p", { pool_size: [9], strides: [1] })],
      /bad-model.*"p".*6 steps is shorter/,
    ],
    [
      "other inner layers",
      [layer("TimeDistributed", "t", { layer: layer("GRU", "g") })],
      /unsupported.*"t".*class GRU inside/,
    ],
    [
      "Bidirectional of others",
      [layer("Bidirectional", "b", { layer: layer("LSTM", "l") })],
      /unsupported.*"b".*"LSTM" inside/,
    ],
    [
      "other cells",
      [layer("RNN", "r", { cell: layer("LSTMCell", "c") })],
      /unsupported.*"LSTMCell".*GRUCell/,
    ],
    [
      "weights of other shapes",
      [gru("net", 3)],
      /bad-model.*"net".*kernel have shape \[3, ?6\], expected \[3, ?9\]/,
    ],
    ["missing weights", [gru("other", 2)], /bad-model.*"other" has 0 weights/],
    [
      "superfluous weights",
      [gru("net", 2, { use_bias: false })],
      /bad-model.*"net" has 3 weights in the file, expected 2/,
    ],
    ["sizes that are none", [gru("net", -1)], /bad-model.*units should be a positive whole number/],
    ["equal names", [gru("net", 2), gru("net", 2)], /bad-model.*two layers.*"net"/],
  ];
  it.each(cases)("%s", async (_, layers, message) => {
    expect(await refusal(sequential(x, ...layers))).toMatch(message);
  });

  it("what is connected in circles or to nothing", async () => {
    const [a, b] = [layer("Dropout", "a", {}, ["b"]), layer("Dropout", "b", {}, ["a"])];
    expect(await refusal(functional([x, a, b], ["x"], ["b"]))).toMatch(/bad-model.*depends on itself/);
    expect(await refusal(functional([x, a], ["x"], ["a"]))).toMatch(/bad-model.*does not exist/);
    expect(await refusal(functional([x, layer("Dropout", "d", {}, [["x", 1]])], ["x"], ["d"]))).toMatch(
      /no output 1/,
    );
  });

  it("masks that are combined", async () => {
    const mask = (name: string, from: string) => layer("Masking", name, { mask_value: 0 }, [from]);
    const both = [x, input("y", 6, 3), mask("a", "x"), mask("b", "y"), layer("Add", "add", {}, ["a", "b"])];
    const topology = functional([...both, gru("net", 2, {}, ["add"])], ["x", "y"], ["net"]);
    expect(await refusal(topology)).toMatch(/unsupported.*mask after layer "add" combines several/);
  });

  it("models that never saw an input", async () => {
    expect(await refusal(sequential(gru("net", 2)))).toMatch(/unsupported.*no input shape.*build/);
  });

  it("files of weights only, and other files", async () => {
    const weightsOnly = await writeHdf5({
      datasets: { "layers/gru/cell/vars/0": { shape: [1], data: [1] } },
    });
    expect(() => importKeras(weightsOnly)).toThrow(/no model_config.*Save the whole model/);
    expect(() => importKeras(bytesOf("hello"))).toThrow(/neither a Keras archive/);
    expect(() => importKeras(zipSync({ "data.pkl": bytesOf("x") }))).toThrow(/no config.json/);
    const graphModel = JSON.stringify({ modelTopology: { node: [] }, weightsManifest: [] });
    expect(() => importTfjs(bytesOf(graphModel), new Map())).toThrow(/graph model.*layers model/);
    expect(() => importTfjs(bytesOf("{"), new Map())).toThrow(/not JSON/);
  });

  it("classes of other modules in archives", async () => {
    const files = unzipSync(await writeKeras(sound, "keras3"));
    const config = JSON.parse(strFromU8(files["config.json"]!));
    config.config.layers[2].module = "my_package.layers";
    const changed = zipSync({ ...files, "config.json": strToU8(JSON.stringify(config)) });
    expect(() => importKeras(changed)).toThrow(/"head" is of class "Dense", a class of its own/);
  });
});
