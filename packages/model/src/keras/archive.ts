/**
 * Keras archives (.keras): a ZIP file of config.json, metadata.json and model.weights.h5.
 * Source of the layout: keras-team/keras, src/saving/saving_lib.py; of 2.12 to 2.15, saving/saving_lib.py there.
 */
import type { ModelDescription } from "@sotto/core";
import { describe } from "./describe.js";
import { badModel, quote, unsupported } from "./errors.js";
import { isRecord, type Layer } from "./graph.js";
import { type Hdf5Object, type NumberArray, openHdf5 } from "./hdf5/reader.js";
import { parseJson, parseModel } from "./json.js";
import type { WeightSource } from "./weights.js";
import { unzip } from "./zip.js";

const [CONFIG, METADATA, WEIGHTS] = ["config.json", "metadata.json", "model.weights.h5"] as const;

export function importArchive(bytes: Uint8Array, name?: string): ModelDescription {
  const files = unzip(bytes, [CONFIG, METADATA, WEIGHTS]);
  const json = (file: string) => {
    const content = files.get(file);
    if (!content) badModel(`the archive has no ${file}`);
    return parseJson(new TextDecoder().decode(content), file);
  };
  const model = parseModel(json(CONFIG));
  const metadata = files.has(METADATA) ? json(METADATA) : undefined;
  const version = isRecord(metadata) ? String(metadata.keras_version) : "3";
  const weights = files.get(WEIGHTS);
  if (!weights) unsupported(`the archive has no ${WEIGHTS}; save the model with weights_format = "h5"`);
  const root = openHdf5(weights);
  return describe(model, (layers) => new ArchiveWeights(root, layers), version.startsWith("2") ? 2 : 3, name);
}

/** Objects are groups by the attributes that lead to them, with their own variables 0, 1, ... in "vars". */
class ArchiveWeights implements WeightSource {
  private readonly groups: Map<Layer, string>;
  private readonly known = new Map<string, NumberArray[]>();

  constructor(
    private readonly root: Hdf5Object,
    layers: readonly Layer[],
  ) {
    this.groups = groupNames(root, layers);
  }

  read(layer: Layer, part: string, count: number): NumberArray[] {
    const key = JSON.stringify([layer.name, part]);
    const known = this.known.get(key) ?? this.readPart(layer, part, count);
    this.known.set(key, known);
    return known;
  }

  private readPart(layer: Layer, part: string, count: number): NumberArray[] {
    const group = this.groups.get(layer);
    const path = [group, ...part.split("/"), "vars"].filter((p) => p);
    // On Windows Keras 2 joined the parts by "\", in the names of single groups.
    const vars =
      group && (this.root.get(path.join("/")) ?? this.root.get(`${path.slice(0, -1).join("\\")}/vars`));
    const found = vars ? vars.keys().length : 0;
    if (count === 0 && found === 0) return [];
    if (!vars || found !== count)
      badModel(`layer ${quote(layer.name)} has ${found} weights in the file, expected ${count}`);
    return Array.from({ length: count }, (_, i) => {
      const array = vars.get(String(i));
      if (!array) badModel(`weight ${i} of layer ${quote(layer.name)} is missing`);
      return array.numbers();
    });
  }
}

/**
 * Which group belongs to which layer. Groups are named after the layers' classes and numbered: dense, dense_1, ...
 * Keras 2.12 and 2.13 count layers with weights twice there (dense, dense_2, ...), so it is the order that counts.
 */
function groupNames(root: Hdf5Object, layers: readonly Layer[]): Map<Layer, string> {
  const tops = ["layers", "_layer_checkpoint_dependencies"];
  const members = new Map<string, [number, string][]>();
  for (const path of tops.flatMap((top) => membersOf(root, top))) {
    const name = path.split(/[/\\]/)[1]!;
    const [, base, number] = /^(.*?)(?:_(\d+))?$/s.exec(name)!;
    const list = members.get(base!) ?? [];
    list.push([Number(number ?? 0), path]);
    members.set(base!, list);
  }
  const result = new Map<Layer, string>();
  const counts = new Map<string, number>();
  const byClass = new Map([...members].map(([base, list]) => [base, list.sort((a, b) => a[0] - b[0])]));
  for (const layer of layers) {
    const base = snakeCase(layer.json.class_name);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    const group = byClass.get(base)?.[count];
    if (group) result.set(layer, group[1]);
  }
  return result;
}

/** Paths of the groups below one, whichever way they are joined. */
function membersOf(root: Hdf5Object, top: string): string[] {
  const below =
    root
      .get(top)
      ?.keys()
      .map((key) => `${top}/${key}`) ?? [];
  const windows = root.keys().filter((key) => key.startsWith(`${top}\\`));
  return [
    ...below,
    ...windows
      .map((key) => key.split("\\").slice(0, 2).join("\\"))
      .filter((k, i, all) => all.indexOf(k) === i),
  ];
}

/** As keras-team/keras, src/utils/naming.py. */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
