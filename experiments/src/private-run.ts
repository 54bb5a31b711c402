/** The run as a user gets it: dealer, two servers and clients as processes of their own over TLS on loopback. */
import { createHash } from "node:crypto";
import { percentile } from "@sotto/bench/statistics";
import { throwAwayCluster } from "@sotto/cli/cluster";
import { connect, deploy, type InferStats, loadCluster } from "@sotto/client";
import type { Compiled } from "@sotto/core";
import { Collector } from "./answers.js";
import type { OnDone } from "./plain-runs.js";
import type { LoadedSet } from "./set.js";

/** Samples that run privately, where the test part has as many. */
export const PRIVATE_SAMPLES = 500;
/** Clients at a time: enough to keep two cores busy while messages are on their way. */
export const CLIENTS = 4;
/** Longest call, on a machine that does other things. */
const CALL = { timeoutMs: 300_000 };

export interface PrivateTimes {
  clients: number;
  seconds: number;
  perSecond: number;
  /** Milliseconds at a client with the others beside it. */
  totalMs: { median: number; p95: number };
  /** Milliseconds of the rounds, at the servers. */
  onlineMs: { median: number; p95: number };
  /** The same at the client for one inference at a time, after the others; median of ALONE of them. */
  aloneMs: number;
  /** Of the largest inference. */
  rounds: number;
  onlineBytes: number;
  offlineBytes: number;
}

export interface PrivateRun {
  /** Numbers of the samples that ran, ascending. */
  indices: number[];
  collector: Collector;
  times: PrivateTimes;
}

/** Inferences one at a time, for the latency. */
const ALONE = 15;

/** Which samples run privately: always the same, spread over the set, which may be ordered by class. */
export function chosen(name: string, all: number, wanted: number): number[] {
  const rank = (i: number) => createHash("sha256").update(`${name} ${i}`).digest("hex");
  const ranked = Array.from({ length: all }, (_, i) => ({ i, rank: rank(i) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return ranked
    .slice(0, wanted)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
}

export async function runPrivate(
  set: LoadedSet,
  compiled: Compiled,
  output: string,
  indices: readonly number[],
  onDone: OnDone,
): Promise<PrivateRun> {
  const cluster = await throwAwayCluster({ sessionTimeoutMs: CALL.timeoutMs });
  try {
    await cluster.guard(deploy(loadCluster(cluster.owner), "experiment", compiled, CALL));
    const collector = new Collector(set.classes.length);
    const stats: InferStats[] = [];
    const open = async () => {
      const client = connect(loadCluster(cluster.client));
      const model = await client.model("experiment", CALL);
      const infer = async (index: number) => {
        const sample = set.samples[index]!;
        const options = { ...CALL, outside: "clip" as const };
        const result = await cluster.guard(model.infer(sample.inputs, options));
        collector.add(index, sample, result.outputs[output]!.data);
        return result.stats;
      };
      return { infer, close: () => client.close() };
    };
    const clients = await Promise.all(Array.from({ length: CLIENTS }, open));
    const began = performance.now();
    let next = 0;
    await Promise.all(
      clients.map(async ({ infer }) => {
        while (next < indices.length) {
          stats.push(await infer(indices[next++]!));
          onDone(stats.length);
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    const alone: number[] = [];
    for (const index of indices.slice(0, ALONE)) alone.push((await clients[0]!.infer(index)).totalMs);
    for (const client of clients) client.close();
    return { indices: [...indices], collector, times: timesOf(stats, seconds, alone) };
  } finally {
    await cluster.close();
  }
}

function timesOf(stats: readonly InferStats[], seconds: number, alone: readonly number[]): PrivateTimes {
  const quantiles = (of: (s: InferStats) => number) => {
    const values = stats.map(of);
    return { median: percentile(values, 0.5), p95: percentile(values, 0.95) };
  };
  const most = (of: (s: InferStats) => number) => stats.reduce((m, s) => Math.max(m, of(s)), 0);
  return {
    clients: CLIENTS,
    seconds,
    perSecond: stats.length / seconds,
    totalMs: quantiles((s) => s.totalMs),
    onlineMs: quantiles((s) => s.onlineMs),
    aloneMs: percentile(alone, 0.5),
    rounds: most((s) => s.rounds),
    onlineBytes: most((s) => s.onlineBytes),
    offlineBytes: most((s) => s.offlineBytes.server0 + s.offlineBytes.server1),
  };
}
