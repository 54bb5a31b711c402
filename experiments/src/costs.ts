/** Time and bytes as the benchmark has recorded them, in the order in which papers show them. Nothing is measured here. */
import { readFileSync } from "node:fs";
import { digits, markdownTable } from "@sotto/bench/report";
import type { Spread } from "@sotto/bench/statistics";

/** What is read of bench/results; the files have more. */
export interface Recorded {
  sweep: {
    machine: string;
    results: {
      by: string;
      points: {
        value: number;
        onlineMs: number;
        offlineMs: number;
        onlineKilobytes: number;
        offlineKilobytes: number;
        rounds: number;
        error: number;
      }[];
    }[];
  };
  links: {
    machine: string;
    results: {
      roundTripMs: number;
      bitsPerSecond: number;
      workload: { name: string; profile?: string };
      onlineMs: Spread;
      totalMs: Spread;
      rounds: number;
      onlineBytes: number;
    }[];
  };
  latest: {
    machine: string;
    load?: { clients: number; perSecond: number; latencyMs: { median: number; p95: number } };
  };
}

const RESULTS = new URL("../../bench/results/", import.meta.url);

export function recorded(): Recorded {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`${name}.json`, RESULTS), "utf8"));
  return { sweep: read("sweep"), links: read("links"), latest: read("latest") };
}

const LETTERS: Record<string, string> = { hidden: "H", steps: "T", batch: "batch" };

/** @param base path of bench/results from the page. */
export function costTables({ sweep, links, latest }: Recorded, base: string): string {
  const sizes = markdownTable(
    [
      "",
      "rounds",
      "online ms",
      "offline ms",
      "kB between servers, each way",
      "kB from the dealer",
      "largest error",
    ],
    sweep.results.flatMap(({ by, points }) =>
      points.map((p) => [
        `${LETTERS[by] ?? by} = ${p.value}`,
        p.rounds,
        digits(p.onlineMs),
        digits(p.offlineMs),
        digits(p.onlineKilobytes),
        digits(p.offlineKilobytes),
        p.error.toExponential(1),
      ]),
    ),
  );
  const distances = markdownTable(
    [
      "round trip ms",
      "profile",
      "rounds",
      "kB between servers, each way",
      "online ms",
      "total ms at the client",
    ],
    links.results
      .filter((r) => r.workload.name === "text" && r.bitsPerSecond === 1e9)
      .map((r) => [
        r.roundTripMs,
        r.workload.profile ?? "lan",
        r.rounds,
        digits(r.onlineBytes / 1000),
        digits(r.onlineMs.median),
        digits(r.totalMs.median),
      ]),
  );
  const { load } = latest;
  return [
    `One size of T = 50, I = 100, H = 128, batch 1 changed at a time, on loopback ([all figures](${base}/sweep.md); ${sweep.machine}):`,
    sizes,
    `The same model on simulated links of 1 Gbit/s ([all figures](${base}/links.md); ${links.machine}):`,
    distances,
    ...(load
      ? [
          `With ${load.clients} clients at once a cluster served ${digits(load.perSecond)} sequences a second on two cores that all ` +
            `parties and clients shared; a client waited ${digits(load.latencyMs.median)} ms (median), ${digits(load.latencyMs.p95)} ms (95 %) ` +
            `([all figures](${base}/latest.md); ${latest.machine}).`,
        ]
      : []),
  ].join("\n\n");
}
