/** One workload beside its floors. Runs of all three take turns, so that whatever else the machine does meets all alike. */
import type { Via } from "@sotto/cli/cluster";
import type { InferResult } from "@sotto/client";
import { cost, instantiate, type Plan, roundBytes } from "@sotto/core";
import { pause } from "./pause.js";
import { PingPong } from "./ping-pong.js";
import { Plaintext } from "./plaintext.js";
import { clientOf, cpuPerRun, withModel } from "./private.js";
import { cpuSeconds, peakMegabytes } from "./process-usage.js";
import { type Spread, spread } from "./statistics.js";
import { material, type Workload } from "./workloads.js";

export interface Result {
  workload: Workload;
  onlineMs: Spread;
  offlineMs: Spread;
  totalMs: Spread;
  /** totalMs of the first inference after the processes have started, which is not counted above. */
  firstTotalMs: number;
  pingPongMs: Spread;
  plaintextMs: Spread;
  rounds: number;
  onlineBytes: number;
  offlineBytes: { server0: number; server1: number };
  /** Largest difference of any output to the plaintext's. */
  error: number;
  /** An inference's. */
  cpuMs: { dealer?: number; server0?: number; server1?: number; client: number };
  peakMegabytes: { dealer?: number; server0?: number; server1?: number };
  ratios: {
    /** Of the medians; and the spread of the ratios of runs that followed each other. */
    onlineToPingPong: number;
    onlineToPingPongByRun: Spread;
    serverCpuToPlaintext?: number;
  };
}

/** @param via what lies between all parties, and between the processes of the ping-pong. */
export async function measure(workload: Workload, via?: (port: number) => Promise<number>): Promise<Result> {
  const given = material(workload);
  const plain = await Plaintext.open(given, workload);
  const links: Via | undefined = via && ((_, port) => via(port));
  const result = await withModel(given, workload, links, async (deployed) => {
    const client = await clientOf(deployed);
    const floor = await PingPong.open(messageSizes(client.model.plan), via);
    try {
      return await takeTurns(workload, deployed.cluster.pids, client.infer, floor, plain);
    } finally {
      client.close();
      await floor.close();
    }
  });
  await plain.close();
  return result;
}

async function takeTurns(
  workload: Workload,
  pids: readonly number[],
  infer: () => Promise<InferResult>,
  floor: PingPong,
  plain: Plaintext,
): Promise<Result> {
  const stats: InferResult["stats"][] = [];
  const [pingPongMs, plaintextMs]: [number[], number[]] = [[], []];
  let [error, clientMs, firstTotalMs] = [0, 0, 0];
  let before: (number | undefined)[] = [];
  for (let run = -workload.warmUp; run < workload.runs; run++) {
    if (run === 0) {
      before = pids.map(cpuSeconds);
      clientMs = 0;
    }
    const clientBefore = process.cpuUsage();
    const result = await infer();
    const used = process.cpuUsage(clientBefore);
    clientMs += (used.user + used.system) / 1000;
    await pause();
    const bare = await floor.run();
    await pause();
    const { ms, outputs } = await plain.run();
    error = Math.max(error, difference(result.outputs, outputs));
    if (run === -workload.warmUp) firstTotalMs = result.stats.totalMs;
    if (run < 0) continue;
    stats.push(result.stats);
    pingPongMs.push(bare);
    plaintextMs.push(ms);
  }
  const cpu = cpuPerRun(before, pids.map(cpuSeconds), workload.runs);
  const [dealer, server0, server1] = cpu.map((s) => (s === undefined ? s : s * 1000));
  const [dealerPeak, peak0, peak1] = pids.map(peakMegabytes);
  const of = (pick: (s: InferResult["stats"]) => number) => spread(stats.map(pick));
  const { rounds, onlineBytes, offlineBytes } = stats[0]!;
  const online = of((s) => s.onlineMs);
  const [bare, plaintext] = [spread(pingPongMs), spread(plaintextMs)];
  const server = server0 === undefined ? undefined : Math.max(server0, server1 ?? 0);
  return {
    workload,
    onlineMs: online,
    offlineMs: of((s) => s.offlineMs),
    totalMs: of((s) => s.totalMs),
    firstTotalMs,
    pingPongMs: bare,
    plaintextMs: plaintext,
    rounds,
    onlineBytes,
    offlineBytes,
    error,
    cpuMs: { dealer, server0, server1, client: clientMs / workload.runs },
    peakMegabytes: { dealer: dealerPeak, server0: peak0, server1: peak1 },
    ratios: {
      onlineToPingPong: online.median / bare.median,
      onlineToPingPongByRun: spread(stats.map((s, i) => s.onlineMs / pingPongMs[i]!)),
      serverCpuToPlaintext: server === undefined ? undefined : server / plaintext.median,
    },
  };
}

/** The largest difference of any output. */
function difference(outputs: InferResult["outputs"], expected: Record<string, Float32Array>): number {
  let most = 0;
  for (const [name, { data }] of Object.entries(outputs)) {
    data.forEach((v, i) => {
      most = Math.max(most, Math.abs(v - expected[name]![i]!));
    });
  }
  return most;
}

/** Payload bytes of every round. */
function messageSizes(plan: Plan): number[] {
  const { program } = instantiate(plan, {});
  return Array.from({ length: cost(program).rounds }, (_, i) => roundBytes(program, i + 1));
}
