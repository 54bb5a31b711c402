/** The same run over simulated links between all parties: where rounds and bytes show. */
import type { Profile } from "@sotto/core";
import { LinkProcess } from "./link-process.js";
import type { LinkSpec } from "./link-schedule.js";
import { measure, type Result } from "./measure.js";
import { pause } from "./pause.js";
import { PingPong } from "./ping-pong.js";
import { digits, markdownTable, withSpread, writeResult } from "./report.js";
import { type Spread, spread } from "./statistics.js";
import { WORKLOADS } from "./workloads.js";

const RATES = [1e9, 1e8];
/** Round trips in ms, and how many runs there are of each; the slow ones are as good as free of noise. */
const ROUND_TRIPS: readonly { ms: number; runs: number; warmUp: number }[] = [
  { ms: 0.1, runs: 9, warmUp: 3 },
  { ms: 1, runs: 7, warmUp: 2 },
  { ms: 20, runs: 3, warmUp: 1 },
  { ms: 80, runs: 2, warmUp: 1 },
];
/** A batch has 32 times the bytes, and takes its time. */
const CHOSEN: readonly { name: string; profile?: Profile; roundTrips: typeof ROUND_TRIPS }[] = [
  { name: "text", roundTrips: ROUND_TRIPS },
  { name: "text", profile: "wan", roundTrips: ROUND_TRIPS },
  { name: "text32", roundTrips: [{ ms: 20, runs: 2, warmUp: 1 }] },
];
const PINGS = { runs: 25, warmUp: 5 };
const UNLIMITED: LinkSpec = { roundTripMs: 0, bitsPerSecond: 1e12 };

interface LinkResult extends LinkSpec, Result {
  /** Round trip of a bare ping over this link. */
  pingMs: Spread;
  /** Half a round trip for each round, and the time that the bytes take at this rate. */
  latencyMs: number;
  bytesMs: number;
}

export async function links(machine: string): Promise<void> {
  const relays = new LinkProcess();
  try {
    const direct = await ping(PINGS);
    // what loopback, TLS, both processes and the relay take is left out of the delay, as far as there is any
    const bare = await ping(PINGS, (port) => relays.open(port, UNLIMITED, 0));
    const results: LinkResult[] = [];
    for (const { name, profile = "lan", roundTrips } of CHOSEN) {
      const workload = { ...WORKLOADS.find((w) => w.name === name)!, profile };
      for (const bitsPerSecond of RATES) {
        for (const { ms: roundTripMs, ...counts } of roundTrips) {
          const link = { roundTripMs, bitsPerSecond };
          console.error(
            `links: ${name}, profile ${profile}, ${roundTripMs} ms, ${bitsPerSecond / 1e6} Mbit/s ...`,
          );
          const over = (port: number) => relays.open(port, link, bare.median);
          const pingMs = await ping(PINGS, over);
          const result = await measure({ ...workload, ...counts }, over);
          results.push({
            ...link,
            ...result,
            pingMs,
            latencyMs: (result.rounds * roundTripMs) / 2,
            bytesMs: (result.onlineBytes * 8000) / bitsPerSecond,
          });
        }
      }
    }
    writeResult("links.json", { machine, directPingMs: direct, relayPingMs: bare, results });
    writeResult("links.md", markdown(machine, direct, bare, results));
  } finally {
    relays.close();
  }
}

/** Round trips of a message of one byte. */
async function ping(
  { runs, warmUp }: typeof PINGS,
  via?: (port: number) => Promise<number>,
): Promise<Spread> {
  const exchange = await PingPong.open([1], via);
  const times: number[] = [];
  for (let run = -warmUp; run < runs; run++) {
    const ms = await exchange.run();
    if (run >= 0) times.push(ms);
    await pause();
  }
  await exchange.close();
  return spread(times);
}

function markdown(machine: string, direct: Spread, bare: Spread, results: readonly LinkResult[]): string {
  const head = [
    "workload",
    "profile",
    "round trip ms",
    "Mbit/s",
    "measured ping ms",
    "online ms",
    "bare ping-pong ms",
    "online / ping-pong",
    "rounds x half a round trip ms",
    "bytes at this rate ms",
    "offline ms",
    "total at the client ms",
  ];
  const rows = results.map((r) => [
    r.workload.name,
    r.workload.profile ?? "lan",
    r.roundTripMs,
    r.bitsPerSecond / 1e6,
    withSpread(r.pingMs),
    withSpread(r.onlineMs),
    withSpread(r.pingPongMs),
    digits(r.ratios.onlineToPingPong),
    digits(r.latencyMs),
    digits(r.bytesMs),
    withSpread(r.offlineMs),
    withSpread(r.totalMs),
  ]);
  return `# Simulated links

${machine}. Medians, with minimum and maximum in brackets; how each is taken: [../README.md](../README.md).

All links are alike: between the servers, from the client to each, and from each to the dealer. Both servers send at once in
every round, so a round takes half a round trip. A bare ping takes ${withSpread(direct)} ms on loopback without the relay, and
${withSpread(bare)} ms through it without delay; no shorter round trip than that can be simulated here.

${markdownTable(head, rows)}
`;
}
