import { basename, extname } from "node:path";
import { type ModelDescription, SottoError } from "@sotto/core";
import { readRegularFile } from "./file.js";
import { isPytorchWeights, loadPytorch, PICKLE_HELP } from "./load-pytorch.js";
import { importOnnx } from "./onnx/import.js";

const SUPPORTED = "Supported are ONNX (.onnx) and PyTorch weights (.safetensors)";
const KERAS = "In Python: python -m tf2onnx.convert --keras model.h5 --output model.onnx";

/** Formats that people may try, with how to get from there to ONNX. */
const OTHERS: { name: string; help: string; is: (bytes: Uint8Array, extension: string) => boolean }[] = [
  { name: "an HDF5 file (Keras)", help: KERAS, is: (b) => startsWith(b, "\x89HDF") },
  { name: "a Keras archive", help: KERAS, is: (_, extension) => extension === ".keras" },
  { name: "a PyTorch or other ZIP archive", help: PICKLE_HELP, is: (b) => startsWith(b, "PK\x03\x04") },
  {
    name: "a pickle (PyTorch)",
    help: PICKLE_HELP,
    is: (b, e) => [".pt", ".pth", ".pkl"].includes(e) || b[0] === 0x80,
  },
  { name: "a TensorFlow Lite model", help: KERAS, is: (b) => startsWith(b.subarray(4), "TFL3") },
  { name: "a NumPy array", help: "Give a model here", is: (b) => startsWith(b, "\x93NUMPY") },
];

export interface LoadOptions {
  /** Path of a file that says how PyTorch's weights are wired (docs/pytorch.md). Default: one beside the model. */
  config?: string;
  /** Gets what was assumed about the model, in words. */
  onNote?: (text: string) => void;
}

/**
 * Reads a model file.
 * @param path of an ONNX file, or of PyTorch weights in safetensors.
 * @throws SottoError `not-found` if it can't be read; `unsupported` for another format or for parts of
 *   the model that this version does not do; `bad-model` if it is damaged; `bad-config` if a configuration is
 *   missing, does not fit, or is given for a model that takes none.
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<ModelDescription> {
  const bytes = await read(path);
  const extension = extname(path).toLowerCase();
  if (isPytorchWeights(bytes, extension)) return loadPytorch(path, bytes, options);
  if (options.config !== undefined)
    throw new SottoError("bad-config", `${path} takes no configuration; PyTorch weights (.safetensors) do`);
  const other = OTHERS.find((format) => format.is(bytes, extension));
  if (other) throw new SottoError("unsupported", `${path} is ${other.name}. ${SUPPORTED}. ${other.help}`);
  try {
    const description = importOnnx(bytes);
    // Exporters call every graph by a name of their own; the file's says more.
    return { ...description, name: basename(path, extname(path)) };
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    const help = extension === ".onnx" || error.code !== "bad-model" ? "" : `. ${SUPPORTED}`;
    throw new SottoError(error.code, `${path}: ${error.message}${help}`, { cause: error });
  }
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
