/** The options of every command that compiles a model: how it is wired, declared ranges and bounds, what is secret. */
import {
  type CompileOptions,
  DEFAULT_RANGE,
  type GruLayer,
  gruFunctions,
  type ModelDescription,
  type ModelInput,
  PROFILES,
  type Profile,
  type Range,
  SottoError,
} from "@sotto/core";
import { readRegularFile } from "@sotto/model";
import { readNpy } from "@sotto/model/npy";
import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "./errors.js";
import { list, positive } from "./options.js";
import { note } from "./terminal.js";

/** The argument of commands that read a model. */
export const MODEL_FILE =
  "model file: ONNX, Keras (.keras, .h5), TensorFlow.js (model.json), PyTorch weights (.safetensors)";

export interface ModelOptions {
  config?: string;
  inputRange?: Ranges;
  stateBound?: Bounds;
  privateEmbeddings?: boolean;
  profile?: Profile;
}

/** `[NAME=]R`, several times: declared ranges; "" holds the one for all inputs. `{ file }` is read by compileOptions. */
export type Ranges = Record<string, Range | { file: string }>;

/** `[LAYER=]B`, several times; "" holds the one for all layers. */
export type Bounds = Record<string, number>;

/** Adds them to a command. */
export function addModelOptions(command: Command): Command {
  const range =
    "declare |x| <= R, for all inputs or for one (repeatable; " +
    `default: ${DEFAULT_RANGE}); a range for each feature: 4,0.5,120 or @ranges.npy`;
  const bound =
    "declare |h| <= B for GRUs whose functions do not bound their state (relu and the like), for all or for one " +
    "(repeatable); what goes beyond is clipped";
  const tables =
    "keep embedding tables secret: the client shares a one-hot vector for each token, as long as the vocabulary";
  const profile =
    "lan: least work; wan: three rounds a step where it is five, for servers that are far from each other (default: lan; " +
    "deploy takes what is faster for the round trip that the servers measured)";
  return command
    .addOption(configOption())
    .addOption(new Option("--input-range <[name=]R>", range).argParser(inputRange))
    .addOption(new Option("--state-bound <[layer=]B>", bound).argParser(stateBound))
    .option("--private-embeddings", tables)
    .addOption(new Option("--profile <profile>", profile).choices(PROFILES));
}

function configOption(): Option {
  const text =
    "how PyTorch weights are wired: JSON, or what print(model) writes in Python (default: MODEL's name with .json or .txt)";
  return new Option("--config <file>", text);
}

export function inputRange(text: string, previous: Ranges | undefined): Ranges {
  const file = text.startsWith("@") ? 0 : text.indexOf("=@") + 1;
  const isFile = file > 0 || text.startsWith("@");
  const at = isFile ? file - 1 : text.lastIndexOf("=");
  const name = nameOf(text, at, previous, "input");
  const value = text.slice(at + 1);
  if (isFile) {
    if (value === "@")
      throw new InvalidArgumentError("Expected a file of ranges after @, as in @ranges.npy.");
    return { ...previous, [name]: { file: value.slice(1) } };
  }
  const ranges = value.split(",").map(positive);
  return { ...previous, [name]: ranges.length === 1 ? ranges[0]! : ranges };
}

export function stateBound(text: string, previous: Bounds | undefined): Bounds {
  const at = text.lastIndexOf("=");
  return { ...previous, [nameOf(text, at, previous, "layer")]: positive(text.slice(at + 1)) };
}

function nameOf(text: string, at: number, previous: object | undefined, of: string): string {
  const name = at < 1 ? "" : text.slice(0, at);
  if (previous && Object.hasOwn(previous, name)) {
    throw new InvalidArgumentError(`Declared twice for ${name === "" ? `all ${of}s` : `${of} ${name}`}.`);
  }
  return name;
}

/**
 * What the plan compiler takes.
 * @throws UsageError for names that the model has not; SottoError not-found, bad-input for files of ranges.
 */
