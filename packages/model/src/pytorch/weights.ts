import type { Tensor } from "@sotto/core";
import { halfToNumber } from "../half.js";
import { badModel, quote, unsupported } from "./errors.js";
import type { RawTensor } from "./safetensors.js";

type Read = (view: DataView, at: number) => number;

const READERS: Readonly<Record<string, [width: number, read: Read]>> = {
  F64: [8, (v, at) => v.getFloat64(at, true)],
  F32: [4, (v, at) => v.getFloat32(at, true)],
  F16: [2, (v, at) => halfToNumber(v.getUint16(at, true))],
  BF16: [2, bfloat],
  I64: [8, (v, at) => Number(v.getBigInt64(at, true))],
  I32: [4, (v, at) => v.getInt32(at, true)],
  I16: [2, (v, at) => v.getInt16(at, true)],
  I8: [1, (v, at) => v.getInt8(at)],
  U8: [1, (v, at) => v.getUint8(at)],
};

/** What wrappers put before every name: DataParallel, torch.compile. */
const WRAPPERS = ["module.", "_orig_mod."];

/** A file's tensors under the names that modules have in the model, and which of them have been used. */
export class Weights {
  private readonly tensors: ReadonlyMap<string, RawTensor>;
  private readonly used = new Set<string>();

  constructor(tensors: ReadonlyMap<string, RawTensor>) {
    let entries = [...tensors];
    for (const wrapper of WRAPPERS)
      if (entries.length > 0 && entries.every(([name]) => name.startsWith(wrapper)))
        entries = entries.map(([name, tensor]) => [name.slice(wrapper.length), tensor]);
    this.tensors = new Map(entries);
  }

  get names(): string[] {
    return [...this.tensors.keys()];
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** Undefined if there is none of that name. */
  shape(name: string): number[] | undefined {
    return this.tensors.get(name)?.shape;
  }

  /** Those that nothing has read. */
  unused(): string[] {
    return this.names.filter((name) => !this.used.has(name));
  }

  /** Counts as read what needs no reading. */
  ignore(name: string): void {
    this.used.add(name);
  }

  /** In single precision. @throws SottoError `bad-model` for numbers that this can't hold. */
  read(name: string): Tensor {
    const raw = this.tensors.get(name) ?? badModel(`there is no tensor ${quote(name)}`);
    this.used.add(name);
    if (!Object.hasOwn(READERS, raw.dtype))
      unsupported(
        `${quote(name)} is of type ${raw.dtype}; weights may be ${Object.keys(READERS).join(", ")}. In Python: tensor.float()`,
      );
    const [width, read] = READERS[raw.dtype]!;
    const view = new DataView(raw.bytes.buffer, raw.bytes.byteOffset, raw.bytes.byteLength);
    const data = new Float32Array(raw.bytes.length / width);
    for (let i = 0; i < data.length; i++) data[i] = read(view, i * width);
    if (!data.every((v) => Number.isFinite(v)))
      badModel(`the weights ${quote(name)} exceed what single precision holds, or are not numbers`);
    return { shape: [...raw.shape], data };
  }
}

const word = new DataView(new ArrayBuffer(4));

/** The upper half of a single precision number. */
function bfloat(view: DataView, at: number): number {
  word.setUint32(0, view.getUint16(at, true) * 2 ** 16);
  return word.getFloat32(0);
}
