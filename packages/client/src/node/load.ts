/** A cluster's description from a file. Relative paths in it are relative to the file. */
import { dirname, resolve } from "node:path";
import { readYaml } from "@sotto/wire/node";
import { z } from "zod";
import { type Cluster, withToken } from "../cluster.js";

const server = z.strictObject({
  url: z.url({ protocol: /^https$/, error: "expected an address https://host:port" }),
  token: z.string().min(1).optional(),
});
const path = z.string().min(1);

const cluster = z.strictObject({
  servers: z.tuple([server, server]),
  /** API token for both servers, for a client without a certificate. */
  token: z.string().min(1).optional(),
  tls: z.strictObject({ ca: path, cert: path.optional(), key: path.optional() }),
});

/**
 * @param env where SOTTO_TOKEN is looked for: it counts more than the file's token.
 * @throws SottoError bad-config naming the file, the key, what was expected and what was found.
 */
export function loadCluster(file: string, env: NodeJS.ProcessEnv = process.env): Cluster {
  const { servers, tls, token } = readYaml(file, cluster);
  const at = (p: string) => resolve(dirname(file), p);
  const { ca, cert, key } = tls;
  const own = {
    ...(cert === undefined ? {} : { cert: at(cert) }),
    ...(key === undefined ? {} : { key: at(key) }),
  };
  const loaded: Cluster = { servers, tls: { ca: at(ca), ...own } };
  return withToken(loaded, env.SOTTO_TOKEN || token);
}
