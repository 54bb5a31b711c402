/** The client in Node: HTTPS with a client certificate or a token. */
import type { Compiled } from "@sotto/core";
import { type Cluster, type HttpTransport, type Token, withToken } from "../cluster.js";
import { Client } from "../connect.js";
import { type Deployed, type DeployOptions, deployOver } from "../deploy.js";
import { httpsTransport } from "./https.js";

export * from "../api.js";
export { httpsTransport } from "./https.js";
export { loadCluster } from "./load.js";

/**
 * Connects to a cluster; nothing is sent before a model is asked for.
 * @throws SottoError bad-config for certificates that cannot be read.
 */
export function connect(
  cluster: Cluster,
  options: { token?: Token; transport?: HttpTransport } = {},
): Client {
  return new Client(withToken(cluster, options.token), options.transport ?? httpsTransport(cluster));
}

/**
 * The model owner deploys a model under a name and waits until both servers serve it. See deployOver().
 * @throws SottoError bad-config, bad-input, unreachable, tls, timeout, and what a server states.
 */
export async function deploy(
  cluster: Cluster,
  name: string,
  compiled: Compiled,
  options: DeployOptions = {},
): Promise<Deployed> {
  const transport = options.transport ?? httpsTransport(cluster);
  try {
    return await deployOver(transport, cluster, name, compiled, options);
  } finally {
    if (!options.transport) transport.close();
  }
}
