/**
 * NumPy's NPY files: one array each. Format: numpy.lib.format, versions 1 to 3.
 * Every failure is a SottoError `bad-input` that says what was found and what was expected.
 */
import { SottoError } from "@sotto/core";
import { halfToNumber } from "./half.js";

/** An array of a file, in row-major order whatever the file's order is. */
export interface NpyArray {
  shape: number[];
  /** float32 as it is; all other types as doubles (64-bit integers only up to 2^53). */
  data: Float32Array | Float64Array;
  /** "float32", "int64", "bool", ...: the type in the file. */
  dtype: string;
}

type WritableType = "float32" | "float64" | "int64";

interface Format {
  bytes: number;
  dtype: string;
  read: (view: DataView, at: number, littleEndian: boolean) => number;
}

const wide = (value: bigint): number => {
  const n = Number(value);
  if (!Number.isSafeInteger(n)) bad(`the integer ${value} is beyond 2^53; store the array as float64`);
  return n;
};

const FORMATS: Readonly<Record<string, Format>> = {
  f2: { bytes: 2, dtype: "float16", read: (v, at, little) => halfToNumber(v.getUint16(at, little)) },
  f4: { bytes: 4, dtype: "float32", read: (v, at, little) => v.getFloat32(at, little) },
  f8: { bytes: 8, dtype: "float64", read: (v, at, little) => v.getFloat64(at, little) },
  i1: { bytes: 1, dtype: "int8", read: (v, at) => v.getInt8(at) },
  i2: { bytes: 2, dtype: "int16", read: (v, at, little) => v.getInt16(at, little) },
  i4: { bytes: 4, dtype: "int32", read: (v, at, little) => v.getInt32(at, little) },
  i8: { bytes: 8, dtype: "int64", read: (v, at, little) => wide(v.getBigInt64(at, little)) },
  u1: { bytes: 1, dtype: "uint8", read: (v, at) => v.getUint8(at) },
  u2: { bytes: 2, dtype: "uint16", read: (v, at, little) => v.getUint16(at, little) },
  u4: { bytes: 4, dtype: "uint32", read: (v, at, little) => v.getUint32(at, little) },
  u8: { bytes: 8, dtype: "uint64", read: (v, at, little) => wide(v.getBigUint64(at, little)) },
  b1: { bytes: 1, dtype: "bool", read: (v, at) => (v.getUint8(at) ? 1 : 0) },
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** NumPy itself allows this many. */
const MAX_RANK = 64;

/** Reads a whole NPY file. @throws SottoError `bad-input` */
export function readNpy(bytes: Uint8Array): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { text, end } = readHeader(bytes, view);
  const { descr, fortran, shape } = parseHeader(text);
  const format = formatOf(descr);
  const little = descr[0] !== ">";
  const size = shape.reduce((a, b) => a * b, 1);
  const found = bytes.length - end;
  if (found !== size * format.bytes)
    bad(
      `an array of shape (${shape}) and type ${format.dtype} takes ${size * format.bytes} bytes, but the file ` +
        `has ${found} after its header; it is ${found < size * format.bytes ? "truncated" : "too long"}`,
    );
  const data = format.dtype === "float32" ? new Float32Array(size) : new Float64Array(size);
  const places = fortran ? fortranPlaces(shape, size) : undefined;
  for (let i = 0; i < size; i++) data[i] = format.read(view, end + (places?.[i] ?? i) * format.bytes, little);
  return { shape, data, dtype: format.dtype };
}

/**
 * Writes an NPY file (version 1, row-major).
 * @throws SottoError `bad-input` if shape and data disagree, or an int64 is not an integer up to 2^53.
 */
