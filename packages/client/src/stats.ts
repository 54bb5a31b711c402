/** What a private run was, put together from both servers' measurements. */
import * as z from "zod/mini";

const saw = z.object({ input: z.string(), message: z.string() });

const roundTimes = z.object({ every: z.int().check(z.minimum(1)), ms: z.array(z.number()) });

/** `ms[i]`, from the beginning of the first round, is when round (i + 1) * every was over, the last one when the last was. */
export type RoundTimes = z.infer<typeof roundTimes>;

/** The header sotto-stats of one server. */
export const serverStats = z.object({
  onlineMs: z.number(),
  offlineMs: z.number(),
  rounds: z.number(),
  onlineBytes: z.number(),
  offlineBytes: z.number(),
  saw,
  roundTimes: z.optional(roundTimes),
});
export type ServerStats = z.infer<typeof serverStats>;

/** First bytes, hex, of what a server received: its input share, and the other server's first message. */
export type Saw = z.infer<typeof saw>;

export interface InferStats {
  /** From the first round's message until the result, on the slower server. */
  onlineMs: number;
  /** From the request's arrival until all randomness is prepared and the other server is there; the slower one. */
  offlineMs: number;
  /** Exchanges between the servers. */
  rounds: number;
  /** Sent by each server to the other, frames included. */
  onlineBytes: number;
  /** From the dealer to each server, frames included. */
  offlineBytes: { server0: number; server1: number };
  /** At the client: from sharing the input until the result is put together. */
  totalMs: number;
  saw: [Saw, Saw];
  /** With `roundTimes`: when rounds were over at the slower server. */
  roundTimes?: RoundTimes;
}

export function merge(a: ServerStats, b: ServerStats, totalMs: number): InferStats {
  const slower = a.onlineMs > b.onlineMs ? a : b;
  return {
    onlineMs: slower.onlineMs,
    offlineMs: Math.max(a.offlineMs, b.offlineMs),
    rounds: Math.max(a.rounds, b.rounds),
    onlineBytes: Math.max(a.onlineBytes, b.onlineBytes),
    offlineBytes: { server0: a.offlineBytes, server1: b.offlineBytes },
    totalMs,
    saw: [a.saw, b.saw],
    ...(slower.roundTimes ? { roundTimes: slower.roundTimes } : {}),
  };
}
