import type { Elements } from "@sotto/core";
import { halfToNumber } from "../half.js";
import { badModel, quote, unsupported } from "./errors.js";
import type { TensorProto } from "./onnx_pb.js";

/** What the elements of a constant are kept in. */
export type Numbers = Elements["data"];

export type ElementType = "float" | "integer" | "boolean";

/** A tensor that the file holds. */
export interface Literal {
  type: ElementType;
  shape: number[];
  data: Numbers;
}

interface Format {
  name: string;
  type: ElementType;
  bytes: number;
  read: (view: DataView, at: number) => number;
  /** The typed field that holds the elements where raw_data is absent. */
  field: "floatData" | "doubleData" | "int32Data" | "int64Data" | "uint64Data";
}

const format = (
  name: string,
  type: ElementType,
  bytes: number,
  field: Format["field"],
  read: Format["read"],
): Format => ({ name, type, bytes, field, read });

/** By ONNX's TensorProto.DataType. */
const FORMATS: Readonly<Record<number, Format>> = {
  1: format("float32", "float", 4, "floatData", (v, at) => v.getFloat32(at, true)),
  2: format("uint8", "integer", 1, "int32Data", (v, at) => v.getUint8(at)),
  3: format("int8", "integer", 1, "int32Data", (v, at) => v.getInt8(at)),
  4: format("uint16", "integer", 2, "int32Data", (v, at) => v.getUint16(at, true)),
  5: format("int16", "integer", 2, "int32Data", (v, at) => v.getInt16(at, true)),
  6: format("int32", "integer", 4, "int32Data", (v, at) => v.getInt32(at, true)),
  7: format("int64", "integer", 8, "int64Data", (v, at) => Number(v.getBigInt64(at, true))),
  9: format("bool", "boolean", 1, "int32Data", (v, at) => (v.getUint8(at) ? 1 : 0)),
  10: format("float16", "float", 2, "int32Data", (v, at) => halfToNumber(v.getUint16(at, true))),
  11: format("float64", "float", 8, "doubleData", (v, at) => v.getFloat64(at, true)),
  12: format("uint32", "integer", 4, "uint64Data", (v, at) => v.getUint32(at, true)),
  13: format("uint64", "integer", 8, "uint64Data", (v, at) => Number(v.getBigUint64(at, true))),
};

/** The kind of numbers behind an ONNX element type; undefined for strings, complex numbers, 8-bit floats... */
export function elementType(dataType: number): ElementType | undefined {
  return FORMATS[dataType]?.type;
}

/**
 * Reads a tensor out of the file. The element count is checked against the bytes that are there
 * before anything is allocated. Integers beyond 2^53 are rounded: exporters use them for "to the end".
 * @throws SottoError `bad-model` if it is damaged, outside the file, or holds NaN or infinity;
 *   `unsupported` if its elements are not numbers.
 */
export function readTensor(tensor: TensorProto, label = tensor.name): Literal {
  const what = `tensor ${quote(label)}`;
  if (tensor.externalData.length > 0 || tensor.dataLocation !== 0)
    badModel(`${what} is stored in another file; save the model with its weights in one file`);
  const format =
    FORMATS[tensor.dataType] ??
    unsupported(`${what} has ONNX element type ${tensor.dataType}; supported are ${formatNames()}`);
  const shape = readShape(tensor.dims, what);
  const size = shape.reduce((a, b) => a * b, 1);
  const data = tensor.rawData.length > 0 ? readRaw(tensor, format, size, what) : readTyped(tensor, format);
  if (data.length !== size)
    badModel(`${what} of shape [${shape}] should have ${size} elements, but the file holds ${data.length}`);
  if (format.type === "float" && !data.every((v) => Number.isFinite(v)))
    badModel(`${what} holds NaN or infinity`);
  return { type: format.type, shape, data };
}

/** Sizes as numbers; that they are not absurd is seen by comparing with the data. */
function readShape(dims: readonly bigint[], what: string): number[] {
  return dims.map((d) => {
    if (d < 0n || d > 2n ** 31n) badModel(`${what} has the impossible size ${d} among its dimensions`);
    return Number(d);
  });
}

function readRaw(tensor: TensorProto, format: Format, size: number, what: string): Numbers {
  const { rawData } = tensor;
  if (rawData.length !== size * format.bytes)
    badModel(
      `${what} of shape [${tensor.dims}] and type ${format.name} should have ${size * format.bytes} bytes, ` +
        `but the file holds ${rawData.length}`,
    );
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  const data = format.name === "float32" ? new Float32Array(size) : new Float64Array(size);
  for (let i = 0; i < size; i++) data[i] = format.read(view, i * format.bytes);
  return data;
}

function readTyped(tensor: TensorProto, format: Format): Numbers {
  const elements = tensor[format.field];
  if (format.name === "float16") return Float64Array.from(tensor.int32Data, (bits) => halfToNumber(bits));
  if (format.type === "boolean") return Float64Array.from(tensor.int32Data, (v) => (v ? 1 : 0));
  const data =
    format.name === "float32" ? new Float32Array(elements.length) : new Float64Array(elements.length);
  for (let i = 0; i < data.length; i++) data[i] = Number(elements[i]);
  return data;
}

function formatNames(): string {
  return Object.values(FORMATS)
    .map((f) => f.name)
    .join(", ");
}
