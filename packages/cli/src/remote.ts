/** Deployment to, and inference at, a cluster that a file describes. */

import {
  type Client,
  type Cluster,
  connect,
  type Deployed,
  deploy,
  type ListedModel,
  loadCluster,
} from "@sotto/client";
import type { Compiled, NumberTensor, Plan } from "@sotto/core";
import { checkIdentity } from "./identity.js";
import type { Outputs } from "./outputs.js";
import type { RunStats } from "./result-report.js";

/** @throws SottoError bad-config, tls: what is wrong with the file, or with the certificates it names. */
export function openCluster(file: string): Cluster {
  const cluster = loadCluster(file);
  const { ca, cert, key } = cluster.tls ?? {};
  // a client with a token shows no certificate
  if (ca !== undefined && cert !== undefined && key !== undefined) checkIdentity({ ca, cert, key });
  return cluster;
}

export interface RemoteOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Shares a model between the servers, and returns once both are ready. */
export async function deployTo(
  file: string,
  name: string,
  compiled: Compiled,
  options: RemoteOptions,
): Promise<Deployed> {
  return deploy(openCluster(file), name, compiled, options);
}

/** The shortest round trip between the servers. */
export function roundTripAt(file: string, options: RemoteOptions): Promise<number | undefined> {
  return asked(file, (client) => client.roundTripMs(options));
}

/** What each server holds. */
export function modelsAt(file: string, options: RemoteOptions): Promise<ListedModel[]> {
  return asked(file, (client) => client.list(options));
}

export function removeAt(file: string, name: string, options: RemoteOptions): Promise<void> {
  return asked(file, (client) => client.remove(name, options));
}

async function asked<T>(file: string, what: (client: Client) => Promise<T>): Promise<T> {
  const client = connect(openCluster(file));
  try {
    return await what(client);
  } finally {
    client.close();
  }
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
