/** A running cluster whose HTTPS port gets anything at all. */
import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { deploy } from "@sotto/client";
import { planHash, Ring } from "@sotto/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { http } from "../testing/http.js";
import { largestError, testModel } from "../testing/models.js";
import { strangeJson } from "../testing/mutations.js";

const LONG = Boolean(process.env.SOTTO_LONG);
const RUNS = LONG ? 2000 : 25;
const model = testModel(2, 4);
const hash = planHash(model.compiled.plan);

describe("a server's API", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  const rings: Ring[] = [];

  beforeAll(async () => {
    folder = await makeTestFolder();
    for (let i = 0; i < 2; i++) rings.push(await Ring.create());
    cluster = await TestCluster.start(folder.dir, {
      limits: { maxBodyBytes: 2 ** 20, sessionTimeoutMs: 2000 },
      servers: [{ ring: rings[0]! }, { ring: rings[1]! }],
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
    await works();
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  async function works(): Promise<void> {
    const { outputs } = await (await cluster.client().model("m")).infer(model.input(1));
    expect(largestError(outputs, model.expected(1))).toBeLessThan(0.002);
  }

  /** What every test ends with: the service is as it was. */
  async function unharmed(before: number[]): Promise<void> {
    await works();
    await expect.poll(() => cluster.servers.map((s) => s!.sessions())).toEqual([0, 0]);
    await expect.poll(() => rings.map((r) => r.bytesInUse)).toEqual(before);
  }

  const files = () => {
    const { ca, cert, key } = cluster.as("client").tls!;
    const read = (name: string | undefined) => readFileSync(name!);
    return { ca: read(ca), cert: read(cert), key: read(key) };
  };
  const portOf = () => cluster.servers[0]!.ports.http;

  /** Sends bytes, ends, and reads what comes until the other side closes. */
  function raw(secure: boolean, pieces: readonly (Uint8Array | string)[], leave: boolean): Promise<string> {
    return new Promise((resolve) => {
      const at = { host: "127.0.0.1", port: portOf() };
      const socket = secure
        ? connectTls({ ...at, ...files(), checkServerIdentity: () => undefined })
        : connectTcp(at);
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      socket.on("error", () => {});
      socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
      for (const piece of pieces) socket.write(piece);
      if (leave)
        socket.once(secure ? "secureConnect" : "connect", () => setImmediate(() => socket.destroy()));
      else socket.end();
    });
  }

  it("answers bodies and headers that are wrong with an error that fits", async () => {
    const before = rings.map((r) => r.bytesInUse);
    const sizes = fc.oneof(
      strangeJson.filter((json) => json.length < 10_000),
      fc.constantFrom('{"time":1e9}', '{"time":16777216}', '{"__proto__":{"time":1}}', '{"":0}'),
      fc
        .dictionary(fc.string({ maxLength: 20 }), fc.nat(2 ** 24), { maxKeys: 50 })
        .map((d) => JSON.stringify(d)),
    );
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(sizes, fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (text, body, put) => {
        const headers: Record<string, string> = {
          "content-type": "application/octet-stream",
          "sotto-session": newId(),
          "sotto-plan": hash,
          // what HTTP does not let through never reaches the server
          "sotto-sizes": text.replace(/[^\x20-\x7e]/g, "?"),
        };
        const path = "/v2/models/m";
        const reply = put
          ? await http(cluster.as("owner"), 0, "PUT", path, { headers, body })
          : await http(cluster.as("client"), 0, "POST", `${path}/infer`, { headers, body });
        const { code, message } = reply.json() as { code: string; message: string };
        expect([code, reply.status]).toEqual([
          expect.stringMatching(/^(bad-input|bad-model|does-not-fit|plan-mismatch|forbidden)$/),
          expect.any(Number),
        ]);
        expect(message.length).toBeLessThan(2001);
        seen.set(code, (seen.get(code) ?? 0) + 1);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    expect(seen.size).toBeGreaterThan(1);
    await unharmed(before);
  });

  it("lives through what is no TLS, no HTTP, or stops in the middle", async () => {
    const before = rings.map((r) => r.bytesInUse);
    const head = [
      "POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n",
      `sotto-session: ${newId()}\r\nsotto-plan: ${hash}\r\nContent-Length: 40\r\n\r\n`,
    ].join("");
    const get = "GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 400 });
    const pieces = fc.oneof(
      fc.array(bytes, { minLength: 1, maxLength: 4 }),
      fc.nat(head.length).map((n) => [head.slice(0, n)]),
      fc.uint8Array({ maxLength: 39 }).map((body) => [head, body]),
      fc.tuple(fc.nat(5), bytes).map(([n, garbage]) => [get.repeat(n), garbage]),
      fc.tuple(fc.nat(head.length), bytes).map(([n, garbage]) => [head.slice(0, n), garbage, head.slice(n)]),
      fc.constantFrom("-1", "99999999999999999999", "0x10", "1, 2", "").map((n) => [head.replace("40", n)]),
      fc.constant([`GET / HTTP/1.1\r\nHost: a\r\nx: ${"y".repeat(2 ** 19)}\r\n\r\n`]),
    );
    await fc.assert(
      fc.asyncProperty(fc.boolean(), pieces, fc.boolean(), async (secure, list, leave) => {
        const reply = await raw(secure, list, leave);
        expect(reply).not.toMatch(/HTTP\/1\.1 5(?!0[34])/);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    await unharmed(before);
  });

  it("serves others while connections send a byte now and then", async () => {
    const before = rings.map((r) => r.bytesInUse);
    const request = Buffer.from(
      `POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n${"x".repeat(9)}`,
    );
    const slow = Array.from({ length: 40 }, (_, i) => {
      const at = { host: "127.0.0.1", port: portOf() };
      const socket =
        i % 4 === 0
          ? connectTcp(at)
          : connectTls({ ...at, ...files(), checkServerIdentity: () => undefined });
      socket.on("error", () => {});
      return socket;
    });
    for (let n = 0; n < request.length; n += 20) {
      for (const socket of slow) socket.write(request.subarray(n, n + 1));
      await works();
    }
    for (const socket of slow) socket.destroy();
    await unharmed(before);
  });
});
