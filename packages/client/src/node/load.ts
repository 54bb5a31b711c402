/** A cluster's description from a file. Relative paths in it are relative to the file. */
import { dirname, resolve } from "node:path";
import { readYaml } from "@sotto/wire/node";
import { z } from "zod";
import type { Cluster } from "../cluster.js";

const server = z.strictObject({
  url: z.url({ protocol: /^https$/, error: "expected an address https://host:port" }),
});
const path = z.string().min(1);

const cluster = z.strictObject({
  servers: z.tuple([server, server]),
  tls: z.strictObject({ ca: path, cert: path, key: path }),
});

/** @throws SottoError bad-config naming the file, the key, what was expected and what was found. */
export function loadCluster(file: string): Cluster {
  const { servers, tls } = readYaml(file, cluster);
  const at = (p: string) => resolve(dirname(file), p);
  return { servers, tls: { ca: at(tls.ca), cert: at(tls.cert), key: at(tls.key) } };
}
