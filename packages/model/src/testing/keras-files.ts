/** Writes models as the versions of Keras save them; the layouts are those that the importer's sources describe. */
import { strToU8, zipSync } from "fflate";
import type { KerasLayerSpec, KerasTopology, TfjsModel, Weights } from "./tfjs.js";
import { type Hdf5Spec, writeHdf5 } from "./write-hdf5.js";

export type KerasFormat = "h5" | "h5 of Keras 3" | "keras3" | "keras2.13" | "keras2.12" | "windows";

/** The bytes of a file with the model's topology and weights. */
export async function writeKeras(model: TfjsModel, format: KerasFormat): Promise<Uint8Array> {
  if (format === "h5") return writeH5(model, "2.15.0");
  return format === "h5 of Keras 3" ? writeH5(model, "3.8.0") : writeArchive(model, format);
}

/** Keras 3 leaves ":0" out of the names of weights. */
async function writeH5({ topology, weights }: TfjsModel, version: string): Promise<Uint8Array> {
  const names = topology.config.layers.map(nameOf);
  const attributes: Hdf5Spec["attributes"] = {
    "": {
      model_config: JSON.stringify(topology),
      keras_version: version,
      backend: "tensorflow",
    },
    model_weights: { layer_names: names, keras_version: version, backend: "tensorflow" },
  };
  const datasets: NonNullable<Hdf5Spec["datasets"]> = {};
  for (const layer of names) {
    const list = weights.get(layer) ?? [];
    const paths = list.map(
      (weight, i) => `${layer}/part_${i}/${lastPart(weight)}${version.startsWith("3") ? "" : ":0"}`,
    );
    attributes[`model_weights/${layer}`] = { weight_names: paths };
    list.forEach(({ shape, data }, i) => {
      datasets[`model_weights/${layer}/${paths[i]}`] = { shape, data };
    });
  }
  return writeHdf5({ attributes, datasets });
}

async function writeArchive({ topology, weights }: TfjsModel, format: KerasFormat): Promise<Uint8Array> {
  const keras3 = format === "keras3";
  const top = format === "keras2.12" ? "_layer_checkpoint_dependencies" : "layers";
  const slash = format === "windows" ? "\\" : "/";
  const counts = new Map<string, number>();
  const datasets: NonNullable<Hdf5Spec["datasets"]> = {};
  const groups = ["optimizer/vars", "vars"];
  for (const layer of topology.config.layers) {
    const list = weights.get(nameOf(layer)) ?? [];
    const base = snakeCase(layer.class_name);
    const count = counts.get(base) ?? 0;
    // Keras 2.12 meets layers with weights twice.
    counts.set(base, count + (format === "keras2.12" && list.length > 0 ? 2 : 1));
    const path = [top, count === 0 ? base : `${base}_${count}`];
    if (format !== "windows") groups.push(`${path.join("/")}/vars`);
    for (const { part, items } of partsOf(layer, list))
      items.forEach(({ shape, data }, i) => {
        datasets[`${[...path, ...part].join(slash)}/vars/${i}`] = { shape, data };
      });
  }
  const config = keras3 ? asKeras3(topology) : topology;
  const version = keras3 ? "3.8.0" : format === "keras2.12" ? "2.12.0" : "2.15.0";
  const metadata = { keras_version: version, date_saved: "2024-01-01@00:00:00" };
  return zipSync(
    {
      "metadata.json": strToU8(JSON.stringify(metadata)),
      "config.json": strToU8(JSON.stringify(config)),
      "model.weights.h5": await writeHdf5({ datasets, groups }),
    },
    { level: 0, mtime: "2024-01-01" },
  );
}

type Parts = { part: string[]; items: Weights[] }[];

/** Which object inside of a layer has which of its weights. */
function partsOf({ class_name, config }: KerasLayerSpec, list: Weights[]): Parts {
  const inner = config.layer as KerasLayerSpec;
  const cell = config.cell as KerasLayerSpec;
  const under = (name: string, parts: Parts) =>
    parts.map(({ part, items }) => ({ part: [name, ...part], items }));
  if (class_name === "GRU") return [{ part: ["cell"], items: list }];
  if (class_name === "RNN") return under("cell", partsOf(cell, list));
  if (class_name === "TimeDistributed") return under("layer", partsOf(inner, list));
  if (class_name === "StackedRNNCells") {
    const cells = config.cells as KerasLayerSpec[];
    const each = list.length / cells.length;
    return cells.map((_, i) => ({
      part: ["cells", i === 0 ? "gru_cell" : `gru_cell_${i}`],
      items: list.slice(i * each, (i + 1) * each),
    }));
  }
  if (class_name !== "Bidirectional") return [{ part: [], items: list }];
  const half = list.length / 2;
  return [
    ...under("forward_layer", partsOf(inner, list.slice(0, half))),
    ...under("backward_layer", partsOf(inner, list.slice(half))),
  ];
}

/** The same topology as Keras 3 writes it. */
function asKeras3({ class_name, config }: KerasTopology): object {
  const layers = config.layers.map((layer) => {
    const { batch_input_shape, ...rest } = layer.config;
    const own =
      layer.class_name === "InputLayer" ? { ...rest, batch_shape: batch_input_shape } : layer.config;
    const nodes = (layer.inbound_nodes as unknown[][] | undefined)?.map((node) => {
      const tensors = node.map((entry) => kerasTensor(entry as unknown[]));
      if (["GRU", "Bidirectional", "RNN"].includes(layer.class_name))
        return {
          args: tensors.slice(0, 1),
          kwargs: {
            training: false,
            mask: null,
            initial_state: tensors.length > 1 ? tensors.slice(1) : null,
          },
        };
      return { args: tensors.length > 1 ? [tensors] : tensors, kwargs: {} };
    });
    return {
      module: "keras.layers",
      class_name: layer.class_name,
      config: { ...own, dtype: { module: "keras", class_name: "DTypePolicy", config: { name: "float32" } } },
      registered_name: null,
      ...(nodes ? { name: nameOf(layer), inbound_nodes: nodes } : {}),
    };
  });
  return { module: "keras", class_name, config: { ...config, layers }, registered_name: class_name };
}

function kerasTensor([layer, call, output]: unknown[]): object {
  return {
    class_name: "__keras_tensor__",
    config: { shape: [null], dtype: "float32", keras_history: [layer, call, output] },
  };
}

/** model.json and its files, by path; the weights cut into two. */
export async function writeTfjs(model: TfjsModel): Promise<Map<string, Uint8Array>> {
  const { modelTopology, weightSpecs, weightData } = await model.save();
  const middle = weightData.length >> 1;
  const paths = ["group1-shard1of2.bin", "group1-shard2of2.bin"];
  const json = { format: "layers-model", modelTopology, weightsManifest: [{ paths, weights: weightSpecs }] };
  return new Map([
    ["model.json", strToU8(JSON.stringify(json))],
    [paths[0]!, weightData.slice(0, middle)],
    [paths[1]!, weightData.slice(middle)],
  ]);
}

export function nameOf(layer: KerasLayerSpec): string {
  return layer.config.name as string;
}

function lastPart({ name }: Weights): string {
  return name.split("/").at(-1)!;
}

function snakeCase(name: string): string {
  return name
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
