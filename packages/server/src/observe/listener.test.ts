/** The metrics listener over TLS, and what it says when it cannot listen. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificates } from "../certificates.js";
import { listenForMetrics } from "./listener.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-metrics-"));
const at = (file: string) => join(dir, file);
const pem = (file: string) => readFileSync(at(file));
const registry = new Registry();
const ready = () => {};
beforeAll(() => makeCertificates(dir));
afterAll(() => rmSync(dir, { recursive: true }));

function get(port: number, identity: { cert?: Buffer; key?: Buffer } = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port,
      path: "/metrics",
      ca: pem("ca.pem"),
      agent: false,
      ...identity,
    };
    const outgoing = request(options, (reply) => {
      reply.resume();
      resolve(reply.statusCode);
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

describe("metrics over TLS", () => {
  it("are for anybody, or for holders of a certificate only", async () => {
    const tls = { cert: at("dealer.pem"), key: at("dealer.key") };
    const open = await listenForMetrics({ listen: "127.0.0.1:0", tls }, registry, ready);
    expect(await get(open.port)).toBe(200);
    await open.close();

    const closed = await listenForMetrics(
      { listen: "127.0.0.1:0", tls: { ...tls, ca: at("ca.pem") } },
      registry,
      ready,
    );
    await expect(get(closed.port)).rejects.toThrow();
    expect(await get(closed.port, { cert: pem("owner.pem"), key: pem("owner.key") })).toBe(200);
    await closed.close();
  });

  it("are refused with the key that is wrong", async () => {
    const listen = "127.0.0.1:0";
    const attempts: [string, RegExp][] = [
      [at("none.pem"), /metrics\.tls\.cert: cannot read .*none\.pem \(ENOENT\); expected a PEM file/],
      [at("dealer.key"), /metrics\.tls: .*; expected PEM files/],
    ];
    for (const [cert, message] of attempts) {
      const attempt = listenForMetrics({ listen, tls: { cert, key: at("dealer.key") } }, registry, ready);
      await expect(attempt).rejects.toThrow(SottoError);
      await expect(attempt).rejects.toThrow(message);
    }
    const first = await listenForMetrics({ listen }, registry, ready);
    const taken = `127.0.0.1:${first.port}`;
    await expect(listenForMetrics({ listen: taken }, registry, ready)).rejects.toThrow(
      `metrics: cannot listen on ${taken}`,
    );
    await first.close();
  });
});
