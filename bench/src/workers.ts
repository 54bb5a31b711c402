/** Throughput and CPU time of an inference against the number of workers of each party (docs/scaling.md). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { throwAwayCluster } from "@sotto/cli/cluster";
import { PARTY_NAMES, WorkerCluster } from "@sotto/cli/workers";
import { connect, deploy, loadCluster } from "@sotto/client";
import { compile } from "@sotto/core";
import { importOnnx } from "@sotto/model/onnx";
import { cpuSeconds, machineSeconds } from "./process-usage.js";
import { digits, markdownTable, writeResult } from "./report.js";
import { percentile } from "./statistics.js";
import { INPUT_RANGE, material, TEXT } from "./workloads.js";

const CLIENTS = 8;
const SECONDS = Number(process.env.SOTTO_BENCH_SECONDS ?? 20);
const WORKERS = [1, 2, 3];
const CALL = { timeoutMs: 180_000, retries: 20 };

/** Process numbers, by what their CPU time counts for. */
type Pids = Record<"dealer" | "server 0" | "server 1" | "fronts" | "NATS", number[]>;

interface Running {
  owner: string;
  client: string;
  pids: Pids;
  close(): Promise<void>;
}

interface Outcome {
  workers: number;
  inferences: number;
  seconds: number;
  latencyMs: { median: number; p95: number };
  cpuMs: Record<keyof Pids, number>;
  coresBusy: number | undefined;
}

/** @returns the table, which is also written to results/workers.md. */
export async function workers(where: string): Promise<string> {
  const outcomes: Outcome[] = [await measured(0, await embedded())];
  for (const n of WORKERS) outcomes.push(await measured(n, await several(n)));
  const text = markdown(where, outcomes);
  writeResult("workers.json", { machine: where, clients: CLIENTS, outcomes });
  writeResult("workers.md", text);
  return text;
}

async function embedded(): Promise<Running> {
  const cluster = await throwAwayCluster({ sessionTimeoutMs: CALL.timeoutMs });
  const [dealer, s0, s1] = cluster.pids;
  const pids = { dealer: [dealer!], "server 0": [s0!], "server 1": [s1!], fronts: [], NATS: [] };
  return { ...cluster, pids, close: () => cluster.close() };
}

async function several(n: number): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), "sotto-bench-"));
  const cluster = await WorkerCluster.start(dir, { workers: n, level: "warn" });
  const of = (i: number) => cluster.of(PARTY_NAMES[i]!).map((w) => w.child.pid!);
  return {
    owner: cluster.owner,
    client: cluster.client,
    pids: {
      dealer: of(0),
      "server 0": of(1),
      "server 1": of(2),
      fronts: cluster.fronts.map((f) => f.child.pid!),
      NATS: Object.values(cluster.nats).map((nats) => nats.pid!),
    },
    close: async () => {
      await cluster.close();
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function measured(n: number, running: Running): Promise<Outcome> {
  try {
    const { onnx, x } = material(TEXT);
    const compiled = compile(importOnnx(onnx), { range: INPUT_RANGE });
    await deploy(loadCluster(running.owner), "bench", compiled, CALL);
    const inputs = { x: { shape: [TEXT.steps, TEXT.batch, TEXT.inputSize], data: x } };
    const clients = Array.from({ length: CLIENTS }, () => connect(loadCluster(running.owner)));
    const models = await Promise.all(clients.map((c) => c.model("bench", CALL)));
    // every process is asked as often before it counts: the first runs of one take more time
    for (let run = 0; run < (TEXT.warmUp + 2) * Math.max(1, n); run++) {
      await Promise.all(models.map((m) => m.infer(inputs, CALL)));
    }
    const before = usage(running.pids);
    const busyBefore = machineSeconds();
    const began = performance.now();
    const latencies: number[] = [];
    await Promise.all(
      models.map(async (model) => {
        while (performance.now() - began < SECONDS * 1000) {
          const { stats } = await model.infer(inputs, CALL);
          latencies.push(stats.totalMs);
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    const after = usage(running.pids);
    const busyAfter = machineSeconds();
    for (const client of clients) client.close();
    const cpuMs = {} as Outcome["cpuMs"];
    for (const part of Object.keys(after) as (keyof Pids)[]) {
      cpuMs[part] = ((after[part] - before[part]) / latencies.length) * 1000;
    }
    return {
      workers: n,
      inferences: latencies.length,
      seconds,
      latencyMs: { median: percentile(latencies, 0.5), p95: percentile(latencies, 0.95) },
      cpuMs,
      coresBusy:
        busyBefore === undefined || busyAfter === undefined ? undefined : (busyAfter - busyBefore) / seconds,
    };
  } finally {
    await running.close();
  }
}

function usage(pids: Pids): Record<keyof Pids, number> {
  const seconds = {} as Record<keyof Pids, number>;
  for (const [part, list] of Object.entries(pids) as [keyof Pids, number[]][]) {
    seconds[part] = list.reduce((sum, pid) => sum + (cpuSeconds(pid) ?? 0), 0);
  }
  return seconds;
}

function markdown(where: string, outcomes: readonly Outcome[]): string {
  const parts = Object.keys(outcomes[0]!.cpuMs) as (keyof Pids)[];
  const head = [
    "workers of each party",
    "inferences/s",
    "latency ms, median (95 %)",
    ...parts.map((part) => `CPU ms: ${part}`),
    "all of them",
    "cores busy",
  ];
  const rows = outcomes.map((o) => [
    o.workers === 0 ? "three processes, no NATS" : o.workers,
    digits(o.inferences / o.seconds),
    `${digits(o.latencyMs.median)} (${digits(o.latencyMs.p95)})`,
    ...parts.map((part) => digits(o.cpuMs[part])),
    digits(Object.values(o.cpuMs).reduce((a, b) => a + b, 0)),
    digits(o.coresBusy),
  ]);
  return [
    "# Workers",
    `${where}.`,
    `\`npm run bench -- workers\`: ${CLIENTS} clients ask for \`text\` for ${SECONDS} s, all processes on this one machine, three NATS servers`,
    "among them. CPU time is that of an inference, over all processes of a kind, clients not counted. *Cores busy* counts everything on",
    "the machine: where that is all there are, more workers cannot give more inferences, and what shows is whether the CPU time of one",
    "stays what it is.",
    "",
    markdownTable(head, rows),
    "",
  ].join("\n");
}
