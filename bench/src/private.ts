/** Private inference as a user gets it: dealer, two servers and this client, four processes over TLS on loopback. */
import { throwAwayCluster } from "@sotto/cli/cluster";
import { connect, deploy, type InferStats, loadCluster } from "@sotto/client";
import { compile, type Plan } from "@sotto/core";
import { importOnnx } from "@sotto/model/onnx";
import { cpuSeconds, peakMegabytes } from "./process-usage.js";
import type { Workload } from "./workloads.js";

export interface PrivateRuns {
  plan: Plan;
  stats: InferStats[];
  /** Largest difference to the plaintext outputs. */
  error: number;
  /** CPU seconds an inference of dealer, server 0, server 1: everything counted. */
  cpuSeconds: (number | undefined)[];
  /** Peak resident megabytes of the three. */
  peakMegabytes: (number | undefined)[];
}

export async function privateRuns(
  onnx: Uint8Array,
  x: Float32Array,
  w: Workload,
  expected: Record<string, number[]>,
  warmUp: number,
): Promise<PrivateRuns> {
  const compiled = compile(importOnnx(onnx), { range: 2 });
  const cluster = await throwAwayCluster({});
  try {
    await deploy(loadCluster(cluster.owner), "bench", compiled);
    const client = connect(loadCluster(cluster.client));
    const model = await client.model("bench");
    const inputs = { x: { shape: [w.steps, w.batch, w.inputSize], data: x } };
    const stats: InferStats[] = [];
    let error = 0;
    let before: (number | undefined)[] = [];
    for (let run = 0; run < w.runs + warmUp; run++) {
      if (run === warmUp) before = cluster.pids.map(cpuSeconds);
      const result = await cluster.guard(model.infer(inputs));
      if (run >= warmUp) stats.push(result.stats);
      for (const [name, { data }] of Object.entries(result.outputs)) {
        data.forEach((v, i) => {
          error = Math.max(error, Math.abs(v - expected[name]![i]!));
        });
      }
    }
    const after = cluster.pids.map(cpuSeconds);
    client.close();
    return {
      plan: model.plan,
      stats,
      error,
      cpuSeconds: after.map((a, i) => (a === undefined ? undefined : (a - before[i]!) / w.runs)),
      peakMegabytes: cluster.pids.map(peakMegabytes),
    };
  } finally {
    await cluster.close();
  }
}