export async function compileOptions(
  model: ModelDescription,
  options: ModelOptions,
): Promise<CompileOptions & { range: Record<string, Range> }> {
  const ranges: Record<string, Range> = {};
  for (const [name, range] of Object.entries(options.inputRange ?? {})) {
    ranges[name] = typeof range === "object" && "file" in range ? await readRanges(range.file) : range;
  }
  const embeds = model.layers.some((l) => l.op === "embedding");
  if (options.privateEmbeddings && !embeds) {
    note("sotto: warning: --private-embeddings has no effect: the model has no embedding");
  }
  const bounds = boundsOf(model, options.stateBound);
  return {
    range: rangesOf(model.inputs, ranges),
    ...(bounds ? { stateBound: bounds } : {}),
    ...(options.privateEmbeddings ? { privateEmbeddings: true } : {}),
    ...(options.profile ? { profile: options.profile } : {}),
  };
}

/** A range by input, where one was declared. */
export function rangesOf(
  inputs: readonly ModelInput[],
  ranges: Record<string, Range> = {},
): Record<string, Range> {
  for (const name of Object.keys(ranges)) {
    const input = inputs.find((i) => i.name === name);
    if (name !== "" && !input)
      throw new UsageError(`--input-range: the model has no input ${name}; ${list(inputs)}`);
    if (input?.kind === "token") {
      throw new UsageError(`--input-range: input ${name} holds tokens, whose range is that of the embedding`);
    }
    if (input?.kind === "length") {
      throw new UsageError(`--input-range: input ${name} holds lengths, which are public and have no range`);
    }
  }
  const all = ranges[""];
  if (all !== undefined && !inputs.some((i) => i.kind === "real")) {
    note("sotto: warning: --input-range has no effect: the model's inputs hold tokens only");
  }
  const result: Record<string, Range> = {};
  for (const { name, kind, shape } of inputs) {
    const declared = ranges[name] ?? all;
    if (kind !== "real" || declared === undefined) continue;
    const features = shape.at(-1);
    if (typeof declared !== "number" && declared.length !== features) {
      throw new UsageError(
        `--input-range: ${declared.length} ranges for input ${name} of shape [${shape.join(", ")}]; expected one, ` +
          `or one for each of the ${features} features of its last axis`,
      );
    }
    result[name] = declared;
  }
  return result;
}

async function readRanges(path: string): Promise<number[]> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SottoError("not-found", `--input-range: ${path} can't be read: ${reason}`, { cause });
  }
  const wrong = (what: string, cause?: unknown) =>
    new SottoError("bad-input", `--input-range: ${path}: ${what}`, { cause });
  let array: ReturnType<typeof readNpy>;
  try {
    array = readNpy(bytes);
  } catch (cause) {
    if (!(cause instanceof SottoError)) throw cause;
    throw wrong(cause.message, cause);
  }
  const { shape, data } = array;
  if (shape.length !== 1)
    throw wrong(`shape [${shape.join(", ")}], expected one axis: a range for each feature`);
  const bad = data.findIndex((r) => !(r > 0 && Number.isFinite(r)));
  if (bad >= 0) throw wrong(`element ${bad} is ${data[bad]}; expected numbers above 0`);
  return Array.from(data);
}

/** By layer, for those layers to which one applies. */
function boundsOf(model: ModelDescription, given: Bounds | undefined): Record<string, number> | undefined {
  if (!given) return undefined;
  const layers = model.layers.filter((l) => l.op === "gru");
  const names = layers.map((l) => l.name).join(", ");
  for (const name of Object.keys(given)) {
    if (name !== "" && !layers.some((l) => l.name === name))
      throw new UsageError(`--state-bound: the model has no GRU ${name}; its GRUs: ${names || "none"}`);
  }
  const result: Record<string, number> = {};
  for (const layer of layers) {
    const bound = given[layer.name] ?? given[""];
    if (bound === undefined) continue;
    if (needsStateBound(layer)) result[layer.name] = bound;
    else if (Object.hasOwn(given, layer.name)) {
      note(
        `sotto: warning: --state-bound ${layer.name} has no effect: the layer's functions bound its state`,
      );
    }
  }
  if (Object.keys(result).length === 0 && given[""] !== undefined) {
    note("sotto: warning: --state-bound has no effect: the functions of every GRU bound its state");
  }
  return result;
}

/** Whether a GRU's functions do not bound its state by themselves. */
export function needsStateBound(layer: GruLayer): boolean {
  return gruFunctions({ ...layer, stateBound: 1 }).candidate.limit !== undefined;
}
