/** More requests than sessions, at a whole cluster: in any order at either server, from clients with many and few. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { deploy } from "@sotto/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createToken } from "../../clients/token-file.js";
import { newId } from "../../parties.js";
import { makeTestFolder, TestCluster } from "../../testing/cluster.js";
import { testModel } from "../../testing/models.js";
import { ask, type RawReply, sharesOf } from "../../testing/raw.js";
import { scrape } from "../../testing/scrape.js";

const model = testModel();
const limits = { maxSessions: 2, queueLength: 12, sessionTimeoutMs: 60_000, queueWaitMs: 40_000 };

describe("more requests than sessions", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  const tokens = new Map<string, string>();
  const ended: string[] = [];

  beforeAll(async () => {
    folder = await makeTestFolder();
    const file = join(folder.dir, "tokens.yaml");
    writeFileSync(file, "tokens: []\n");
    for (const name of ["many", "few", "third"])
      tokens.set(name, createToken([file], { name, role: "client" }));
    cluster = await TestCluster.start(folder.dir, {
      limits,
      metrics: true,
      config: { clients: { tokens: file } },
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  const queued = async (server: 0 | 1) =>
    (await scrape(cluster.servers[server]!.ports.metrics)).samples("sotto_queue_length");

  /** A request in two halves that are sent one by one. */
  async function request(client: string, name = client) {
    const shares = await sharesOf(model, 1);
    const session = newId();
    const stop = [new AbortController(), new AbortController()] as const;
    const headers = { authorization: `Bearer ${tokens.get(client)}` };
    const about = { model: "m", session, headers };
    const halves: Promise<RawReply>[] = [];
    return {
      send(server: 0 | 1) {
        const { signal } = stop[server];
        const half = ask(cluster, server, model.compiled, { ...about, signal, body: shares[server] });
        half.then(
          () => server === 0 && ended.push(name),
          () => {},
        );
        halves.push(half);
        return half;
      },
      leave: (server: 0 | 1) => stop[server].abort(),
      codes: async () => (await Promise.all(halves)).map((r) => r.code),
    };
  }
  type Request = Awaited<ReturnType<typeof request>>;
  const requests = (client: string, n: number) =>
    Promise.all(Array.from({ length: n }, (_, i) => request(client, `${client} ${i}`)));

  /** Sessions of server 0 that the client's other half has to join: they take all that may run. */
  async function occupy(): Promise<Request[]> {
    const first = await requests("third", limits.maxSessions);
    for (const r of first) void r.send(0);
    await expect.poll(() => cluster.servers[1]!.sessions()).toBe(limits.maxSessions);
    return first;
  }

  it("do not deadlock when they come in different orders to the two servers", async () => {
    const all = [...(await requests("many", 6)), ...(await requests("few", 4))];
    for (const r of all) void r.send(0);
    for (const r of [...all].reverse()) void r.send(1);
    for (const r of all) expect(await r.codes()).toEqual(["ok", "ok"]);
    expect([await queued(0), await queued(1)]).toEqual([0, 0]);
  });

  it("do not deadlock when server 1 has quite other ones than server 0 for a while", async () => {
    const [a, b] = [await requests("many", 5), await requests("few", 5)];
    for (const r of a) void r.send(0);
    for (const r of b) void r.send(1);
    await expect.poll(() => queued(0)).toBe(a.length - limits.maxSessions);
    for (const r of b) void r.send(0);
    for (const r of a) void r.send(1);
    for (const r of [...a, ...b]) expect(await r.codes()).toEqual(["ok", "ok"]);
  });

  it("let a client with few of them have its turns between those of one with many", async () => {
    const first = await occupy();
    ended.length = 0;
    const many = await requests("many", 8);
    const few = await requests("few", 2);
    for (const [i, r] of [...many, ...few].entries()) {
      void r.send(0);
      void r.send(1);
      await expect.poll(() => queued(0)).toBe(i + 1);
    }
    for (const r of first) void r.send(1);
    for (const r of [...first, ...many, ...few]) expect(await r.codes()).toEqual(["ok", "ok"]);
    const order = ended.filter((name) => !name.startsWith("third"));
    // two run at the same time, and either may end first
    expect(order.indexOf("few 0")).toBeLessThan(4);
    expect(order.indexOf("few 1")).toBeLessThan(6);
  });

  it("have no place beyond the queue's length: the client with most is told to come again", async () => {
    const first = await occupy();
    const many = await requests("many", limits.queueLength);
    for (const r of many) {
      void r.send(0);
      void r.send(1);
    }
    await expect.poll(() => queued(0)).toBe(limits.queueLength);
    const few = await request("few");
    void few.send(0);
    void few.send(1);
    const refused = { status: 503, code: "unreachable", retryAfter: expect.stringMatching(/^\d+$/) };
    const beyond = await request("many");
    expect(await beyond.send(0)).toMatchObject(refused);
    // server 1 has been told
    expect(await beyond.send(1)).toMatchObject({
      ...refused,
      message: expect.stringMatching(/server 0 is busy/),
    });
    for (const r of first) void r.send(1);
    expect(await few.codes()).toEqual(["ok", "ok"]);
    const codes = (await Promise.all(many.map((r) => r.codes()))).map((pair) => pair.join());
    expect(codes.filter((c) => c === "ok,ok").length).toBe(limits.queueLength - 1);
    expect(codes.filter((c) => c === "unreachable,unreachable").length).toBe(1);
    await Promise.all(first.map((r) => r.codes()));
  });

  it.each([0, 1] as const)(
    "free their places on both servers when the client leaves server %i",
    async (server) => {
      const first = await occupy();
      const left = await request("many");
      const halves = [left.send(0), left.send(1)] as const;
      await expect.poll(async () => [await queued(0), await queued(1)]).toEqual([1, 1]);
      // the other half's request stays open
      left.leave(server);
      await expect(halves[server]).rejects.toThrow();
      expect(await halves[server === 0 ? 1 : 0]).toMatchObject({
        status: 503,
        message: expect.stringMatching(/the client has closed its request/),
      });
      expect([await queued(0), await queued(1)]).toEqual([0, 0]);
      for (const r of first) void r.send(1);
      for (const r of first) expect(await r.codes()).toEqual(["ok", "ok"]);
    },
  );
});

