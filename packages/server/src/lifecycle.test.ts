/** Versions of a model over their lives: deployed, replaced under load, left half-way, removed. Never a wrong result. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { deploy, type RemoteModel } from "@sotto/client";
import { Ring, SottoError, shareTensors } from "@sotto/core";
import { encodeBundle } from "@sotto/wire";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DATA_LOCK } from "./data-lock.js";
import { newId } from "./parties.js";
import { makeTestFolder, TestCluster } from "./testing/cluster.js";
import { http } from "./testing/http.js";
import { largestError, type TestModel, testModel } from "./testing/models.js";

const first = testModel(6, 8, 1);
const second = testModel(6, 8, 2);
/** 401 rounds: long enough for something to happen meanwhile. */
const long = testModel(80);
const once = { retries: 0 } as const;

describe("a model's versions", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  let dealerRing: Ring;

  beforeAll(async () => {
    folder = await makeTestFolder();
  });
  afterAll(() => folder.remove());
  beforeEach(async () => {
    dealerRing = await Ring.create();
    await start({});
  });
  afterEach(async () => {
    await cluster.stop();
  });

  async function start(options: { retiringMs?: number }): Promise<void> {
    cluster = await TestCluster.start(folder.dir, {
      relays: true,
      dealer: { ring: dealerRing },
      servers: [options, options],
    });
  }

  const put = (model: TestModel) => deploy(cluster.as("owner"), "m", model.compiled);
  const files = (server: 0 | 1) =>
    readdirSync(join(folder.dir, `data-${server}`)).filter((name) => name !== DATA_LOCK);
  const fetched = () => cluster.client().model("m");

  /** One server gets its part of a deployment, the other one gets nothing. */
  async function putHalf(server: 0 | 1, { compiled: { plan, tensors } }: TestModel): Promise<string> {
    const share = shareTensors(await Ring.create(), plan, tensors)[server];
    const deployment = newId();
    const body = encodeBundle({ party: server, deployment, plan, tables: new Uint8Array(0), share });
    const headers = { "content-type": "application/octet-stream" };
    const reply = await http(cluster.as("owner"), server, "PUT", "/v2/models/m", { headers, body });
    expect(reply.status).toBe(200);
    return deployment;
  }

  async function gives(remote: RemoteModel, model: TestModel, n = 1): Promise<void> {
    const { outputs } = await remote.infer(model.input(n));
    expect(largestError(outputs, model.expected(n))).toBeLessThan(0.002);
  }

  /** What is served now computes this model. */
  const serves = async (model: TestModel) => gives(await fetched(), model);

  it("follow each other: a deployment says what it replaces, and running sessions finish on theirs", async () => {
    await cluster.stop();
    await start({ retiringMs: 500 });
    const a = await put(long);
    expect(a.replaced).toEqual([undefined, undefined]);
    const old = await fetched();
    const running = old.infer(long.input(1), once);
    await cluster.toPeer!.after(20_000);
    const b = await put(first);
    const before = { version: a.version, plan: a.plan };
    expect(b.replaced).toEqual([before, before]);
    expect(largestError((await running).outputs, long.expected(1))).toBeLessThan(0.002);
    await serves(first);
    for (const server of [0, 1] as const)
      await expect.poll(() => files(server)).toEqual([`m@${b.version}.model`]);
    // a client of the old plan is refused in the end, and never served by the new version
    const refusal = async () => {
      const outcome = await old.infer(long.input(2), once).catch((e: unknown) => e as SottoError);
      if (outcome instanceof SottoError) return [outcome.code, outcome.message];
      expect(largestError(outcome.outputs, long.expected(2))).toBeLessThan(0.002);
      return undefined;
    };
    await expect
      .poll(refusal, { timeout: 20_000 })
      .toEqual([
        "plan-mismatch",
        expect.stringMatching(/expects plan \w+ of model m, server [01] holds \w+/),
      ]);
    await expect(cluster.client().model("m", { plan: a.plan })).rejects.toMatchObject({
      code: "plan-mismatch",
      message: expect.stringMatching(/the servers serve plan \w+, expected plan/),
    });
  });

  it("follow each other under load without an error", async () => {
    await put(first);
    const models = new Map([first, second].map((model) => [model, [] as string[]]));
    let over = false;
    const clients = [1, 2].map(async (n) => {
      for (let results = 0; !over || results < 3; results++) {
        const remote = await fetched();
        const known = [...models].find(([, hashes]) => hashes.includes(remote.hash))?.[0];
        const { outputs } = await remote.infer(first.input(n));
        const error = (model: TestModel) => largestError(outputs, model.expected(n));
        // a plan that is deployed for the first time is one of the two
        if (known) expect(error(known)).toBeLessThan(0.002);
        else expect(Math.min(error(first), error(second))).toBeLessThan(0.002);
      }
    });
    for (const model of [second, first, second]) models.get(model)!.push((await put(model)).plan);
    over = true;
    await Promise.all(clients);
    await serves(second);
    // who has fetched the model just before it is replaced is served by the version that it knows
    const old = await fetched();
    await put(first);
    await gives(old, second);
    await serves(first);
  });

  it.each([0, 1] as const)(
    "are served on while the next has reached server %i only, also after restarts; deploying again repairs it",
    async (server) => {
      const { version } = await put(first);
      const half = await putHalf(server, second);
      await serves(first);
      const [model] = await cluster.client().list();
      expect(model).toMatchObject({ name: "m", ready: true });
      expect(model!.servers[server].map((v) => [v.version, v.served])).toEqual([
        [half, false],
        [version, true],
      ]);
      expect(model!.servers[1 - server]!.map((v) => [v.version, v.served])).toEqual([[version, true]]);
      const state = await http(cluster.as("owner"), server, "GET", "/v2/models/m/ready");
      expect([state.status, state.text]).toEqual([503, expect.stringMatching(/is not ready/)]);
      // both crash before the owner comes again
      await Promise.all([cluster.stopServer(0), cluster.stopServer(1)]);
      await cluster.startServer(0);
      await cluster.startServer(1);
      await serves(first);
      const repaired = await put(second);
      expect(repaired.replaced.map((v) => v?.version)).toEqual([version, version]);
      await serves(second);
      for (const i of [0, 1] as const)
        await expect.poll(() => files(i)).toEqual([`m@${repaired.version}.model`]);
    },
  );

  it.each([0, 1] as const)(
    "that have reached server %i only are nobody's yet: a clear error that may pass",
    async (server) => {
      await putHalf(server, first);
      const attempt = await fetched().catch((e: unknown) => e);
      expect(attempt).toMatchObject({
        code: "not-found",
        message: expect.stringMatching(
          new RegExp(`server ${1 - server} holds no model named m; deploy it first`),
        ),
      });
      const [model] = await cluster.client().list();
      expect(model).toMatchObject({
        ready: false,
        reason: `server ${1 - server} does not hold it; deploy it again, or remove it`,
      });
      await put(second);
      await serves(second);
    },
  );

  it("are all removed, while running sessions finish; the dealer forgets them", async () => {
    const before = dealerRing.bytesInUse;
    await put(long);
    const remote = await fetched();
    const running = remote.infer(long.input(1), once);
    await cluster.toPeer!.after(20_000);
    await expect(cluster.client().remove("m")).rejects.toMatchObject({ code: "forbidden" });
    const owner = cluster.owner();
    await owner.remove("m");
    expect(await owner.list()).toEqual([]);
    await expect(owner.remove("m")).rejects.toMatchObject({ code: "not-found" });
    expect(largestError((await running).outputs, long.expected(1))).toBeLessThan(0.002);
    await expect(remote.infer(long.input(1))).rejects.toMatchObject({ code: "not-found" });
    expect([...files(0), ...files(1)]).toEqual([]);
    await expect.poll(() => dealerRing.bytesInUse).toBe(before);
  });

  it.each([0, 1] as const)(
    "removed at server %i alone are not served by the other, until they are removed or deployed there as well",
    async (server) => {
      const before = dealerRing.bytesInUse;
      await put(first);
      const remote = await fetched();
      const reply = await http(cluster.as("owner"), server, "DELETE", "/v2/models/m");
      expect(reply.status).toBe(200);
      await expect(remote.infer(first.input(1), once)).rejects.toMatchObject({ code: "not-found" });
      await expect.poll(() => dealerRing.bytesInUse).toBe(before);
      const other = () => http(cluster.as("owner"), server === 0 ? 1 : 0, "GET", "/v2/models/m/ready");
      await expect.poll(async () => (await other()).status).toBe(503);
      await cluster.owner().remove("m");
      expect([...files(0), ...files(1)]).toEqual([]);
      await put(second);
      await serves(second);
    },
  );

  it("lie encrypted on the disk; without their key a server does not start", async () => {
    const env = { SOTTO_STORAGE_KEY: "5c".repeat(32) };
    await cluster.stop();
    const servers = [{ env }, { env }] as [{ env?: typeof env }, { env?: typeof env }];
    cluster = await TestCluster.start(folder.dir, { servers });
    await put(first);
    await cluster.stopServer(1);
    servers[1] = { env: { SOTTO_STORAGE_KEY: "00".repeat(32) } };
    await expect(cluster.startServer(1)).rejects.toMatchObject({
      code: "bad-config",
      message: expect.stringMatching(
        /m@\w+\.model is encrypted with key \w+, and SOTTO_STORAGE_KEY holds another/,
      ),
    });
    servers[1] = { env };
    await cluster.startServer(1);
    await serves(first);
  });
});
