import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { TensorProtoSchema } from "./onnx_pb.js";
import { readTensor } from "./tensor.js";

const read = (init: MessageInitShape<typeof TensorProtoSchema>) =>
  readTensor(create(TensorProtoSchema, { name: "t", ...init }));
const raw = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

describe("tensors of an ONNX file", () => {
  it.each([
    [1, raw(Float32Array.of(1.5, -2)), [1.5, -2]],
    [11, raw(Float64Array.of(1.5, -2)), [1.5, -2]],
    [10, raw(Uint16Array.of(0x3e00, 0xc000)), [1.5, -2]],
    [6, raw(Int32Array.of(7, -2)), [7, -2]],
    [7, raw(BigInt64Array.of(7n, -2n)), [7, -2]],
    [3, raw(Int8Array.of(7, -2)), [7, -2]],
    [2, raw(Uint8Array.of(7, 254)), [7, 254]],
    [9, raw(Uint8Array.of(0, 1)), [0, 1]],
  ])("reads raw data of type %d", (dataType, rawData, expected) => {
    expect([...read({ dims: [2n], dataType, rawData }).data]).toEqual(expected);
  });

  it("reads typed fields", () => {
    expect([...read({ dims: [2n], dataType: 1, floatData: [1.5, -2] }).data]).toEqual([1.5, -2]);
    expect([...read({ dims: [1n], dataType: 11, doubleData: [0.1] }).data]).toEqual([0.1]);
    expect([...read({ dims: [1n, 2n], dataType: 7, int64Data: [7n, -2n] }).data]).toEqual([7, -2]);
    expect([...read({ dims: [2n], dataType: 6, int32Data: [7, -2] }).data]).toEqual([7, -2]);
    expect([...read({ dims: [2n], dataType: 10, int32Data: [0x3e00, 0xc000] }).data]).toEqual([1.5, -2]);
    expect([...read({ dims: [2n], dataType: 9, int32Data: [0, 1] }).data]).toEqual([0, 1]);
    expect(read({ dims: [], dataType: 1, floatData: [4] })).toMatchObject({ shape: [], type: "float" });
    expect(read({ dims: [0n], dataType: 7 }).data).toHaveLength(0);
  });

  it.each([
    [{ dims: [1n << 30n, 1n << 30n], dataType: 1, rawData: new Uint8Array(8) }, /should have .* bytes/],
    [{ dims: [1n << 30n], dataType: 1 }, /should have 1073741824 elements, but the file holds 0/],
    [{ dims: [-1n], dataType: 1 }, /impossible size -1/],
    [{ dims: [3n], dataType: 1, rawData: new Uint8Array(8) }, /should have 12 bytes, but the file holds 8/],
    [{ dims: [1n], dataType: 1, floatData: [Number.NaN] }, /"t" holds NaN or infinity/],
    [{ dims: [1n], dataType: 10, int32Data: [0x7c00] }, /"t" holds NaN or infinity/],
    [{ dims: [1n], dataType: 8 }, /element type 8; supported are float32/],
    [{ dims: [1n], dataType: 1, externalData: [{ key: "location", value: "w" }] }, /in another file/],
  ])("refuses what does not fit (%#)", (init, message) => {
    expect(() => read(init)).toThrow(message);
    expect(() => read(init)).toThrow(SottoError);
  });
});
