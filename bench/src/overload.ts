/** More than the parties can do at once, a server that stands still, a slow dealer: what becomes of memory and clients. */
import type { Via } from "@sotto/cli/cluster";
import { connect, loadCluster } from "@sotto/client";
import { SottoError } from "@sotto/core";
import { LinkRelay } from "./link-relay.js";
import { Schedule } from "./link-schedule.js";
import { type Deployed, withModel } from "./private.js";
import { machineSeconds, residentMegabytes } from "./process-usage.js";
import { digits, markdownTable, writeResult } from "./report.js";
import { percentile } from "./statistics.js";
import { material, TEXT } from "./workloads.js";

const SAMPLE_MS = 50;
const CALL_MS = 150_000;
const STILL_MS = 5000;
/** After the last answer, until garbage may have been collected. */
const REST_MS = 3000;
const DEALER_LINK = { roundTripMs: 100, bitsPerSecond: 50e6 };

interface Scenario {
  name: string;
  clients: number;
  via?: Via;
  /** Runs beside the clients. */
  trouble?: (pids: readonly number[]) => Promise<void>;
}

interface Outcome {
  scenario: string;
  clients: number;
  seconds: number;
  results: number;
  attempts: number;
  errors: Record<string, number>;
  latencyMs: { median: number; max: number };
  /** Dealer, server 0, server 1, resident megabytes: before, at most, after. */
  megabytes: (number | undefined)[][];
  /** Cores that everything on the machine kept busy, this included. */
  coresBusy: number | undefined;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Server 1's process stands still for a while in the middle of it. */
async function standStill([, , server1]: readonly number[]): Promise<void> {
  await wait(3000);
  process.kill(server1!, "SIGSTOP");
  await wait(STILL_MS);
  process.kill(server1!, "SIGCONT");
}

const relays: LinkRelay[] = [];
const slowDealer: Via = async (link, port) => {
  if (link !== "dealer") return port;
  const relay = new LinkRelay(port, [new Schedule(DEALER_LINK), new Schedule(DEALER_LINK)]);
  relays.push(relay);
  return relay.listen();
};

const SCENARIOS: readonly Scenario[] = [
  { name: "200 clients at once", clients: 200 },
  { name: `server 1 stopped for ${STILL_MS / 1000} s`, clients: 50, trouble: standStill },
  {
    name: `dealer behind ${DEALER_LINK.roundTripMs} ms and ${DEALER_LINK.bitsPerSecond / 1e6} Mbit/s`,
    clients: 50,
    via: slowDealer,
  },
];

/** @returns the table, which is also written to results/overload.md. */
export async function overload(where: string): Promise<string> {
  const outcomes: Outcome[] = [];
  for (const scenario of SCENARIOS) {
    outcomes.push(await withModel(material(TEXT), TEXT, scenario.via, (d) => measure(scenario, d)));
    for (const relay of relays.splice(0)) relay.close();
  }
  const text = markdown(where, outcomes);
  writeResult("overload.json", { machine: where, outcomes });
  writeResult("overload.md", text);
  return text;
}

async function measure({ name, clients, trouble }: Scenario, deployed: Deployed): Promise<Outcome> {
  const { cluster, inputs } = deployed;
  // the owner's certificate has no limits of its own: what is measured is the servers' queue
  const all = Array.from({ length: clients }, () => connect(loadCluster(cluster.owner)));
  const models = [];
  for (const client of all) models.push(await client.model("bench", { timeoutMs: CALL_MS }));
  for (let run = 0; run < TEXT.warmUp; run++) await models[0]!.infer(inputs, { timeoutMs: CALL_MS });
  const read = () => cluster.pids.map(residentMegabytes);
  const before = read();
  const most = before.slice();
  const sampler = setInterval(() => {
    read().forEach((now, i) => {
      most[i] = Math.max(most[i] ?? 0, now ?? 0);
    });
  }, SAMPLE_MS);
  const errors: Record<string, number> = {};
  const latencies: number[] = [];
  let attempts = 0;
  const busyBefore = machineSeconds();
  const began = performance.now();
  const troubled = trouble?.(cluster.pids);
  await Promise.all(
    models.map(async (model) => {
      attempts++;
      const retried = (p: { stage: string }) => {
        if (p.stage === "retrying") attempts++;
      };
      try {
        await model.infer(inputs, { timeoutMs: CALL_MS, onProgress: retried });
        latencies.push(performance.now() - began);
      } catch (error) {
        const code = error instanceof SottoError ? error.code : "not an error of ours";
        errors[code] = (errors[code] ?? 0) + 1;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const busyAfter = machineSeconds();
  await troubled;
  await wait(REST_MS);
  clearInterval(sampler);
  const after = read();
  for (const client of all) client.close();
  return {
    scenario: name,
    clients,
    seconds,
    results: latencies.length,
    attempts,
    errors,
    latencyMs: { median: percentile(latencies, 0.5), max: Math.max(...latencies) },
    megabytes: before.map((mb, i) => [mb, most[i], after[i]]),
    coresBusy:
      busyBefore === undefined || busyAfter === undefined ? undefined : (busyAfter - busyBefore) / seconds,
  };
}

function markdown(where: string, outcomes: readonly Outcome[]): string {
  const head = ["", "results", "attempts", "errors", "s", "results/s", "latency s, median (max)"];
  const memory = ["MB before / at most / after: dealer", "server 0", "server 1", "cores busy"];
  const rows = outcomes.map((o) => [
    o.scenario,
    `${o.results} of ${o.clients}`,
    o.attempts,
    Object.entries(o.errors)
      .map(([code, n]) => `${n} ${code}`)
      .join(", ") || "none",
    digits(o.seconds),
    digits(o.results / o.seconds),
    `${digits(o.latencyMs.median / 1000)} (${digits(o.latencyMs.max / 1000)})`,
    ...o.megabytes.map((list) => list.map((mb) => Math.round(mb ?? 0)).join(" / ")),
    digits(o.coresBusy),
  ]);
  return [
    "# Overload",
    `${where}.`,
    "`npm run bench -- overload`: each client asks for one inference of `text`, all at the same moment, and tries again as the",
    "client library does. Resident memory of each process, sampled every 50 ms; before: with the model and after warm-up.",
    "*Cores busy* counts everything on the machine.",
    "",
    markdownTable([...head, ...memory], rows),
    "",
  ].join("\n");
}
