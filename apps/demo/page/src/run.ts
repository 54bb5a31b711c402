/** One private run, as the page shows it: what went out, what the servers saw, what it cost. */
import type { InferStats } from "@sotto/client";

/** Bytes of openings to ask for: the most that servers show. */
export const LOOK = 2048;

export interface Seen {
  /** This server's share of the input, as it was sent. */
  share: Uint8Array;
  /** The beginning of the other server's first message. */
  message: Uint8Array;
}

export interface Run {
  number: number;
  /** What the shares add up to: only who has both can do that. */
  input: Uint8Array;
  seen: [Seen, Seen];
  stats: InferStats;
}

/** @param shares as they were sent. @param bits of a word of theirs. */
export function runOf(
  number: number,
  shares: readonly [Uint8Array, Uint8Array],
  stats: InferStats,
  bits: number,
): Run {
  const seen = shares.map((share, i) => ({ share, message: fromHex(stats.saw[i]!.message) }));
  return { number, input: sum(shares, bits), seen: seen as [Seen, Seen], stats };
}

/** Several runs as one picture; the figures are the last one's. */
export function joined(runs: readonly Run[]): Run | undefined {
  const last = runs.at(-1);
  if (!last) return undefined;
  const seen = ([0, 1] as const).map((i) => ({
    share: concat(runs.map((run) => run.seen[i].share)),
    message: concat(runs.map((run) => run.seen[i].message)),
  }));
  return { ...last, input: concat(runs.map(({ input }) => input)), seen: seen as [Seen, Seen] };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The part of the bytes that are not as before. */
export function changed(before: Uint8Array, now: Uint8Array): number {
  const n = Math.min(before.length, now.length);
  let count = 0;
  for (let i = 0; i < n; i++) if (before[i] !== now[i]) count++;
  return n === 0 ? 0 : count / n;
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Adds packed words mod 2^bits, little-endian, bit by bit. */
export function sum([a, b]: readonly [Uint8Array, Uint8Array], bits: number): Uint8Array {
  const out = new Uint8Array(a.length);
  let carry = 0;
  for (let i = 0; i < a.length * 8; i++) {
    if (i % bits === 0) carry = 0;
    const total = bit(a, i) + bit(b, i) + carry;
    carry = total >> 1;
    out[i >> 3]! |= (total & 1) << (i & 7);
  }
  return out;
}

function bit(bytes: Uint8Array, i: number): number {
  return (bytes[i >> 3]! >> (i & 7)) & 1;
}
