/** Answers for metrics and health: GET only, nothing secret, on an address of its own. */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { SottoError } from "@sotto/core";
import { asSottoError, stateError } from "@sotto/wire";
import type { Registry } from "prom-client";
import { addressOf, type MetricsConfig } from "./config.js";

const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 100;
const JSON_TYPE = "application/json; charset=utf-8";

export interface MetricsListener {
  port: number;
  close(): Promise<void>;
}

/**
 * @param checkReady throws a SottoError that says why this party cannot serve now.
 * @throws SottoError bad-config: a file that cannot be read, an address that cannot be listened on.
 */
export async function listenForMetrics(
  config: MetricsConfig,
  registry: Pick<Registry, "metrics" | "getMetricsAsJSON" | "contentType">,
  checkReady: () => void,
): Promise<MetricsListener> {
  const answer = async (path: string): Promise<[status: number, type: string, body: string]> => {
    switch (path) {
      case "/metrics":
        return [200, registry.contentType, await registry.metrics()];
      case "/metrics.json":
        return [200, JSON_TYPE, JSON.stringify(await registry.getMetricsAsJSON())];
      case "/v2/health/live":
        return [200, JSON_TYPE, JSON.stringify({ live: true })];
      case "/v2/health/ready":
        try {
          checkReady();
          return [200, JSON_TYPE, JSON.stringify({ ready: true })];
        } catch (error) {
          return [503, JSON_TYPE, JSON.stringify({ ready: false, ...stateError(error) })];
        }
      default:
        return [404, JSON_TYPE, JSON.stringify({ code: "not-found", message: "/metrics, /v2/health/ready" })];
    }
  };
  const server = makeServer(config, (request, reply) => {
    const path = (request.url ?? "").split("?")[0]!;
    const allowed = request.method === "GET" || request.method === "HEAD";
    const answered = allowed
      ? answer(path)
      : Promise.resolve([405, JSON_TYPE, '{"code":"not-found","message":"GET only"}'] as const);
    answered.then(
      ([status, type, body]) => {
        reply.writeHead(status, { "content-type": type, "cache-control": "no-store" });
        reply.end(request.method === "HEAD" ? undefined : body);
      },
      (error) => {
        reply.writeHead(500, { "content-type": JSON_TYPE });
        reply.end(JSON.stringify(stateError(asSottoError(error))));
      },
    );
  });
  server.requestTimeout = TIMEOUT_MS;
  server.headersTimeout = TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  const { host, port } = addressOf(config.listen);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      reject(
        new SottoError("bad-config", `metrics: cannot listen on ${host}:${port}: ${cause.message}`, {
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  server.on("error", () => {});
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function makeServer({ tls }: MetricsConfig, listener: RequestListener): Server {
  if (!tls) return createServer(listener);
  const read = (key: "cert" | "key" | "ca", path: string) => {
    try {
      return readFileSync(path);
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code;
      throw new SottoError(
        "bad-config",
        `metrics.tls.${key}: cannot read ${path} (${why}); expected a PEM file`,
        { cause },
      );
    }
  };
  const ca = tls.ca ? { ca: read("ca", tls.ca), requestCert: true, rejectUnauthorized: true } : {};
  const options = { cert: read("cert", tls.cert), key: read("key", tls.key), ...ca };
  try {
    return createTlsServer({ ...options, minVersion: "TLSv1.3" }, listener);
  } catch (cause) {
    throw new SottoError("bad-config", `metrics.tls: ${(cause as Error).message}; expected PEM files`, {
      cause,
    });
  }
}
