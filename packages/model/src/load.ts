import { stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { type ModelDescription, SottoError } from "@sotto/core";
import { readRegularFile } from "./file.js";
import { type FileFormat, KERAS_FORMATS } from "./load-keras.js";
import { isPytorchWeights, loadPytorch, PICKLE_HELP } from "./load-pytorch.js";
import { importOnnx } from "./onnx/import.js";

const SUPPORTED =
  "Supported are ONNX (.onnx), Keras (.keras, .h5), TensorFlow.js layers models (model.json) and PyTorch weights (.safetensors)";
const KERAS = "In Python: python -m tf2onnx.convert --keras model.h5 --output model.onnx";

/** Tried in order; ONNX, which has no signature, is what is left. */
const FORMATS: FileFormat[] = [...KERAS_FORMATS];

/** Other formats that people may try, with how to get from there to one of these. */
const OTHERS: { name: string; help: string; is: (bytes: Uint8Array, extension: string) => boolean }[] = [
  { name: "a PyTorch or other ZIP archive", help: PICKLE_HELP, is: (b) => startsWith(b, "PK\x03\x04") },
  {
    name: "a pickle (PyTorch)",
    help: PICKLE_HELP,
    is: (b, e) => [".pt", ".pth", ".pkl"].includes(e) || b[0] === 0x80,
  },
  { name: "a TensorFlow Lite model", help: KERAS, is: (b) => startsWith(b.subarray(4), "TFL3") },
  { name: "a NumPy array", help: "Give a model here", is: (b) => startsWith(b, "\x93NUMPY") },
  {
    name: "JSON, but no TensorFlow.js layers model (it has no modelTopology)",
    help: "A graph model is converted again, with --output_format=tfjs_layers_model",
    is: (b, e) => e === ".json" && startsWith(b.subarray(b.findIndex((c) => c > 32)), "{"),
  },
];

export interface LoadOptions {
  /** Path of a file that says how PyTorch's weights are wired (docs/pytorch.md). Default: one beside the model. */
  config?: string;
  /** Gets what was assumed about the model, in words. */
  onNote?: (text: string) => void;
}

/**
 * Reads a model file.
 * @param path of an ONNX file, a Keras archive or HDF5 file, a TensorFlow.js model.json or its folder, or of PyTorch
 *   weights in safetensors.
 * @throws SottoError `not-found` if it can't be read; `unsupported` for another format or for parts of
 *   the model that this version does not do; `bad-model` if it is damaged; `bad-config` if a configuration is
 *   missing, does not fit, or is given for a model that takes none.
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<ModelDescription> {
  const file = await modelFile(path);
  const bytes = await read(file);
  const extension = extname(file).toLowerCase();
  if (isPytorchWeights(bytes, extension)) return loadPytorch(path, bytes, options);
  if (options.config !== undefined)
    throw new SottoError("bad-config", `${path} takes no configuration; PyTorch weights (.safetensors) do`);
  const format = FORMATS.find((candidate) => candidate.is(bytes, extension));
  const other = format ? undefined : OTHERS.find((candidate) => candidate.is(bytes, extension));
  if (other) throw new SottoError("unsupported", `${path} is ${other.name}. ${SUPPORTED}. ${other.help}`);
  try {
    const description = format ? await format.read(bytes, file) : importOnnx(bytes);
    // Exporters call every graph by a name of their own; the file's says more.
    return { ...description, name: basename(path, extname(path)) };
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    const help = format || extension === ".onnx" || error.code !== "bad-model" ? "" : `. ${SUPPORTED}`;
    throw new SottoError(error.code, `${path}: ${error.message}${help}`, { cause: error });
  }
}

/** A folder stands for the TensorFlow.js model in it. */
async function modelFile(path: string): Promise<string> {
  const about = await stat(path).catch(() => undefined);
  const json = join(path, "model.json");
  return about?.isDirectory() && (await stat(json).catch(() => undefined)) ? json : path;
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readRegularFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SottoError("not-found", `the model ${path} can't be read: ${reason}`, { cause });
  }
}

function startsWith(bytes: Uint8Array, prefix: string): boolean {
  return [...prefix].every((char, i) => bytes[i] === char.charCodeAt(0));
}
