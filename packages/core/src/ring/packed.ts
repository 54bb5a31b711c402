/** Vectors mod 2^bits as bytes without gaps: what crosses the wire. */
import { SottoError } from "../errors.js";
import type { Ring, Vector } from "./ring.js";

/** Bytes of n packed words of `bits` bits. */
export function packedBytes(n: number, bits: number): number {
  return Math.ceil((n * bits) / 8);
}

/** Packs v mod 2^bits into `into` at byte `at`; returns the position behind it. */
export function pack(ring: Ring, v: Vector, bits: number, into: Uint8Array, at: number): number {
  const bytes = packedBytes(v.length, bits);
  const scratch = ring.alloc(Math.ceil(bytes / 8) + 1);
  ring.kernels.pack(scratch.ptr, v.ptr, v.length, bits);
  into.set(ring.bytes(scratch, bytes), at);
  scratch.free();
  return at + bytes;
}

/** Reads n words of `bits` bits from `from` at byte `at`. @throws SottoError protocol when bytes are missing. */
export function unpack(ring: Ring, from: Uint8Array, at: number, n: number, bits: number): Vector {
  const bytes = packedBytes(n, bits);
  if (at + bytes > from.length) {
    throw new SottoError(
      "protocol",
      `message too short: expected ${bytes} bytes at offset ${at}, found ${from.length - at}`,
    );
  }
  const scratch = ring.alloc(Math.ceil(bytes / 8) + 2);
  const out = ring.alloc(n);
  ring.bytes(scratch, bytes).set(from.subarray(at, at + bytes));
  ring.kernels.unpack(out.ptr, scratch.ptr, n, bits);
  scratch.free();
  return out;
}
