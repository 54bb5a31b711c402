/** Imports a model from each of the files that Keras and TensorFlow.js would write, and compares what it computes. */
import type { CompileOptions, Constant, ModelDescription } from "@sotto/core";
import { importKeras } from "../keras/import.js";
import { importTfjs } from "../keras/tfjs.js";
import { evaluate } from "./evaluate.js";
import { type KerasFormat, writeKeras, writeTfjs } from "./keras-files.js";
import { uniform } from "./random.js";
import type { KerasLayerSpec, KerasTopology, TfjsModel } from "./tfjs.js";

export const FORMATS = [
  "tfjs",
  "h5",
  "h5 of Keras 3",
  "keras3",
  "keras2.13",
  "keras2.12",
  "windows",
] as const;
export type Format = (typeof FORMATS)[number];

export async function importAs(model: TfjsModel, format: Format): Promise<ModelDescription> {
  if (format !== "tfjs") return importKeras(await writeKeras(model, format satisfies KerasFormat));
  const files = await writeTfjs(model);
  return importTfjs(files.get("model.json")!, files);
}

/** The largest difference between a description's outputs and the expected ones; infinite where shapes differ. */
export function difference(
  description: ModelDescription,
  feeds: Constant[],
  expected: Constant[],
  options: CompileOptions = {},
): number {
  const own = description.inputs.filter((input) => !input.mask);
  const results = evaluate(
    description,
    Object.fromEntries(own.map((input, i) => [input.name, feeds[i]!])),
    options,
  );
  const differences = expected.map(({ shape, data }, i) => {
    const result = results[description.outputs[i]!.name]!;
    if (result.shape.join() !== shape.join()) return Number.POSITIVE_INFINITY;
    return Math.max(0, ...data.map((v, j) => Math.abs(v - result.data[j]!)));
  });
  return Math.max(...differences);
}

/** Seeded numbers in [-1, 1). */
export function randomTensor(seed: number, ...shape: number[]): Constant {
  const random = uniform(seed);
  return {
    shape,
    data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random())),
  };
}

const INITIALISERS = ["kernel", "recurrent", "bias", "embeddings"].map((name) => [
  `${name}_initializer`,
  { class_name: "Zeros", config: {} },
]);

/** A layer as Keras 2 writes it; inputs are names of layers, or [name, output]. */
export function layer(
  kind: string,
  name: string,
  config: Record<string, unknown> = {},
  inputs?: (string | [string, number])[],
): KerasLayerSpec {
  const node = inputs?.map((input) =>
    typeof input === "string" ? [input, 0, 0, {}] : [input[0], 0, input[1], {}],
  );
  const initialisers = /GRU|Dense|Embedding|Conv/.test(kind) ? Object.fromEntries(INITIALISERS) : {};
  return {
    class_name: kind,
    config: { name, trainable: true, dtype: "float32", ...initialisers, ...config },
    ...(inputs ? { inbound_nodes: node && node.length > 0 ? [node] : [] } : {}),
  };
}

export function input(name: string, ...shape: (number | null)[]): KerasLayerSpec {
  return layer("InputLayer", name, { batch_input_shape: [null, ...shape], sparse: false, ragged: false });
}

export function sequential(...layers: KerasLayerSpec[]): KerasTopology {
  return { class_name: "Sequential", config: { name: "net", layers } };
}

/** Layers with their inputs given; input layers get none. */
export function functional(
  layers: KerasLayerSpec[],
  inputs: string[],
  outputs: (string | [string, number])[],
): KerasTopology {
  const complete = layers.map((l) => ({ ...l, name: l.config.name, inbound_nodes: l.inbound_nodes ?? [] }));
  const ref = (o: string | [string, number]) => (typeof o === "string" ? [o, 0, 0] : [o[0], 0, o[1]]);
  return {
    class_name: "Functional",
    config: { name: "net", layers: complete, input_layers: inputs.map(ref), output_layers: outputs.map(ref) },
  };
}

/** A GRU with all options of Keras 2. */
export function gru(
  name: string,
  units: number,
  options: Record<string, unknown> = {},
  inputs?: (string | [string, number])[],
): KerasLayerSpec {
  const defaults = {
    units,
    activation: "tanh",
    recurrent_activation: "sigmoid",
    use_bias: true,
    dropout: 0,
    recurrent_dropout: 0,
    implementation: 2,
    reset_after: true,
    return_sequences: false,
    return_state: false,
    go_backwards: false,
    stateful: false,
    unroll: false,
  };
  return layer("GRU", name, { ...defaults, ...options }, inputs);
}
