/** Randomness prepared before it is asked for: which sessions it serves, and when it is dropped. */
import { deploy } from "@sotto/client";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../../parties.js";
import { makeTestFolder, TestCluster, type TestClusterOptions } from "../../testing/cluster.js";
import { largestError, testModel } from "../../testing/models.js";
import { ask, sharesOf } from "../../testing/raw.js";

const model = testModel();
const { compiled } = model;

interface Line {
  party?: 0 | 1;
  msg: string;
  session?: string;
  pooled?: string;
  deal?: string;
}

let folder: Awaited<ReturnType<typeof makeTestFolder>>;
let cluster: TestCluster;
let lines: Line[] = [];
const logged = () =>
  pino(
    { level: "debug", base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as Line) },
  );
const said = (msg: string, party?: 0 | 1) =>
  lines.filter((l) => l.msg === msg && (party === undefined || l.party === party));

async function start(options: TestClusterOptions = {}): Promise<void> {
  lines = [];
  const log = logged();
  cluster = await TestCluster.start(folder.dir, {
    relays: true,
    ...options,
    dealer: { log },
    servers: [{ log }, { log }],
    limits: { pool: 2, ...options.limits },
  });
  await deploy(cluster.as("owner"), "m", compiled);
}

async function infer(n: number): Promise<void> {
  const client = await cluster.client().model("m");
  const { outputs } = await client.infer(model.input(n));
  expect(largestError(outputs, model.expected(n))).toBeLessThan(0.002);
}

/** Until so many entries more than `before` are ready on both servers. */
const filled = (count = 2, before = 0) =>
  expect
    .poll(() => [0, 1].map((p) => said("prepared ahead", p as 0 | 1).length - before), { timeout: 20_000 })
    .toEqual([count, count]);

/** Deals whose rounds began, by server; none may come twice. */
function dealsUsed(): string[] {
  const [a, b] = [0, 1].map((p) => said("rounds begin", p as 0 | 1).map((l) => l.deal!));
  expect(new Set(a).size).toBe(a!.length);
  expect(new Set(b).size).toBe(b!.length);
  return a!;
}

beforeAll(async () => {
  folder = await makeTestFolder();
});
afterAll(() => folder.remove());
afterEach(() => cluster.stop());

describe("randomness ahead of demand", () => {
  it("is made once somebody has asked, serves the next requests, and is made up for", async () => {
    await start();
    expect(said("dealing")).toEqual([]);
    await infer(1);
    await filled();
    for (let i = 0; i < 4; i++) {
      await infer(i);
      await filled(3 + i);
    }
    const pooled = said("session done", 1).filter((l) => l.pooled);
    expect(pooled.length).toBe(4);
    expect(dealsUsed().length).toBe(5);
    // one on demand, four taken, two that wait: nothing is dealt for nobody
    expect(said("dealing").length).toBe(7);
  });

  it("serves as many as there are, and the rest on demand", async () => {
    await start();
    await infer(1);
    await filled();
    await Promise.all([1, 2, 3, 4, 5].map(infer));
    expect(said("session done", 0).filter((l) => l.pooled).length).toBeGreaterThanOrEqual(2);
    expect(dealsUsed().length).toBe(6);
  });

  it.each([0, 1] as const)("serves a request that reaches server %i first", async (first) => {
    await start();
    await infer(1);
    await filled();
    const session = newId();
    const shares = await sharesOf(model, 3);
    const send = (server: 0 | 1) =>
      ask(cluster, server, compiled, { model: "m", session, body: shares[server] });
    const early = send(first);
    if (first === 0) await expect.poll(() => said("prepared randomness assigned", 1).length).toBe(1);
    else await expect.poll(() => cluster.servers[1]!.sessions()).toBe(3);
    const replies = await Promise.all([early, send(first === 0 ? 1 : 0)]);
    expect(replies.map((r) => r.code)).toEqual(["ok", "ok"]);
    expect(said("session done").filter((l) => l.session === session && l.pooled).length).toBe(2);
  });

  it("is spent by a request that fails, on both servers", async () => {
    await start();
    await infer(1);
    await filled();
    const session = newId();
    const [a, b] = await sharesOf(model, 3);
    const bad = ask(cluster, 1, compiled, { model: "m", session, body: b.subarray(1) });
    const good = ask(cluster, 0, compiled, { model: "m", session, body: a });
    const codes = (await Promise.all([good, bad])).map((r) => r.code);
    expect(codes[1]).toBe("bad-input");
    expect(codes[0]).not.toBe("ok");
    await infer(2);
    await infer(3);
    dealsUsed();
  });

  it.each(["toPeer", "toDealer"] as const)(
    "is of no use after a loss of the connection %s, and made anew",
    async (where) => {
      await start({ limits: { preparedBytes: 1 } });
      await infer(1);
      await filled();
      const lost = said("dealing").map((l) => l.session);
      cluster[where]!.cut();
      await expect.poll(() => cluster.servers.map((s) => s!.sessions())).toEqual([0, 0]);
      // it may be made anew before this is asked, or after
      await infer(2);
      const prepared = (p: 0 | 1) => said("prepared ahead", p).length;
      await expect.poll(() => Math.min(prepared(0), prepared(1))).toBeGreaterThanOrEqual(4);
      await infer(3);
      const pooled = said("session done", 0).flatMap((l) => l.pooled ?? []);
      expect(pooled.length).toBeGreaterThanOrEqual(1);
      expect(pooled.filter((id) => lost.includes(id))).toEqual([]);
      dealsUsed();
    },
  );

  it("is dropped with its set-up: a replaced model, a removed one", async () => {
    await start();
    await infer(1);
    await filled();
    const newer = testModel(6, 8, 2);
    await deploy(cluster.as("owner"), "m", newer.compiled);
    await expect.poll(() => cluster.servers.map((s) => s!.sessions())).toEqual([0, 0]);
    const client = await cluster.client().model("m");
    for (const n of [1, 2]) {
      const { outputs } = await client.infer(newer.input(n));
      expect(largestError(outputs, newer.expected(n))).toBeLessThan(0.002);
      await filled(1 + n, 2);
    }
    await cluster.owner().remove("m");
    await expect.poll(() => cluster.servers.map((s) => s!.sessions())).toEqual([0, 0]);
  });

  it.each([0, 1, 2])("is forgotten when party %i (2: the dealer) is started anew", async (party) => {
    await start();
    await infer(1);
    await filled();
    if (party === 2) {
      await cluster.stopDealer();
      await cluster.startDealer();
    } else {
      await cluster.stopServer(party as 0 | 1);
      await cluster.startServer(party as 0 | 1);
    }
    await infer(2);
    await infer(3);
    dealsUsed();
  });

  it("does not keep a server from ending", async () => {
    await start();
    await infer(1);
    await filled();
    await Promise.all(cluster.servers.map((s) => s!.drain()));
    expect(cluster.servers.map((s) => s!.sessions())).toEqual([0, 0]);
  });

  it("is not made with a pool of 0", async () => {
    await start({ limits: { pool: 0 } });
    await infer(1);
    await infer(2);
    expect(said("dealing").length).toBe(2);
  });
});
