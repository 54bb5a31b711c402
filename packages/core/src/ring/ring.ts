/**
 * Vectors of 64-bit words (Z_2^64) in WebAssembly memory, and their allocator.
 *
 * A word may stand for an element of a smaller ring Z_2^k: then its upper bits carry no meaning
 * and whoever needs the canonical value reduces. docs/protocol.md, "Notation".
 */
import { SottoError } from "../errors.js";
import { instantiateKernels, type Kernels } from "./kernels.js";

/** Words that kernels may touch beyond a vector's end (packing, groups of key stream). */
const GROUP = 32;
const SLACK = 2;
/** WebAssembly memory has at most 4 GiB. */
const MAX_WORDS = 2 ** 29;

/** A vector of 64-bit words. It is freed once, by whoever owns it. */
export class Vector {
  /** Number of words. */
  readonly length: number;
  private owner: Ring | undefined;
  private readonly at: number;

  constructor(owner: Ring, at: number, length: number) {
    this.owner = owner;
    this.at = at;
    this.length = length;
  }

  /** Byte offset in the ring's memory. Throws once the vector is freed: the words may be somebody else's. */
  get ptr(): number {
    if (!this.owner) throw new SottoError("internal", "vector used after it was freed");
    return this.at;
  }

  /** Gives the memory back. A second call is an error: the words may be somebody else's by then. */
  free(): void {
    if (!this.owner) throw new SottoError("internal", "vector freed twice");
    this.owner.release(this.at, this.length);
    this.owner = undefined;
  }
}

/** The memory of one process or page, and the kernels over it. */
export class Ring {
  readonly kernels: Kernels;
  private readonly free = new Map<number, number[]>();
  private top: number;
  private inUse = 0;
  private heapView = new Uint8Array(0);

  private constructor(kernels: Kernels) {
    this.kernels = kernels;
    this.top = (kernels.heapBase() + 255) & ~255;
  }

  static async create(): Promise<Ring> {
    return new Ring(await instantiateKernels());
  }

  /** Bytes allocated and not freed. */
  get bytesInUse(): number {
    return this.inUse;
  }

  /** An uninitialised vector of n words. */
  alloc(n: number): Vector {
    if (!(Number.isInteger(n) && n >= 0 && n < MAX_WORDS)) {
      throw new SottoError("internal", `a vector of ${n} words; expected 0 to ${MAX_WORDS - 1}`);
    }
    const words = capacity(n);
    const list = this.free.get(words);
    const ptr = list?.pop() ?? this.extend(words * 8);
    this.inUse += words * 8;
    return new Vector(this, ptr, n);
  }

  /** A vector of n zeros. */
  zeros(n: number): Vector {
    const v = this.alloc(n);
    this.wipe(v, 0, n);
    return v;
  }

  /** Sets a vector's words from..from + n - 1 to zero. */
  wipe(v: Vector, from: number, n: number): void {
    const start = v.ptr + from * 8;
    this.heap().fill(0, start, start + n * 8);
  }

  /** Copies words from..from + n - 1 of a vector to another one's words to..to + n - 1. */
  copy(target: Vector, to: number, source: Vector, from: number, n: number): void {
    const start = source.ptr + from * 8;
    this.heap().copyWithin(target.ptr + to * 8, start, start + n * 8);
  }

  /** @internal Called by Vector.free. */
  release(ptr: number, length: number): void {
    const words = capacity(length);
    this.inUse -= words * 8;
    const list = this.free.get(words);
    if (list) list.push(ptr);
    else this.free.set(words, [ptr]);
  }

  /** The vector's words; valid until the next allocation. */
  words(v: Vector): BigUint64Array {
    return new BigUint64Array(this.kernels.memory.buffer, v.ptr, v.length);
  }

  /** The vector's memory as doubles; valid until the next allocation. */
  doubles(v: Vector): Float64Array {
    return new Float64Array(this.kernels.memory.buffer, v.ptr, v.length);
  }

  /** `length` bytes of memory from a vector's start; valid until the next allocation. */
  bytes(v: Vector, length = v.length * 8): Uint8Array {
    return this.heap().subarray(v.ptr, v.ptr + length);
  }

  /** All memory as bytes. Growth detaches the buffer, so the view is made anew then. */
  private heap(): Uint8Array {
    const { buffer } = this.kernels.memory;
    if (this.heapView.buffer !== buffer) this.heapView = new Uint8Array(buffer);
    return this.heapView;
  }

  private extend(bytes: number): number {
    const ptr = this.top;
    this.top += bytes;
    const { memory } = this.kernels;
    const missing = this.top - memory.buffer.byteLength;
    if (missing > 0) {
      // grow by an eighth at least, so that growth stays rare
      const pages = Math.ceil(Math.max(missing, memory.buffer.byteLength / 8) / 65536);
      try {
        memory.grow(pages);
      } catch (cause) {
        this.top = ptr;
        throw new SottoError("internal", `out of memory: ${this.inUse} bytes of words are in use`, { cause });
      }
    }
    return ptr;
  }
}

/** Words set aside for a vector of n: whole groups, in steps of at most a quarter, so that lists are few. */
function capacity(n: number): number {
  const need = n + SLACK;
  let step = GROUP;
  while (need > step * 8) step *= 2;
  return Math.ceil(need / step) * step;
}
