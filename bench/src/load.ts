/** Many clients at once: throughput, waiting, and what a session holds in memory. */
import { clientOf, cpuPerRun, withModel } from "./private.js";
import { cpuOfAll, machineSeconds, residentMegabytes } from "./process-usage.js";
import { percentile, type Spread, spread } from "./statistics.js";
import { material, type Workload } from "./workloads.js";

export const CLIENTS = 16;
const SECONDS = 20;
const SAMPLE_MS = 100;

export interface Load {
  clients: number;
  seconds: number;
  inferences: number;
  perSecond: number;
  /** Inferences a second if all cores did nothing but what one inference alone costs all four processes. */
  allowedPerSecond?: number;
  throughputToAllowed?: number;
  /** The part of the cores' time that the four processes used. */
  coresBusy?: number;
  /** The part that everything else on the machine used. */
  othersBusy?: number;
  /** At the client, one inference at a time before the load. */
  aloneMs: Spread;
  latencyMs: { median: number; p95: number; max: number };
  /** Servers: from the request's arrival until the rounds begin, and the rounds. */
  offlineMs: { median: number; p95: number };
  onlineMs: { median: number; p95: number };
  /** An inference's, under load: dealer, server 0, server 1, client. */
  cpuMs: (number | undefined)[];
  aloneCpuMs: (number | undefined)[];
  /** The dealer's part of dealer's and servers' CPU time. */
  dealerShare?: number;
  /** Resident megabytes of server 0 and 1: with the model and no session yet, and the most under load. */
  idleMegabytes: (number | undefined)[];
  loadedMegabytes: (number | undefined)[];
}

export function measureLoad(w: Workload, cores: number): Promise<Load> {
  return withModel(material(w), w, undefined, async (deployed) => {
    const { cluster } = deployed;
    const servers = cluster.pids.slice(1);
    const idleMegabytes = servers.map(residentMegabytes);
    const one = await clientOf(deployed);
    for (let run = 0; run < w.warmUp; run++) await one.infer();
    const atFirst = cpuOfAll(cluster.pids);
    const alone: number[] = [];
    for (let run = 0; run < w.runs; run++) alone.push((await one.infer()).stats.totalMs);
    const aloneCpu = cpuPerRun(atFirst, cpuOfAll(cluster.pids), w.runs);
    one.close();

    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => clientOf(deployed)));
    const most = idleMegabytes.slice();
    const sampler = setInterval(() => {
      servers.forEach((pid, i) => {
        const now = residentMegabytes(pid);
        if (now !== undefined) most[i] = Math.max(most[i] ?? 0, now);
      });
    }, SAMPLE_MS);
    const before = cpuOfAll(cluster.pids);
    const machineBefore = machineSeconds();
    const began = performance.now();
    const stats = (
      await Promise.all(
        clients.map(async ({ infer }) => {
          const mine = [];
          while (performance.now() - began < SECONDS * 1000) mine.push((await infer()).stats);
          return mine;
        }),
      )
    ).flat();
    // until the last one that was begun in time has ended: all that is counted, and all the time it took
    const seconds = (performance.now() - began) / 1000;
    const after = cpuOfAll(cluster.pids);
    const machineAfter = machineSeconds();
    clearInterval(sampler);
    for (const client of clients) client.close();

    const inMs = (s: number | undefined) => (s === undefined ? undefined : s * 1000);
    const cpu = cpuPerRun(before, after, stats.length);
    const perSecond = stats.length / seconds;
    const aloneSum = sum(aloneCpu);
    const allowedPerSecond = aloneSum === undefined ? undefined : cores / aloneSum;
    const busy = sum(cpu);
    const coresBusy = busy === undefined ? undefined : (busy * perSecond) / cores;
    const allBusy =
      machineBefore === undefined || machineAfter === undefined
        ? undefined
        : (machineAfter - machineBefore) / seconds / cores;
    const three = sum(cpu.slice(0, 3));
    const quantiles = (values: number[]) => ({
      median: percentile(values, 0.5),
      p95: percentile(values, 0.95),
    });
    const latencies = stats.map((s) => s.totalMs);
    return {
      clients: CLIENTS,
      seconds,
      inferences: stats.length,
      perSecond,
      allowedPerSecond,
      throughputToAllowed: allowedPerSecond && perSecond / allowedPerSecond,
      coresBusy,
      othersBusy: allBusy === undefined || coresBusy === undefined ? undefined : allBusy - coresBusy,
      aloneMs: spread(alone),
      latencyMs: { ...quantiles(latencies), max: Math.max(...latencies) },
      offlineMs: quantiles(stats.map((s) => s.offlineMs)),
      onlineMs: quantiles(stats.map((s) => s.onlineMs)),
      cpuMs: cpu.map(inMs),
      aloneCpuMs: aloneCpu.map(inMs),
      dealerShare: three === undefined ? undefined : cpu[0]! / three,
      idleMegabytes,
      loadedMegabytes: most,
    };
  });
}

function sum(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((total, v) => (total === undefined || v === undefined ? undefined : total + v), 0);
}
