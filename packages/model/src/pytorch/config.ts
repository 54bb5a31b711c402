import { Arguments } from "./arguments.js";
import { badConfig, quote } from "./errors.js";
import { type Json, parseJson } from "./json.js";
import { CONFIGURABLE, MODULES, moduleKey } from "./modules.js";
import type { Chain, Step } from "./steps.js";

const KEYS = ["inputs", "lengths", "layers", "output", "ignore"];
const MAX_LAYERS = 1_000;

/** Reads a JSON configuration (docs/pytorch.md). @throws SottoError `bad-config` */
export function readConfig(text: string): Chain {
  let json: Json;
  try {
    json = parseJson(text);
  } catch (error) {
    badConfig(`it is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!(json instanceof Map)) badConfig('it should be an object with "layers"');
  for (const key of json.keys())
    if (!KEYS.includes(key)) badConfig(`the key ${quote(key)} is not known; known are ${KEYS.join(", ")}`);
  const layers = json.get("layers");
  if (!Array.isArray(layers) || layers.length === 0 || layers.length > MAX_LAYERS)
    badConfig(
      '"layers" should be a list of modules, as in [{"gru": "rnn", "batch_first": true}, {"linear": "fc"}]',
    );
  const output = json.get("output");
  if (output !== undefined && (typeof output !== "string" || output === ""))
    badConfig('"output" should be a name');
  return {
    steps: layers.flatMap((layer, i) => readLayer(layer, i) ?? []),
    input: readInputs(json.get("inputs")),
    lengths: readLengths(json.get("lengths")),
    output,
    ignore: names(json.get("ignore")),
  };
}

function readLayer(layer: Json, index: number): Step | undefined {
  const entries = typeof layer === "string" ? new Map<string, Json>([[layer, null]]) : layer;
  if (!(entries instanceof Map))
    badConfig(`layer ${index} should be an object as {"linear": "fc"}, or a name as "relu"`);
  const [key, ...others] = [...entries.keys()].filter((k) => MODULES.has(moduleKey(k)));
  if (key === undefined || others.length > 0)
    badConfig(
      `layer ${index} (${quote([...entries.keys()].join(", "))}) should name one module; known are ${CONFIGURABLE}`,
    );
  const module = MODULES.get(moduleKey(key))!;
  const where = `layer ${index} (${key})`;
  const options = new Map([...entries].filter(([name]) => name !== key));
  const value = entries.get(key)!;
  if (value instanceof Map) for (const [name, option] of value) options.set(name, option);
  let name = "";
  if (module.value === "weights") {
    const given = value instanceof Map ? options.get("name") : value;
    options.delete("name");
    if (typeof given !== "string")
      badConfig(`${where} should give its weights' name, as in {${quote(key)}: "fc"} for fc.weight`);
    name = given;
  } else if (value !== null && !(value instanceof Map)) {
    if (module.value === "") badConfig(`${where} takes options as in {${quote(key)}: {}}`);
    options.set(module.value, value);
  }
  const args = new Arguments(where, options, false);
  const step = module.make(args, name);
  args.refuseRest();
  return step;
}

function readInputs(inputs: Json | undefined): Chain["input"] {
  if (inputs === undefined) return undefined;
  const [entry] = inputs instanceof Map ? inputs : [];
  if (!(inputs instanceof Map) || inputs.size !== 1 || !entry)
    badConfig('"inputs" should have the model\'s one input, as in {"x": ["batch", "time", 40]}');
  const [name, shape] = entry;
  if (name === "") badConfig("the input has no name");
  if (shape === null) return { name };
  const valid = (d: Json) =>
    typeof d === "string" ? d !== "" : Number.isSafeInteger(d) && (d as number) > 0;
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(valid))
    badConfig(`the shape of input ${quote(name)} should list sizes, or names of sizes that are open`);
  return { name, shape: shape as (number | string)[] };
}

function readLengths(lengths: Json | undefined): Chain["lengths"] {
  if (lengths === undefined) return undefined;
  if (typeof lengths === "string" && lengths !== "") return { name: lengths };
  const padding = lengths instanceof Map && lengths.size === 1 ? lengths.get("padding") : undefined;
  if (typeof padding !== "number" || !Number.isFinite(padding))
    badConfig(
      '"lengths" should be the name of an input, or what steps of padding hold, as in {"padding": 0}',
    );
  return { name: "lengths", padding };
}

function names(list: Json | undefined): string[] {
  if (list === undefined) return [];
  if (!Array.isArray(list) || !list.every((n) => typeof n === "string"))
    badConfig('"ignore" should list names of weights or modules');
  return list as string[];
}