describe("requests that wait", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  beforeAll(async () => {
    folder = await makeTestFolder();
    cluster = await TestCluster.start(folder.dir, {
      limits: { maxSessions: 1, sessionTimeoutMs: 20_000, queueWaitMs: 300, joinTimeoutMs: 3000 },
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  const half = async (server: 0 | 1, session = newId()) => {
    const shares = await sharesOf(model, 1);
    return ask(cluster, server, model.compiled, { model: "m", session, body: shares[server] });
  };

  it("are given up after a while, on both servers, and so is a request whose other half never comes", async () => {
    const occupying = half(0);
    await expect.poll(() => cluster.servers[1]!.sessions()).toBe(1);
    const lost = newId();
    const alone = half(1, lost);
    const session = newId();
    const both = await Promise.all([half(0, session), half(1, session)]);
    for (const reply of both) {
      expect(reply).toMatchObject({
        status: 503,
        code: "unreachable",
        message: expect.stringMatching(/server 0 is busy: the request has waited 300 ms for its turn/),
      });
    }
    // and then there is room again
    expect(await occupying).toMatchObject({
      status: 503,
      message: expect.stringMatching(/waited 3000 ms for the client's request/),
    });
    expect(await alone).toMatchObject({
      status: 503,
      message: expect.stringMatching(
        /request has not reached this server within 3000 ms, only server 1; try again/,
      ),
    });
    // too late, it hears the same
    expect(await half(0, lost)).toMatchObject({
      status: 503,
      message: expect.stringMatching(/only server 1/),
    });
    const next = newId();
    const replies = await Promise.all([half(0, next), half(1, next)]);
    expect(replies.map((r) => r.code)).toEqual(["ok", "ok"]);
  });

  it("fail at once when the other server is lost, on whose side they may be forgotten", async () => {
    const occupying = half(0);
    await expect.poll(() => cluster.servers[1]!.sessions()).toBe(1);
    const waiting = half(1);
    await expect.poll(() => cluster.servers[1]!.sessions()).toBe(2);
    await cluster.stopServer(0);
    await occupying;
    expect(await waiting).toMatchObject({
      status: 503,
      message: expect.stringMatching(/server 0 was lost while the request waited for its turn/),
    });
  });
});
