/** Clients with tokens at servers over TLS: who is let in, how far, and what is written down about it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, deploy } from "@sotto/client";
import { compile } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { http } from "../testing/http.js";
import { largestError, testModel } from "../testing/models.js";
import { createToken, newToken, revokeToken } from "./token-file.js";

const model = testModel();
const once = { retries: 0 } as const;

/** Steps are open: clients say how many. */
function openModel() {
  const { layers, tensors } = randomGru({ seed: 3, hidden: 8, inputSize: 4, steps: 2 });
  return compile({
    name: "open",
    inputs: [{ name: "x", shape: ["time", 1, 4], kind: "real" }],
    outputs: [{ name: "h" }],
    layers: [{ ...layers[0]!, outputs: ["", "h"] }],
    tensors,
    constants: {},
  });
}

const steps = (n: number) => ({ x: { shape: [n, 1, 4], data: new Float64Array(n * 4).fill(0.123456789) } });

describe("clients with tokens", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  let files: { tokens: string; audit: string };
  let log = "";
  const tokens: string[] = [];
  const create = (about: Omit<Parameters<typeof createToken>[1], "role"> & { role?: "owner" }) => {
    const token = createToken([files.tokens], { role: "client", ...about });
    tokens.push(token);
    return token;
  };
  const audit = () =>
    readFileSync(files.audit, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  beforeAll(async () => {
    folder = await makeTestFolder();
    files = { tokens: join(folder.dir, "tokens.yaml"), audit: join(folder.dir, "audit.log") };
    writeFileSync(files.tokens, "tokens: []\n");
    const logger = pino({ level: "trace" }, { write: (line: string) => (log += line) });
    cluster = await TestCluster.start(folder.dir, {
      config: { clients: { tokens: files.tokens, limits: { maxSize: 50 } }, audit: { file: files.audit } },
      servers: [{ log: logger }, { log: logger }],
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
    await deploy(cluster.as("owner"), "open", openModel());
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  it("infer without a certificate, with one token or one for each server, until it is revoked", async () => {
    const token = create({ name: "clinic" });
    const remote = await cluster.client(token).model("m");
    const { outputs } = await remote.infer(model.input(1));
    expect(largestError(outputs, model.expected(1))).toBeLessThan(0.002);
    const pair = [token, create({ name: "clinic-at-1" })] as const;
    await (await cluster.client(pair).model("m")).infer(model.input(1));
    // mutual TLS is the other way in
    await (await cluster.client().model("m")).infer(model.input(1));

    revokeToken([files.tokens], "clinic");
    await expect(remote.infer(model.input(1))).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.stringMatching(
        /^server [01] \([^)]*\): the token is not known here; it may have been revoked/,
      ),
    });
  });

  it("stream with a token in the first message, within their limits, and for no page that is not listed", async () => {
    const limits = { concurrent: 1 };
    const remote = await cluster.client(create({ name: "live", limits })).model("open");
    const stream = await remote.stream();
    await stream.step(steps(2));
    await expect(remote.stream()).rejects.toMatchObject({ code: "busy" });
    await stream.close();
    await expect
      .poll(() => audit().filter((e) => e.event === "stream" && e.client === "live").length)
      .toBe(4);
    const lines = audit().filter((e) => e.event === "stream" && e.client === "live");
    expect(lines.filter((e) => e.outcome === "busy").length).toBe(2);
    expect(lines[0]).toMatchObject({ model: "open", by: "token", sizes: { steps: 1 } });
    await expect(remote.stream({ steps: 51 })).rejects.toMatchObject({ code: "forbidden" });

    const { servers, tls } = cluster.as("client");
    const { ca, cert, key } = tls as Record<string, string>;
    const [from, pem] = ["https://elsewhere.example", (path: string | undefined) => readFileSync(path!)];
    const connected = async () => {
      const socket = new WebSocket(`${servers[0].url.replace("https", "wss")}/v2/models/open/stream`, {
        ...{ ca: pem(ca), cert: pem(cert), key: pem(key), checkServerIdentity: () => undefined as never },
        headers: { origin: from },
      });
      await new Promise((resolve) => socket.once("open", resolve));
      return socket;
    };
    const socket = await connected();
    const about = { type: "open", stream: "0".repeat(32), plan: remote.hash, sizes: {}, steps: 1 };
    const answer = new Promise((resolve) => socket.once("message", (data) => resolve(String(data))));
    socket.send(JSON.stringify(about));
    expect(await answer).toMatch(/"forbidden".*pages of https:\/\/elsewhere.example may not stream/);

    // who has not said who it is sends no more than a first message has: the connection is cut, not answered
    const greedy = await connected();
    const said: unknown[] = [];
    greedy.on("message", (data) => said.push(data));
    greedy.on("error", () => {});
    const code = new Promise((resolve) => greedy.once("close", resolve));
    greedy.send(Buffer.alloc(2 ** 20));
    expect(await code).toBe(1006);
    expect(said).toEqual([]);
  });

  it("are refused without a token, with a wrong or an expired one, and where their role does not allow it", async () => {
    const expired = create({ name: "expired", expires: "2020-01-01T00:00:00Z" });
    for (const [token, reason] of [
      [newToken(), /not known here/],
      ["x", /not known here/],
      [expired, /has expired/],
    ] as const) {
      const error = await cluster
        .client(token)
        .model("m", once)
        .catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "unauthorized", message: expect.stringMatching(reason) });
      expect((error as Error).message).not.toContain(token.slice(7) || "none");
    }
    const bare = connect(cluster.asAnyone());
    await expect(bare.model("m", once)).rejects.toThrow(
      /needs a header authorization: Bearer TOKEN or a cert/,
    );
    bare.close();

    const client = cluster.client(create({ name: "no-owner" }));
    await expect(client.remove("m", once)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringMatching(/not for the token of client "no-owner"; expected that of owner/),
    });
    const owner = cluster.client(create({ name: "owner-2", role: "owner" }));
    await deploy(cluster.as("owner"), "short-lived", model.compiled);
    await owner.remove("short-lived");
    expect((await owner.list()).map((m) => m.name)).toEqual(["m", "open"]);
  });

  it("hear why they are refused also when they send much, which is not read", async () => {
    const body = new Uint8Array(2 ** 25);
    const headers = { "content-type": "application/octet-stream" };
    for (const method of ["POST", "PUT"]) {
      const path = `/v2/models/m${method === "POST" ? "/infer" : ""}`;
      const reply = await http(cluster.asAnyone(), 0, method, path, { headers, body });
      expect([reply.status, reply.text]).toEqual([401, expect.stringContaining("unauthorized")]);
    }
  });

  it("keep the tokens that are known while the file cannot be read", async () => {
    const client = cluster.client(create({ name: "steady" }));
    await client.model("m", once);
    const text = readFileSync(files.tokens);
    writeFileSync(files.tokens, "tokens: [");
    await client.model("m", once);
    expect(log).toContain("tokens cannot be read again");
    writeFileSync(files.tokens, text);
    await client.model("m", once);
  });

  it("are held to their limits on rate and concurrency, with 429 and Retry-After", async () => {
    const slow = create({ name: "slow", limits: { requestsPerMinute: 0.5, burst: 2 } });
    const headers = { authorization: `Bearer ${slow}` };
    const get = () => http(cluster.asAnyone(), 0, "GET", "/v2/models/m/ready", { headers });
    expect([(await get()).status, (await get()).status]).toEqual([200, 200]);
    const third = await get();
    expect(third.status).toBe(429);
    expect(Number(third.headers["retry-after"])).toBeGreaterThan(60);
    expect(third.text).toMatch(/client slow: more than 0.5 requests a minute \(limit requestsPerMinute\)/);
    // nobody waits two minutes for what has a deadline before that
    const error = await cluster
      .client(slow)
      .model("m", { timeoutMs: 60_000 })
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "busy", retryAfterMs: expect.any(Number) });

    const narrow = await cluster.client(create({ name: "narrow", limits: { concurrent: 1 } })).model("m");
    const retried: string[] = [];
    const two = [1, 2].map((i) =>
      narrow.infer(model.input(i), {
        retries: 20,
        onProgress: (p) => p.stage === "retrying" && retried.push(p.error.message),
      }),
    );
    const results = await Promise.all(two);
    results.forEach(({ outputs }, i) => {
      expect(largestError(outputs, model.expected(i + 1))).toBeLessThan(0.002);
    });
    expect(retried[0]).toMatch(/client narrow: 1 sessions run already \(limit concurrent: 1\)/);
  });

  it("are held to their limits on sizes before anything is built for them", async () => {
    const wide = await cluster
      .client(create({ name: "wide", limits: { maxSizes: { time: 60 } } }))
      .model("open");
    const plain = await cluster.client(create({ name: "plain" })).model("open");
    expect((await wide.infer(steps(51))).outputs.h!.shape).toEqual([1, 1, 8]);
    await expect(wide.infer(steps(61), once)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringMatching(/client wide: size time = 61 exceeds 60 \(limit maxSizes.time\)/),
    });
    await expect(plain.infer(steps(51), once)).rejects.toThrow(/time = 51 exceeds 50 \(limit maxSize\)/);
  });

  it("appear in the audit log with session, model, version, sizes and outcome; no token and no value does", async () => {
    const listed = (await cluster.client().list()).find((m) => m.name === "open")!;
    const { version } = listed.servers[0][0]!;
    const of = (about: Record<string, unknown>) =>
      audit().filter((line) =>
        Object.entries(about).every(([k, v]) => JSON.stringify(line[k]) === JSON.stringify(v)),
      );
    // a line is written when a request is over, which a client need not notice first
    await expect.poll(() => of({ client: "plain", outcome: "forbidden" }).length).toBe(2);
    const done = of({ event: "infer", client: "wide", model: "open", outcome: "ok", sizes: { time: 51 } });
    expect(done.map((l) => l.party).sort()).toEqual([0, 1]);
    expect(done[0]).toMatchObject({ version, by: "token", role: "client", address: "127.0.0.1" });
    expect(done[0]!.session).toBe(done[1]!.session);
    expect(
      of({ event: "infer", client: "plain", outcome: "forbidden", sizes: { time: 51 } }).length,
    ).toBeGreaterThan(0);
    expect(of({ event: "infer", client: "narrow", outcome: "busy" }).length).toBeGreaterThan(0);
    expect(of({ event: "refused", outcome: "unauthorized" }).length).toBeGreaterThan(3);
    expect(
      of({ event: "deploy", client: "owner", by: "certificate", model: "m", outcome: "ok" }).length,
    ).toBe(2);
    expect(of({ event: "remove", client: "owner-2", model: "short-lived", outcome: "ok" }).length).toBe(2);
    expect(
      of({ event: "remove", client: "no-owner", model: "m", outcome: "forbidden" }).length,
    ).toBeGreaterThan(0);

    const text = log + readFileSync(files.audit, "utf8") + readFileSync(files.tokens, "utf8");
    expect(tokens.length).toBeGreaterThan(6);
    for (const token of tokens) {
      const bytes = Buffer.from(token.slice(6), "base64url");
      for (const form of [token.slice(6), bytes.toString("hex"), bytes.toString("base64")])
        expect(text).not.toContain(form);
    }
    expect(text).not.toContain("0.12345");
  });
});
