/** Deployment to, and inference at, a cluster that a file describes. */

import { type Cluster, connect, deploy, loadCluster } from "@sotto/client";
import type { Compiled, NumberTensor, Plan } from "@sotto/core";
import { checkIdentity } from "./identity.js";
import type { Outputs } from "./outputs.js";
import type { RunStats } from "./result-report.js";

/** @throws SottoError bad-config, tls: what is wrong with the file, or with the certificates it names. */
export function openCluster(file: string): Cluster {
  const cluster = loadCluster(file);
  if (cluster.tls) checkIdentity(cluster.tls);
  return cluster;
}

export interface RemoteOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Shares a model between the servers. Returns the plan's hash, once both are ready. */
export async function deployTo(
  file: string,
  name: string,
  compiled: Compiled,
  options: RemoteOptions,
): Promise<string> {
  const { plan } = await deploy(openCluster(file), name, compiled, options);
  return plan;
}

export interface InferOptions extends RemoteOptions {
  /** The hash of the plan that must be served. */
  plan?: string;
  clip?: boolean;
}

export interface Inference {
  outputs: Outputs;
  stats: RunStats;
  plan: string;
}

/** One private inference. @param inputs is asked once the plan is known. */
export async function inferAt(
  file: string,
  name: string,
  inputs: (plan: Plan) => Promise<Record<string, NumberTensor>>,
  { plan, clip, ...options }: InferOptions,
): Promise<Inference> {
  const client = connect(openCluster(file));
  try {
    const model = await client.model(name, { ...(plan ? { plan } : {}), ...options });
    const values = await inputs(model.plan);
    const result = await model.infer(values, { ...options, outside: clip ? "clip" : "refuse" });
    return { ...result, plan: model.hash };
  } finally {
    client.close();
  }
}
