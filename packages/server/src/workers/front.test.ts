/** Requests by way of a front, to one worker's API over TLS. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import type { Cluster } from "@sotto/client";
import { compile, Ring, shareTensors } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { encodeBundle } from "@sotto/wire";
import { readIdentity } from "@sotto/wire/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { handlersOf } from "../api/handlers.js";
import { openAudit } from "../clients/audit.js";
import { Callers } from "../clients/callers.js";
import { clientLimits, Limiter } from "../clients/limits.js";
import { Uploads } from "../clients/uploads.js";
import { makeLog } from "../log.js";
import { Tally } from "../observe/tally.js";
import { newId } from "../parties.js";
import { type Api, startApi } from "../party/http.js";
import { Models } from "../party/models.js";
import { makeTestFolder, tlsPaths } from "../testing/cluster.js";
import { http } from "../testing/http.js";
import { Forwarder } from "./forward.js";
import { forwardingHandlers } from "./front-handlers.js";
import type { Worker } from "./messages.js";
import type { Placing } from "./placing.js";

const HOST = "127.0.0.1";
const compiled = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));

describe("a front", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let models: Models;
  let [worker, front]: Api[] = [];
  let forwarder: Forwarder;
  beforeAll(async () => {
    folder = await makeTestFolder();
    const log = makeLog("test", "silent");
    const identity = readIdentity(tlsPaths(folder.dir, "server-0"), "server-0");
    models = await Models.load(join(folder.dir, "data"), 0, log);
    const common = async (isWorker: boolean) => ({
      ...({ party: 0, address: { host: HOST, port: 0 }, identity, log, tally: new Tally() } as const),
      ...openAudit(log, 0),
      ...{ uploads: new Uploads(1), limiter: new Limiter(), maxBodyBytes: 2 ** 20, replyTimeoutMs: 60_000 },
      callers: await Callers.load({
        party: 0,
        limits: clientLimits.parse({}),
        log,
        identity: {},
        front: isWorker,
      }),
      ...{ withoutCertificate: false, origins: undefined, streams: undefined as never },
    });
    const setups = { served: (name: string) => models.need(name) };
    worker = await startApi({
      ...(await common(true)),
      handlers: handlersOf({
        ...{ party: 0, log, models, setups: setups as never, sessions: undefined as never },
        onModel: () => {},
        onRemoved: () => {},
        checkConnections: () => {},
        roundTripMs: () => 1,
      }),
    });
    forwarder = new Forwarder(0, identity);
    const place = { id: newId(), host: HOST, api: worker.port } as Worker;
    const placing = { any: () => place, all: () => [place] } as unknown as Placing;
    front = await startApi({
      ...(await common(false)),
      handlers: forwardingHandlers(0, placing, forwarder),
    });
  });
  afterAll(async () => {
    await front?.close();
    forwarder?.close();
    await worker?.close();
    folder.remove();
  });

  const as = (role: "owner" | "client"): Cluster => {
    const url = `https://${HOST}:${front!.port}`;
    return { servers: [{ url }, { url }], tls: tlsPaths(folder.dir, role) };
  };
  const bundle = async () => {
    const shares = shareTensors(await Ring.create(), compiled.plan, compiled.tensors);
    const about = { party: 0, deployment: newId(), plan: compiled.plan, tables: new Uint8Array(0) } as const;
    return { version: about.deployment, body: encodeBundle({ ...about, share: shares[0] }) };
  };
  const put = (body: Uint8Array, role: "owner" | "client" = "owner") =>
    http(as(role), 0, "PUT", "/v2/models/m", {
      headers: { "content-type": "application/octet-stream" },
      body,
    });

  it("hands an owner's model on to a worker, and its refusals back", async () => {
    const { version, body } = await bundle();
    const reply = await put(body);
    expect([reply.status, reply.json()]).toMatchObject([200, { version, party: 0 }]);
    expect(models.need("m").deployment).toBe(version);
    expect([...models.need("m").share.subarray(0, 8)].some((byte) => byte !== 0)).toBe(true);
    const wrong = await put(new Uint8Array(100));
    expect([wrong.status, wrong.json()]).toMatchObject([400, { code: expect.stringMatching(/^bad-/) }]);
    expect((await put(body, "client")).status).toBe(403);
  });

  it("refuses a model that is too large itself", async () => {
    const reply = await put(new Uint8Array(2 ** 20 + 1));
    expect([reply.status, reply.json()]).toMatchObject([400, { message: expect.stringMatching(/1048576/) }]);
  });

  it.each([
    ["an absolute address", (port: number) => `https://${HOST}:${port}/v2/models/m`, 200],
    ["a path", () => "/v2/models/m", 200],
    ["an address without a path", () => "nonsense:", 400],
  ])("answers a request whose target is %s", async (_what, target, status) => {
    const { ca, cert, key } = tlsPaths(folder.dir, "client");
    const { port } = front!;
    const socket = connectTls({
      ...{ host: HOST, port, checkServerIdentity: () => undefined },
      ...{ ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) },
    });
    socket.write(`GET ${target(port)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const line = await new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    expect(line.split(" ")[1]).toBe(String(status));
    socket.destroy();
  });
});
