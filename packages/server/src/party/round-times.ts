/** When the rounds of a session were over, for a client that asks. The times depend on sizes and on load, not on values. */

/** Most times that are told: they travel in a header. */
export const MOST_TIMES = 256;

export interface RoundTimes {
  /** Every so many rounds have a time. */
  every: number;
  /** Milliseconds from the beginning of the first round; entry i is of round (i + 1) * every, the last of the last one. */
  ms: number[];
}

/** @param ends in ms, of each round. */
export function roundTimes(ends: readonly number[]): RoundTimes {
  const every = Math.max(1, Math.ceil(ends.length / MOST_TIMES));
  const told = ends.filter((_, i) => (i + 1) % every === 0 || i + 1 === ends.length);
  return { every, ms: told.map((ms) => Math.round(ms * 10) / 10) };
}
