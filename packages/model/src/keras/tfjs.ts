/**
 * TensorFlow.js layers models: model.json, with the topology as Keras 2 has it, and its weights in files beside it.
 * Source: tensorflow/tfjs, tfjs-core/src/io/types.ts (ModelJSON) and io_utils.ts (decodeWeights).
 */
import type { ModelDescription } from "@sotto/core";
import { z } from "zod";
import { halfToNumber } from "../half.js";
import { describe } from "./describe.js";
import { badModel, quote, unsupported } from "./errors.js";
import { isRecord } from "./graph.js";
import type { NumberArray } from "./hdf5/reader.js";
import type { KerasOptions } from "./import.js";
import { check, parseJson, parseModel } from "./json.js";
import { ListedWeights } from "./weights.js";

const Weight = z.object({
  name: z.string(),
  shape: z.array(z.int().min(0)).max(32),
  dtype: z.string(),
  quantization: z
    .object({ dtype: z.string(), scale: z.number().optional(), min: z.number().optional() })
    .optional(),
});
type Weight = z.infer<typeof Weight>;
const Group = z.object({ paths: z.array(z.string()), weights: z.array(Weight) });
const ModelFile = z.object({ modelTopology: z.unknown().optional(), weightsManifest: z.array(Group) });

function readModelFile(bytes: Uint8Array): z.infer<typeof ModelFile> {
  const json = parseJson(new TextDecoder().decode(bytes), "model.json");
  if (isRecord(json) && isRecord(json.modelTopology) && "node" in json.modelTopology)
    unsupported(
      "this is a TensorFlow.js graph model, whose layers are gone; convert the Keras model to a layers model " +
        "(tensorflowjs_converter --output_format=tfjs_layers_model), or give the Keras file itself",
    );
  return check(ModelFile, json, "model.json");
}

/** The paths of the files with weights, as model.json has them: relative to it. Check them before use. */
export function tfjsWeightPaths(modelJson: Uint8Array): string[] {
  return readModelFile(modelJson).weightsManifest.flatMap((group) => group.paths);
}

/**
 * Reads a TensorFlow.js layers model; what is said of `importKeras` goes for it too.
 * @param modelJson the bytes of model.json.
 * @param files the bytes of the weights' files, by their paths in model.json.
 * @throws SottoError `bad-model` if files are damaged or missing or contradict each other, `unsupported` as `importKeras`.
 */
export function importTfjs(
  modelJson: Uint8Array,
  files: ReadonlyMap<string, Uint8Array>,
  options: KerasOptions = {},
): ModelDescription {
  const { modelTopology: topology, weightsManifest } = readModelFile(modelJson);
  const weights = weightsManifest.flatMap((group) => readGroup(group, files));
  if (!isRecord(topology)) badModel("model.json has no modelTopology");
  // Converted from Keras, the model is one level deeper.
  const model = parseModel(topology.model_config ?? topology);
  const version = typeof topology.keras_version === "string" ? topology.keras_version : "";
  const list = (layer: string) => weightsOf(weights, layer);
  return describe(model, () => new ListedWeights(list), version.startsWith("3") ? 3 : 2, options.name);
}

/** Names are paths, of which the layer is the first part; models converted from Keras 3 may have their own before it. */
function weightsOf(weights: readonly Named[], layer: string): NumberArray[] {
  const first = weights.filter(({ name }) => name.startsWith(`${layer}/`));
  const found = first.length > 0 ? first : weights.filter(({ name }) => name.includes(`/${layer}/`));
  return found.map((weight) => weight.array);
}

interface Named {
  name: string;
  array: NumberArray;
}

/** The group's files are one stretch of bytes, cut anywhere. */
function readGroup(group: z.infer<typeof Group>, files: ReadonlyMap<string, Uint8Array>): Named[] {
  const parts = group.paths.map(
    (path) => files.get(path) ?? badModel(`the file ${quote(path)} with weights is missing`),
  );
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  let from = 0;
  const arrays = group.weights.map((weight) => {
    const [array, size] = readWeight(weight, bytes, from);
    from += size;
    return { name: weight.name, array };
  });
  if (from !== bytes.length) badModel(`the files with weights have ${bytes.length} bytes, expected ${from}`);
  return arrays;
}

const SIZES: Record<string, number> = { float32: 4, float16: 2, uint8: 1, uint16: 2, int32: 4, bool: 1 };

function readWeight(weight: Weight, bytes: Uint8Array, from: number): [NumberArray, number] {
  const { shape, quantization } = weight;
  const stored = quantization?.dtype ?? weight.dtype;
  const item = Object.hasOwn(SIZES, stored) ? SIZES[stored]! : unknownType(weight, stored);
  if (quantization && !["float16", "uint8", "uint16"].includes(stored)) unknownType(weight, stored);
  const count = shape.reduce((a, b) => a * b, 1);
  const size = count * item;
  if (!(from + size <= bytes.length))
    badModel(
      `the weights ${quote(weight.name)} of shape [${shape}] are beyond the end of the files (${bytes.length} bytes)`,
    );
  const view = new DataView(bytes.buffer, from, size);
  const { scale = 1, min = 0 } = quantization ?? {};
  const read: Record<string, (at: number) => number> = {
    float32: (at) => view.getFloat32(at, true),
    float16: (at) => halfToNumber(view.getUint16(at, true)),
    int32: (at) => view.getInt32(at, true),
    uint8: (at) => view.getUint8(at) * scale + min,
    uint16: (at) => view.getUint16(at, true) * scale + min,
    bool: (at) => view.getUint8(at),
  };
  const data = Float32Array.from({ length: count }, (_, i) => read[stored]!(i * item));
  return [{ shape, data }, size];
}

function unknownType(weight: Weight, type: string): never {
  unsupported(
    `the weights ${quote(weight.name)} are of type ${quote(type)}; supported are ${Object.keys(SIZES).join(", ")}`,
  );
}
