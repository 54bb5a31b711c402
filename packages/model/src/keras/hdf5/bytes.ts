import { badModel } from "../errors.js";

/**
 * Little-endian reads, all checked against the file's end, and a limit to the work that a file may cause: every
 * structure that is followed and every byte that is copied counts, so that loops and references to one place from
 * many end in an error.
 */
export class Bytes {
  private readonly view: DataView;
  private work: number;

  constructor(readonly data: Uint8Array) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.work = 16 * data.length + 2 ** 20;
  }

  /** @throws SottoError `bad-model` once a file has asked for far more than its size explains. */
  spend(amount: number): void {
    this.work -= amount;
    if (this.work < 0) badModel("the HDF5 data refers to itself in circles, or is far larger than the file");
  }

  uint(at: number, size: number): number {
    this.need(at, size);
    if (size === 1) return this.view.getUint8(at);
    if (size === 2) return this.view.getUint16(at, true);
    if (size === 4) return this.view.getUint32(at, true);
    const value = this.view.getBigUint64(at, true);
    // All ones: the "undefined address".
    if (value === 2n ** 64n - 1n) return Number.POSITIVE_INFINITY;
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      badModel(`HDF5: the number ${value} at byte ${at} is impossible`);
    return Number(value);
  }

  slice(at: number, size: number): Uint8Array {
    this.need(at, size);
    return this.data.subarray(at, at + size);
  }

  /** Bytes up to a zero, as text. */
  name(at: number, limit: number): string {
    this.need(at, 1);
    const rest = this.data.subarray(at, Math.min(limit, at + 4096));
    const end = rest.indexOf(0);
    if (end < 0) badModel("HDF5: a name has no end");
    this.spend(end + 1);
    return text(rest.subarray(0, end));
  }

  signature(at: number, expected: string): void {
    const found = String.fromCharCode(...this.slice(at, expected.length));
    if (found !== expected) badModel(`HDF5: expected ${quoteSignature(expected)} at byte ${at}`);
  }

  private need(at: number, size: number): void {
    if (!(at >= 0 && size >= 0 && at + size <= this.data.length))
      badModel(
        `HDF5: ${size} bytes at ${at} are beyond the file's end (${this.data.length}); it is damaged or cut off`,
      );
  }
}

const DECODER = new TextDecoder();

export function text(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}

function quoteSignature(signature: string): string {
  return JSON.stringify(signature);
}
