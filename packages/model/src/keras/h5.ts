/**
 * Whole models in one HDF5 file, as Keras 2 (and Keras 3 with the ending .h5) saves them.
 * Source of the layout: keras-team/keras, src/legacy/saving/legacy_h5_format.py.
 */
import type { ModelDescription } from "@sotto/core";
import { describe } from "./describe.js";
import { badModel, quote, unsupported } from "./errors.js";
import { type Hdf5Object, type NumberArray, openHdf5 } from "./hdf5/reader.js";
import { parseJson, parseModel } from "./json.js";
import { ListedWeights } from "./weights.js";

export function importH5(bytes: Uint8Array, name?: string): ModelDescription {
  const file = openHdf5(bytes);
  const config = file.texts("model_config")?.[0];
  if (config === undefined)
    unsupported(
      "this HDF5 file has no model_config: it has weights only, or is no model. Save the whole model: " +
        "model.save('model.keras') or model.save('model.h5')",
    );
  const weights = file.get("model_weights") ?? badModel("the HDF5 file has no group model_weights");
  const version = (file.texts("keras_version") ?? weights.texts("keras_version"))?.[0] ?? "2";
  const model = parseModel(parseJson(config, "model_config"));
  const cache = new Map<string, NumberArray[]>();
  const list = (layer: string): NumberArray[] => {
    const known = cache.get(layer) ?? layerWeights(weights, layer);
    cache.set(layer, known);
    return known;
  };
  return describe(model, () => new ListedWeights(list), version.startsWith("3") ? 3 : 2, name);
}

/** A layer's group lists its weights by name, which are paths in it. */
function layerWeights(weights: Hdf5Object, layer: string): NumberArray[] {
  const group = weights.get(layer);
  if (!group) return [];
  return weightNames(group).map((name) => {
    const array = group.get(name);
    if (!array) badModel(`the weights ${quote(name)} of layer ${quote(layer)} are missing`);
    return array.numbers();
  });
}

/** Long lists are cut into weight_names0, weight_names1, ... */
function weightNames(group: Hdf5Object): string[] {
  const whole = group.texts("weight_names");
  if (whole) return whole;
  const names: string[] = [];
  for (let i = 0; i < 10_000; i++) {
    const part = group.texts(`weight_names${i}`);
    if (!part) break;
    names.push(...part);
  }
  return names;
}
