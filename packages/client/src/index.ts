/** The client in a browser: requests go through fetch. In Node the package's entry is node/index.ts. */
import type { Compiled } from "@sotto/core";
import { type Cluster, type HttpTransport, type Token, withToken } from "./cluster.js";
import { Client } from "./connect.js";
import { type DeployOptions, deployOver } from "./deploy.js";
import { fetchTransport } from "./fetch.js";

export * from "./api.js";

/** Connects to a cluster; nothing is sent before a model is asked for. */
export function connect(
  cluster: Cluster,
  options: { token?: Token; transport?: HttpTransport } = {},
): Client {
  return new Client(withToken(cluster, options.token), options.transport ?? fetchTransport);
}

/** Deploys a model. See deployOver(). */
export function deploy(cluster: Cluster, name: string, compiled: Compiled, options: DeployOptions = {}) {
  return deployOver(options.transport ?? fetchTransport, cluster, name, compiled, options);
}
