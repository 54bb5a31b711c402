/** Private inference as a user gets it: dealer, two servers and this client, four processes over TLS on loopback. */
import { type LocalCluster, throwAwayCluster, type Via } from "@sotto/cli/cluster";
import { connect, deploy, type InferResult, loadCluster, type RemoteModel } from "@sotto/client";
import { compile, type NumberTensor } from "@sotto/core";
import { importOnnx } from "@sotto/model/onnx";
import { INPUT_RANGE, type Material, type Workload } from "./workloads.js";

/** Longest call; simulated links are slow. */
const CALL = { timeoutMs: 180_000 };

export interface Deployed {
  cluster: LocalCluster;
  inputs: Record<string, NumberTensor>;
}

/** A cluster with the workload's model, for as long as `work` takes. Nothing is made ahead of demand unless `limits` says so. */
export async function withModel<T>(
  { onnx, x }: Material,
  w: Workload,
  via: Via | undefined,
  work: (deployed: Deployed) => Promise<T>,
  limits: { pool?: number } = {},
): Promise<T> {
  const compiled = compile(importOnnx(onnx), { range: INPUT_RANGE, profile: w.profile });
  const cluster = await throwAwayCluster({ sessionTimeoutMs: CALL.timeoutMs, ...limits }, via);
  try {
    await deploy(loadCluster(cluster.owner), "bench", compiled, CALL);
    return await work({ cluster, inputs: { x: { shape: [w.steps, w.batch, w.inputSize], data: x } } });
  } finally {
    await cluster.close();
  }
}

export interface PrivateClient {
  model: RemoteModel;
  infer: () => Promise<InferResult>;
  close: () => void;
}

/** A client with connections of its own. */
export async function clientOf({ cluster, inputs }: Deployed): Promise<PrivateClient> {
  const client = connect(loadCluster(cluster.client));
  const model = await client.model("bench", CALL);
  return {
    model,
    infer: () => cluster.guard(model.infer(inputs, CALL)),
    close: () => client.close(),
  };
}

/** The difference of CPU times, for each of `runs`. */
export function cpuPerRun(
  before: readonly (number | undefined)[],
  after: readonly (number | undefined)[],
  runs: number,
): (number | undefined)[] {
  return after.map((a, i) => (a === undefined ? undefined : (a - before[i]!) / runs));
}
