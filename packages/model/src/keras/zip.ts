import { unzipSync } from "fflate";
import { badModel } from "./errors.js";

/** Weights hardly get smaller by compression, and Keras doesn't even try. */
const MOST_EXPANSION = 100;
const MOST_ENTRIES = 100_000;

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** Whether a ZIP file lists a name, without unpacking anything; false for damaged ones. */
export function zipHas(bytes: Uint8Array, name: string): boolean {
  let found = false;
  try {
    unzipSync(bytes, {
      filter: count((entry) => {
        found ||= entry.name === name;
        return false;
      }),
    });
  } catch {
    // Not for here to say.
  }
  return found;
}

/** The files of these names. @throws SottoError `bad-model` if the archive is damaged or claims impossible sizes. */
export function unzip(bytes: Uint8Array, names: readonly string[]): Map<string, Uint8Array> {
  let impossible: string | undefined;
  const filter = count(({ name, size, originalSize }) => {
    if (!names.includes(name)) return false;
    if (!(size <= bytes.length && originalSize <= MOST_EXPANSION * size + 1024)) {
      impossible = `${name} claims ${originalSize} bytes packed into ${size}`;
      throw new Error(impossible);
    }
    return true;
  });
  try {
    return new Map(Object.entries(unzipSync(bytes, { filter })));
  } catch (cause) {
    badModel(
      `the ZIP archive is damaged: ${impossible ?? (cause instanceof Error ? cause.message : cause)}`,
      cause,
    );
  }
}

interface Entry {
  name: string;
  size: number;
  originalSize: number;
}

/** Stops at a number of entries that only a damaged directory has. */
function count(filter: (entry: Entry) => boolean): (entry: Entry) => boolean {
  let entries = 0;
  return (entry) => {
    if (++entries > MOST_ENTRIES) throw new Error("too many entries");
    return filter(entry);
  };
}
