/** The API without TLS, for a proxy or a page on the same machine. */
import { request } from "node:http";
import { join } from "node:path";
import { deploy } from "@sotto/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createToken } from "../clients/token-file.js";
import { isLoopback } from "../loopback.js";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { testModel } from "../testing/models.js";

const ORIGIN = "http://localhost:5173";
const model = testModel();

describe("a server with plainHttp", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  let token: string;
  const at = (i: 0 | 1, path: string) => `http://127.0.0.1:${cluster.servers[i]!.ports.plainHttp}${path}`;

  beforeAll(async () => {
    folder = await makeTestFolder();
    const tokens = join(folder.dir, "tokens.yaml");
    token = createToken([tokens], { name: "page", role: "client" });
    cluster = await TestCluster.start(folder.dir, {
      config: {
        plainHttp: { host: "127.0.0.1", port: 0 },
        clients: { tokens },
        cors: { origins: [ORIGIN] },
      },
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  it("answers whoever has a token, and tells others what they need", async () => {
    const known = await fetch(at(0, "/v2/models/m"), { headers: { authorization: `Bearer ${token}` } });
    expect([known.status, ((await known.json()) as { name: string }).name]).toEqual([200, "m"]);
    const unknown = await fetch(at(1, "/v2/models/m"));
    expect(unknown.status).toBe(401);
    expect(await unknown.text()).toMatch(/needs a header authorization: Bearer TOKEN/);
  });

  it("lets pages of the listed origins in, and no others", async () => {
    const allowed = async (origin: string) => {
      const reply = await fetch(at(0, "/v2"), { headers: { origin } });
      return reply.headers.get("access-control-allow-origin");
    };
    expect(await allowed(ORIGIN)).toBe(ORIGIN);
    expect(await allowed("http://localhost:5174")).toBeNull();
  });

  it("opens streams: the upgrade is answered", async () => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": Buffer.alloc(16).toString("base64"),
      "sec-websocket-protocol": "sotto.stream.v1",
    };
    const status = await new Promise((resolve, reject) => {
      const outgoing = request(at(0, "/v2/models/m/stream"), { headers });
      outgoing.on("upgrade", (reply, socket) => {
        socket.destroy();
        resolve(reply.statusCode);
      });
      outgoing.on("error", reject).end();
    });
    expect(status).toBe(101);
  });

  it("goes on asking for TLS on its other port", async () => {
    const port = cluster.servers[0]!.ports.http;
    await expect(fetch(`http://127.0.0.1:${port}/v2`)).rejects.toThrow();
  });
});

it.each([
  ["127.0.0.1", true],
  ["127.8.9.10", true],
  ["::1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["128.0.0.1", false],
  ["::ffff:10.0.0.1", false],
  ["localhost", false],
  ["", false],
])("the address %s is loopback: %s", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