export function writeNpy(shape: readonly number[], data: ArrayLike<number>, dtype: WritableType): Uint8Array {
  const size = shape.reduce((a, b) => a * b, 1);
  if (shape.length > MAX_RANK || shape.some((d) => !Number.isSafeInteger(d) || d < 0) || size !== data.length)
    bad(`can't write ${data.length} elements as an array of shape (${shape})`);
  const [descr, width] = ({ float32: ["<f4", 4], float64: ["<f8", 8], int64: ["<i8", 8] } as const)[dtype];
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tuple}), }`;
  // The data starts at a multiple of 64 bytes; the header is padded and ends in a newline.
  const start = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const header = `${dict.padEnd(start - 10 - 1)}\n`;
  const bytes = new Uint8Array(start + size * width);
  const view = new DataView(bytes.buffer);
  bytes.set([...MAGIC, 1, 0]);
  view.setUint16(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), 10);
  for (let i = 0, at = start; i < size; i++, at += width) {
    const value = data[i]!;
    if (dtype === "float32") view.setFloat32(at, value, true);
    else if (dtype === "float64") view.setFloat64(at, value, true);
    else if (Number.isSafeInteger(value)) view.setBigInt64(at, BigInt(value), true);
    else bad(`element ${i} is ${value}, which int64 can't hold exactly`);
  }
  return bytes;
}

function readHeader(bytes: Uint8Array, view: DataView): { text: string; end: number } {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte))
    bad("it does not start with \\x93NUMPY; expected a file written by numpy.save");
  const version = bytes[6]!;
  if (version < 1 || version > 3) bad(`NPY version ${version} is not known; expected 1, 2 or 3`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) bad("the file ends within its header");
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const end = start + length;
  if (end > bytes.length) bad(`the file ends within its header of ${length} bytes`);
  return { text: new TextDecoder().decode(bytes.subarray(start, end)), end };
}

/** The header is a Python dictionary of three entries; their order is free. */
function parseHeader(text: string): { descr: string; fortran: boolean; shape: number[] } {
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  if (body === undefined) bad(`its header is not a dictionary: ${JSON.stringify(text.slice(0, 100))}`);
  const descr = /'descr'\s*:\s*('[^']*'|\[)/.exec(body)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)\b/.exec(body)?.[1];
  const tuple = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(body)?.[1];
  if (descr === undefined) bad("its header names no type ('descr')");
  if (fortran === undefined) bad("its header does not say 'fortran_order': True or False");
  if (tuple === undefined) bad("its header has no 'shape' of non-negative integers");
  const shape = tuple
    .split(",")
    .map((s) => s.trim())
    .filter((s) => s !== "")
    .map((s) => Number(s.replace(/L$/, "")));
  if (shape.length > MAX_RANK || !shape.every((d) => Number.isSafeInteger(d)))
    bad(`its shape (${tuple.slice(0, 100)}) is not a shape`);
  return { descr: descr.replaceAll("'", ""), fortran: fortran === "True", shape };
}

function formatOf(descr: string): Format {
  if (descr === "[") bad("it holds records; expected plain numbers");
  const code = descr.slice(1);
  const format = Object.hasOwn(FORMATS, code) ? FORMATS[code]! : undefined;
  const order = descr[0];
  if (!format || !order || !"<=|>".includes(order))
    bad(`its type ${JSON.stringify(descr.slice(0, 40))} is not supported; supported are ${known()}`);
  return format;
}

function known(): string {
  return Object.values(FORMATS)
    .map((f) => f.dtype)
    .join(", ");
}

/** For each element in row-major order its place in a column-major file. */
function fortranPlaces(shape: readonly number[], size: number): Float64Array {
  let places = new Float64Array(size > 0 ? 1 : 0);
  let stride = 1;
  const strides = shape.map((d) => {
    const own = stride;
    stride *= d;
    return own;
  });
  shape.forEach((d, axis) => {
    const next = new Float64Array(places.length * d);
    for (let p = 0; p < places.length; p++)
      for (let k = 0; k < d; k++) next[p * d + k] = places[p]! + k * strides[axis]!;
    places = next;
  });
  return places;
}

function bad(message: string): never {
  throw new SottoError("bad-input", `NPY file: ${message}`);
}
