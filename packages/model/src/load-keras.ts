/** Keras and TensorFlow.js models from the file system. */
import { realpath } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { type ModelDescription, SottoError } from "@sotto/core";
import { readRegularFile } from "./file.js";
import { isHdf5 } from "./keras/hdf5/reader.js";
import { importKeras } from "./keras/import.js";
import { importTfjs, tfjsWeightPaths } from "./keras/tfjs.js";
import { isZip, zipHas } from "./keras/zip.js";

/** A format of model files, known by content, or by the name's ending (".keras") where damage hides it. */
export interface FileFormat {
  is(bytes: Uint8Array, extension: string): boolean;
  read(bytes: Uint8Array, path: string): ModelDescription | Promise<ModelDescription>;
}

export const KERAS_FORMATS: FileFormat[] = [
  { is: isHdf5, read: (bytes) => importKeras(bytes) },
  {
    is: (bytes, ext) => isZip(bytes) && (ext === ".keras" || zipHas(bytes, "config.json")),
    read: (bytes) => importKeras(bytes),
  },
  { is: isTfjs, read: readTfjs },
];

/** JSON with the topology of a model; the key is among the first that writers put there. */
function isTfjs(bytes: Uint8Array): boolean {
  if (bytes[0] !== "{".charCodeAt(0)) return false;
  return new TextDecoder().decode(bytes).includes('"modelTopology"');
}

async function readTfjs(bytes: Uint8Array, path: string): Promise<ModelDescription> {
  const folder = dirname(resolve(path));
  const files = new Map<string, Uint8Array>();
  for (const name of tfjsWeightPaths(bytes)) {
    if (files.has(name))
      throw new SottoError("bad-model", `the file ${quote(name)} with weights is listed twice`);
    files.set(name, await readInside(folder, name));
  }
  return importTfjs(bytes, files);
}

/** A file below a folder: a model must not be able to name any other, nor lead to one by a link. */
async function readInside(folder: string, name: string): Promise<Uint8Array> {
  const path = resolve(folder, name);
  if (name === "" || /[\0\\:]/.test(name) || !inside(folder, path)) refuse(name, folder);
  let real: [string, string];
  try {
    real = [await realpath(folder), await realpath(path)];
  } catch (cause) {
    throw new SottoError("not-found", `the file ${quote(name)} with weights is missing beside model.json`, {
      cause,
    });
  }
  if (!inside(...real)) refuse(name, folder);
  try {
    return await readRegularFile(real[1]);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SottoError("not-found", `the file ${quote(name)} with weights can't be read: ${reason}`, {
      cause,
    });
  }
}

function inside(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function refuse(name: string, folder: string): never {
  throw new SottoError(
    "bad-model",
    `model.json names the file ${quote(name)} with weights, which is outside of its folder ${folder}; put them beside it`,
  );
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
