/** Plain requests to a server's API, for tests. */
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { request } from "node:https";
import type { Cluster } from "@sotto/client";

export interface PlainReply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json(): unknown;
}

/** @param cluster whose certificate, if it has one, is shown. */
export function http(
  cluster: Cluster,
  server: 0 | 1,
  method: string,
  path: string,
  given: { headers?: Record<string, string>; body?: Uint8Array | string } = {},
): Promise<PlainReply> {
  const { ca, cert, key } = cluster.tls!;
  const read = (name: string | undefined) => (name === undefined ? undefined : readFileSync(name));
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${cluster.servers[server].url}${path}`,
      { method, headers: given.headers ?? {}, agent: false, ca: read(ca), cert: read(cert), key: read(key) },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on("data", (chunk: Buffer) => chunks.push(chunk));
        reply.on("error", reject);
        reply.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const { statusCode = 0, headers } = reply;
          resolve({ status: statusCode, headers, text, json: () => JSON.parse(text) });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(given.body);
  });
}
