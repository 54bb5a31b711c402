import { basename, extname } from "node:path";
import { type ModelDescription, SottoError } from "@sotto/core";
import { readRegularFile } from "./file.js";
import { importPytorch, isSafetensors } from "./pytorch/index.js";

/** How to get from a pickle, which is never read here (it is a program), to what is. */
export const PICKLE_HELP =
  "A pickle is a program, which is not run here. In Python, if it holds a state_dict: " +
  "import torch, safetensors.torch as s; s.save_file(torch.load('model.pt', map_location='cpu', weights_only=True), " +
  "'model.safetensors'); if it holds a model: torch.onnx.export(model, example, 'model.onnx', opset_version=17). " +
  "See docs/pytorch.md";

/** Whether a file holds PyTorch weights, by its content; or says so by its name, and is damaged. */
export function isPytorchWeights(bytes: Uint8Array, extension: string): boolean {
  return isSafetensors(bytes) || extension === ".safetensors";
}

/**
 * Weights from a safetensors file, wired by the configuration given, or else by one beside the file
 * (model.json or model.txt for model.safetensors), or else by their names and shapes.
 * @throws SottoError as importPytorch does, naming the file; `not-found` if the given configuration can't be read.
 */
export async function loadPytorch(
  path: string,
  bytes: Uint8Array,
  options: { config?: string; onNote?: (text: string) => void } = {},
): Promise<ModelDescription> {
  const found = options.config === undefined ? await beside(path) : await given(options.config);
  try {
    const name = basename(path, extname(path));
    return importPytorch(bytes, { config: found?.text, name, onNote: options.onNote });
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    const where = error.code === "bad-config" && found ? found.file : path;
    throw new SottoError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}

async function given(file: string): Promise<{ file: string; text: string }> {
  try {
    return { file, text: decode(await readRegularFile(file)) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SottoError("not-found", `the configuration ${file} can't be read: ${reason}`, { cause });
  }
}

async function beside(path: string): Promise<{ file: string; text: string } | undefined> {
  const base = path.slice(0, path.length - extname(path).length);
  for (const file of [`${base}.json`, `${base}.txt`]) {
    if (file === path) continue;
    try {
      return { file, text: decode(await readRegularFile(file)) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") return given(file);
    }
  }
  return undefined;
}

/** UTF-8, or UTF-16 as Windows' shell writes what a program prints. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : "utf-8").decode(bytes);
}
