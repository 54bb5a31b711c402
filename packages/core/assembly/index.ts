// The kernels: loops over vectors of 64-bit words in linear memory. Everything here is mod 2^64
// unless a modulus is named; pointers are byte offsets, lengths are in elements.
// Nothing branches on, or indexes by, a secret word: conditions are on lengths and public values.

export { chacha20 } from "./chacha";
export * from "./deal";
export * from "./finish";
export * from "./linear";
export * from "./pack";
export * from "./point";
export * from "./select";
export * from "./vector";

/** First byte that the allocator may use. */
export function heapBase(): usize {
  return __heap_base;
}
