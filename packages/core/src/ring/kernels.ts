/** The compiled kernels (assembly/*.ts). Pointers are byte offsets in `memory`; see there for each one's meaning. */
import { kernelsBase64 } from "./kernels.wasm.js";

type Pointer = number;

export interface Kernels {
  memory: WebAssembly.Memory;
  heapBase(): number;
  add(dst: Pointer, a: Pointer, b: Pointer, n: number): void;
  sub(dst: Pointer, a: Pointer, b: Pointer, n: number): void;
  mul(dst: Pointer, a: Pointer, b: Pointer, n: number): void;
  addConstant(dst: Pointer, a: Pointer, c: number, n: number): void;
  mulConstant(dst: Pointer, a: Pointer, c: number, n: number): void;
  addRow(dst: Pointer, a: Pointer, row: Pointer, rows: number, n: number): void;
  mulRow(dst: Pointer, a: Pointer, row: Pointer, rows: number, n: number): void;
  reduce(dst: Pointer, a: Pointer, bits: number, n: number): void;
  shiftLeft(dst: Pointer, a: Pointer, bits: number, n: number): void;
  shiftRight(dst: Pointer, a: Pointer, modulus: number, shift: number, increment: number, n: number): void;
  gather(dst: Pointer, a: Pointer, index: Pointer, n: number): void;
  encode(dst: Pointer, a: Pointer, factor: number, n: number): void;
  decode(dst: Pointer, a: Pointer, modulus: number, factor: number, n: number): void;
  pack(dst: Pointer, src: Pointer, n: number, bits: number): void;
  unpack(dst: Pointer, src: Pointer, n: number, bits: number): void;
  unpackAdd(dst: Pointer, src: Pointer, n: number, bits: number): void;
  multiplyAdd(out: Pointer, W: Pointer, x: Pointer, rows: number, outer: number, inner: number): void;
  splitLimbs(dst: Pointer, src: Pointer, rows: number, inner: number): void;
  multiplyAddLimbs(out: Pointer, W: Pointer, x: Pointer, rows: number, outer: number, inner: number): void;
  chacha20(dst: Pointer, groups: number, key: Pointer, nonce0: number, nonce1: number, nonce2: number): void;
  select(
    out: Pointer,
    xhat: Pointer,
    e: Pointer,
    n: number,
    nodeBits: number,
    s: number,
    table: Pointer,
    window: number,
    low: number,
    high: number,
    negative: number,
  ): void;
  lift(
    value: Pointer,
    wrap: Pointer,
    opened: Pointer,
    n: number,
    modulus: number,
    shift: number,
    offset: number,
  ): void;
  finish(out: Pointer, n: number, u: Pointer, xhat: Pointer, s: number, D: Pointer): void;
  finishProduct(
    out: Pointer,
    n: number,
    u: Pointer,
    xhat: Pointer,
    s: number,
    a: Pointer,
    wrap: Pointer,
    D: Pointer,
    E: Pointer,
    F: Pointer,
    negative: number,
  ): void;
  liftedProduct(
    out: Pointer,
    n: number,
    va: Pointer,
    vq: Pointer,
    wa: Pointer,
    wq: Pointer,
    P: Pointer,
    index: number,
  ): void;
  expandPoints(
    E: Pointer,
    nodes: Pointer,
    roots: Pointer,
    tree: Pointer,
    leaf: Pointer,
    n: number,
    levels: number,
    inside: number,
    widths: Pointer,
    words: number,
    blocksEach: number,
    index: number,
    salt: Pointer,
    first: number,
    last: number,
  ): void;
  dealPoints(
    tree: Pointer,
    leaf: Pointer,
    roots0: Pointer,
    roots1: Pointer,
    m: Pointer,
    s: number,
    payload: Pointer,
    n: number,
    levels: number,
    inside: number,
    widths: Pointer,
    words: number,
    blocksEach: number,
    salt: Pointer,
  ): void;
  lookup(
    out: Pointer,
    xhat: Pointer,
    E: Pointer,
    n: number,
    nodeBits: number,
    s: number,
    table: Pointer,
    factors: number,
    first: number,
    last: number,
  ): void;
  scale(out: Pointer, n: number, planes: Pointer, a: Pointer, wrap: Pointer, negative: number): void;
  flipSelected(e: Pointer, sigma: Pointer, m: Pointer, n: number, nodeBits: number, s: number): void;
  selectedValues(D: Pointer, sigma: Pointer, m: Pointer, mu: Pointer, n: number, s: number): void;
}

/** A fresh instance with a memory of its own. */
export async function instantiateKernels(): Promise<Kernels> {
  const bytes = Uint8Array.from(atob(kernelsBase64), (c) => c.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes, {
    env: {
      abort: () => {
        throw new Error("kernel aborted");
      },
    },
  });
  return instance.exports as unknown as Kernels;
}
