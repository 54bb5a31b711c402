/** Vectors mod 2^bits as bytes without gaps: what crosses the wire. */
import { SottoError } from "../errors.js";
import type { Ring, Vector } from "./ring.js";

/** Bytes of n packed words of `bits` bits. */
export function packedBytes(n: number, bits: number): number {
  return Math.ceil((n * bits) / 8);
}

/** Bytes that the kernels may touch beyond the packed ones. */
const SPARE = 16;

/** A message being put together from vectors. */
export class Packer {
  private readonly ring: Ring;
  private readonly scratch: Vector;
  private at = 0;

  /** @param bytes the message's length. */
  constructor(ring: Ring, bytes: number) {
    this.ring = ring;
    this.scratch = ring.alloc(Math.ceil((bytes + SPARE) / 8));
  }

  /** Appends v mod 2^bits, or n words of it from word `from` on. */
  put(v: Vector, bits: number, from = 0, n = v.length): void {
    const bytes = packedBytes(n, bits);
    if (this.at + bytes + SPARE > this.scratch.length * 8)
      throw new SottoError("internal", "a message is longer than declared");
    this.ring.kernels.pack(this.scratch.ptr + this.at, v.ptr + from * 8, n, bits);
    this.at += bytes;
  }

  /** Bytes put so far. */
  get length(): number {
    return this.at;
  }

  /** Puts the message at a place of `length` bytes. */
  copyTo(place: Uint8Array): void {
    place.set(this.ring.bytes(this.scratch, this.at));
  }

  free(): void {
    this.scratch.free();
  }

  /** The message, with `room` bytes left free in front. Frees the rest. */
  take(room = 0): Uint8Array {
    const out = new Uint8Array(room + this.at);
    this.copyTo(out.subarray(room));
    this.free();
    return out;
  }
}

/** A message being taken apart. */
export class Unpacker {
  private readonly ring: Ring;
  private readonly scratch: Vector;
  private readonly length: number;
  private at = 0;

  constructor(ring: Ring, message: Uint8Array) {
    this.ring = ring;
    this.length = message.length;
    this.scratch = ring.alloc(Math.ceil((message.length + SPARE) / 8));
    ring.bytes(this.scratch, message.length).set(message);
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.at;
  }

  /**
   * Puts the next n words of `bits` bits at word `to` of a vector.
   * @throws SottoError protocol when bytes are missing.
   */
  into(v: Vector, bits: number, to = 0, n = v.length): void {
    this.ring.kernels.unpack(v.ptr + to * 8, this.next(bits, n), n, bits);
  }

  /** Adds the next words, mod 2^bits, to a vector. @throws SottoError protocol when bytes are missing. */
  addTo(v: Vector, bits: number): void {
    this.ring.kernels.unpackAdd(v.ptr, this.next(bits, v.length), v.length, bits);
  }

  free(): void {
    this.scratch.free();
  }

  private next(bits: number, n: number): number {
    const { at, length } = this;
    const bytes = packedBytes(n, bits);
    if (at + bytes > length) {
      throw new SottoError(
        "protocol",
        `message too short: expected ${bytes} bytes at offset ${at}, found ${length - at}`,
      );
    }
    this.at += bytes;
    return this.scratch.ptr + at;
  }
}

/** Packs v mod 2^bits into `into` at byte `at`; returns the position behind it. */
export function pack(ring: Ring, v: Vector, bits: number, into: Uint8Array, at: number): number {
  const packer = new Packer(ring, packedBytes(v.length, bits));
  packer.put(v, bits);
  const bytes = packer.take();
  into.set(bytes, at);
  return at + bytes.length;
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
  const unpacker = new Unpacker(ring, from.subarray(at, at + bytes));
  const out = ring.alloc(n);
  unpacker.into(out, bits);
  unpacker.free();
  return out;
}
