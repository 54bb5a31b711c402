/**
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header that gives each tensor's type,
 * shape and place, then the tensors' bytes, little-endian and row-major.
 * Source: https://github.com/huggingface/safetensors ("Format"), whose conditions are all checked.
 */
import { badModel, quote, shown, unsupported } from "./errors.js";
import { type Json, parseJson } from "./json.js";

/** A tensor as it is in the file. */
export interface RawTensor {
  dtype: string;
  shape: number[];
  /** A view of the file. */
  bytes: Uint8Array;
}

/** The format's own limit. */
const MAX_HEADER = 100_000_000;

/** Bytes of one element. */
const WIDTHS: ReadonlyMap<string, number> = new Map([
  ...(["F64", "I64", "U64"] as const).map((t) => [t, 8] as const),
  ...(["F32", "I32", "U32"] as const).map((t) => [t, 4] as const),
  ...(["F16", "BF16", "I16", "U16"] as const).map((t) => [t, 2] as const),
  ...(["I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"] as const).map((t) => [t, 1] as const),
]);

/** Whether a file is of this format, by its first bytes. A damaged one may be, too. */
export function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const length = headerLength(bytes);
  return length >= 2 && length <= MAX_HEADER && 8 + length <= bytes.length;
}

/**
 * All tensors of a file, by name.
 * @throws SottoError `bad-model` if the file breaks the format; `unsupported` for a type that is not known.
 */
export function readSafetensors(bytes: Uint8Array): Map<string, RawTensor> {
  const { header, data } = split(bytes);
  const places: { name: string; begin: number; end: number }[] = [];
  const tensors = new Map<string, RawTensor>();
  for (const [name, entry] of header) {
    if (name === "__metadata__") {
      if (!(entry instanceof Map) || ![...entry.values()].every((v) => typeof v === "string"))
        badModel("__metadata__ should map texts to texts");
      continue;
    }
    const { dtype, shape, begin, end } = readEntry(name, entry);
    if (end > data.length)
      badModel(
        `tensor ${quote(name)} should end at byte ${end} of the data, of which there are ${data.length}; is the file truncated?`,
      );
    places.push({ name, begin, end });
    tensors.set(name, { dtype, shape, bytes: data.subarray(begin, end) });
  }
  checkPlaces(places, data.length);
  return tensors;
}

function headerLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
}

function split(bytes: Uint8Array): { header: Map<string, Json>; data: Uint8Array } {
  if (bytes.length < 8) badModel(`the file has ${bytes.length} bytes; a header takes at least 10`);
  const length = headerLength(bytes);
  if (length > MAX_HEADER) badModel(`its header claims ${length} bytes; the format allows ${MAX_HEADER}`);
  if (8 + length > bytes.length)
    badModel(
      `its header claims ${length} bytes, but the file ends after ${bytes.length - 8}; is it truncated?`,
    );
  if (bytes[8] !== 0x7b) badModel("its header does not start with {");
  let header: Json;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    header = parseJson(decoder.decode(bytes.subarray(8, 8 + length)));
  } catch (error) {
    badModel(`its header is not JSON as expected: ${error instanceof Error ? error.message : error}`);
  }
  if (!(header instanceof Map)) badModel("its header is not a JSON object");
  return { header, data: bytes.subarray(8 + length) };
}

function readEntry(name: string, entry: Json) {
  if (!(entry instanceof Map)) badModel(`the entry of tensor ${quote(name)} is not a JSON object`);
  for (const key of entry.keys())
    if (!["dtype", "shape", "data_offsets"].includes(key))
      badModel(`the entry of tensor ${quote(name)} has the unknown key ${quote(key)}`);
  const dtype = entry.get("dtype");
  const shape = naturals(entry.get("shape"));
  const offsets = naturals(entry.get("data_offsets"));
  if (typeof dtype !== "string" || !shape || offsets?.length !== 2)
    badModel(
      `the entry of tensor ${quote(name)} should have a dtype, a shape and two data_offsets, whole numbers from 0`,
    );
  const width = WIDTHS.get(dtype);
  if (width === undefined)
    unsupported(
      `tensor ${quote(name)} is of type ${quote(dtype)}; supported are ${[...WIDTHS.keys()].join(", ")}`,
    );
  const [begin, end] = offsets as [number, number];
  const size = shape.reduce((a, b) => a * b, width);
  if (size !== end - begin)
    badModel(
      `tensor ${quote(name)} of shape ${shown(shape)} and type ${dtype} takes ${size} bytes, but its offsets ` +
        `are ${begin} and ${end}`,
    );
  return { dtype, shape, begin, end };
}

function naturals(value: Json | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const ok = value.every((v) => typeof v === "number" && Number.isSafeInteger(v) && v >= 0);
  return ok ? (value as number[]) : undefined;
}

/** The tensors must cover the data, each byte once. */
function checkPlaces(places: { name: string; begin: number; end: number }[], length: number): void {
  let at = 0;
  let before = "";
  for (const { name, begin, end } of places.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < at) badModel(`tensors ${quote(before)} and ${quote(name)} overlap`);
    if (begin > at) badModel(`bytes ${at} to ${begin} of the data belong to no tensor`);
    [at, before] = [end, name];
  }
  if (at !== length) badModel(`the last ${length - at} bytes belong to no tensor`);
}
