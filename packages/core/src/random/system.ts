/** Randomness from the operating system (or the browser's, which is the same). */

/** Source of fresh random bytes; tests pass a seeded one. */
export type RandomBytes = (length: number) => Uint8Array;

/** getRandomValues fills at most this many bytes a call. */
const MAX_CALL = 65536;

export const systemRandom: RandomBytes = (length) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += MAX_CALL) crypto.getRandomValues(bytes.subarray(at, at + MAX_CALL));
  return bytes;
};
