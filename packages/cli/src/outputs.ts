/** The client's results: NPY files, and their place in the JSON that programs read. */
import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type NumberTensor, SottoError } from "@sotto/core";
import { writeNpy } from "@sotto/model/npy";
import { makeDirectory } from "@sotto/wire/node";

/** Results by the names of the model's outputs. */
export type Outputs = Record<string, NumberTensor>;

/** One output in `--json`. */
export interface OutputJson {
  shape: number[];
  /** Row-major; left out when the outputs have more than MAX_JSON_NUMBERS numbers together. */
  data?: number[];
  /** With --output-dir. */
  file?: string;
}

export const MAX_JSON_NUMBERS = 10_000;

/** Makes the directory, before anything costly is done for what will go into it. */
export async function prepareDirectory(dir: string): Promise<void> {
  try {
    makeDirectory(dir);
    await access(dir, constants.W_OK);
  } catch (cause) {
    throw unwritable(dir, cause);
  }
}

/** Writes DIR/NAME.npy, float32. Returns the files by output. */
export async function writeOutputs(dir: string, outputs: Outputs): Promise<Record<string, string>> {
  const files = fileNames(dir, Object.keys(outputs));
  await prepareDirectory(dir);
  try {
    for (const [name, { shape, data }] of Object.entries(outputs)) {
      await writeFile(files[name]!, writeNpy(shape, data, "float32"));
    }
  } catch (cause) {
    throw unwritable(dir, cause);
  }
  return files;
}

function unwritable(dir: string, cause: unknown): SottoError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SottoError("not-found", `the output directory ${dir} can't be written: ${reason}`, { cause });
}

/** Names of values may hold anything ("/gru/Y:0"); file names are kept plain and distinct. */
export function fileNames(dir: string, names: readonly string[]): Record<string, string> {
  const taken = new Set<string>();
  const files: Record<string, string> = {};
  for (const name of names) {
    const plain =
      name
        .replace(/[^A-Za-z0-9._-]+/g, "_")
        .replace(/^[._-]+/, "")
        .slice(0, 100) || "output";
    let file = plain;
    // case is ignored: some file systems do not tell the two apart
    for (let i = 2; taken.has(file.toLowerCase()); i++) file = `${plain}-${i}`;
    taken.add(file.toLowerCase());
    files[name] = join(dir, `${file}.npy`);
  }
  return files;
}

export function outputsJson(outputs: Outputs, files?: Record<string, string>): Record<string, OutputJson> {
  const total = Object.values(outputs).reduce((sum, o) => sum + o.data.length, 0);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { shape, data }]) => [
      name,
      {
        shape,
        ...(total <= MAX_JSON_NUMBERS ? { data: Array.from(data) } : {}),
        ...(files ? { file: files[name]! } : {}),
      },
    ]),
  );
}

/** Largest |a - b| over all outputs. */
export function largestDifference(a: Outputs, b: Outputs): number {
  let most = 0;
  for (const [name, { data }] of Object.entries(a)) {
    const other = b[name]!.data;
    for (let i = 0; i < data.length; i++) {
      // equal infinities (the logarithm of a vanishing probability) do not differ
      if (data[i] !== other[i]) most = Math.max(most, Math.abs(data[i]! - other[i]!));
    }
  }
  return most;
}
