/** Elements of datasets and attributes. */
import { halfToNumber } from "../../half.js";
import { badModel, unsupported } from "../errors.js";
import { type Bytes, text } from "./bytes.js";
import type { Datatype } from "./messages.js";

/** The number of elements, or an error if they can't be in the file. */
export function countOf(bytes: Bytes, shape: readonly number[], type: Datatype): number {
  const count = shape.reduce((a, b) => a * b, 1);
  if (!(type.size > 0) || !(count * type.size <= bytes.data.length))
    badModel(
      `HDF5: an array of shape [${shape}] with ${type.size} bytes for each element is larger than the file`,
    );
  return count;
}

/** Numbers from `at`, in row-major order. */
export function readNumbers(bytes: Bytes, at: number, count: number, type: Datatype): Float32Array {
  bytes.slice(at, count * type.size);
  bytes.spend(count * type.size);
  const { data } = bytes;
  const view = new DataView(data.buffer, data.byteOffset + at, count * type.size);
  const read = reader(view, type);
  return Float32Array.from({ length: count }, (_, i) => read(i * type.size));
}

function reader(view: DataView, type: Datatype): (at: number) => number {
  if (type.kind === "float" || type.kind === "integer") {
    const little = !type.bigEndian;
    const signed = type.kind === "integer" && type.signed;
    const key = `${type.kind === "float" ? "f" : signed ? "i" : "u"}${type.size}`;
    // Five bits of exponent: half precision; eight would be bfloat16.
    if (key === "f2" && type.kind === "float" && type.exponent === 5)
      return (at) => halfToNumber(view.getUint16(at, little));
    if (key === "f4") return (at) => view.getFloat32(at, little);
    if (key === "f8") return (at) => view.getFloat64(at, little);
    if (key === "i1") return (at) => view.getInt8(at);
    if (key === "u1") return (at) => view.getUint8(at);
    if (key === "i4") return (at) => view.getInt32(at, little);
    if (key === "u4") return (at) => view.getUint32(at, little);
    if (key === "i8") return (at) => Number(view.getBigInt64(at, little));
    if (key === "u8") return (at) => Number(view.getBigUint64(at, little));
  }
  const what = type.kind === "other" ? type.name : type.kind;
  unsupported(
    `HDF5: weights of type ${what} with ${type.size} bytes; save the model with 32-bit reals (float32)`,
  );
}

/** Texts from `at`: of fixed length, padded with zeros or blanks, or references into global heaps. */
export function readTexts(bytes: Bytes, at: number, count: number, type: Datatype): string[] {
  if (type.kind === "string")
    return Array.from({ length: count }, (_, i) => {
      bytes.spend(type.size + 1);
      return text(bytes.slice(at + i * type.size, type.size)).replace(/[\0 ]+$/, "");
    });
  if (type.kind !== "text" || type.size !== 16) badModel("HDF5: expected text");
  return Array.from({ length: count }, (_, i) => {
    const from = at + 16 * i;
    return heapText(bytes, bytes.uint(from + 4, 8), bytes.uint(from + 12, 4), bytes.uint(from, 4));
  });
}

/** III.E: a global heap is a list of numbered objects. */
function heapText(bytes: Bytes, heap: number, wanted: number, length: number): string {
  if (length === 0) return "";
  bytes.signature(heap, "GCOL");
  const end = heap + bytes.uint(heap + 8, 8);
  let at = heap + 16;
  while (at + 16 <= end) {
    bytes.spend(1);
    const index = bytes.uint(at, 2);
    const size = bytes.uint(at + 8, 8);
    if (index === 0) break;
    if (index === wanted) {
      if (length > size) badModel("HDF5: a text is longer than its place");
      bytes.spend(length);
      return text(bytes.slice(at + 16, length));
    }
    at += 16 + 8 * Math.ceil(size / 8);
  }
  badModel("HDF5: a text is missing");
}
