/** A server or a dealer that is told to go: what runs ends, what is new is refused. */
import { deploy } from "@sotto/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { testModel } from "../testing/models.js";
import { ask, sharesOf } from "../testing/raw.js";

const model = testModel();

describe("a party that drains", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  beforeAll(async () => {
    folder = await makeTestFolder();
  });
  afterAll(() => folder.remove());
  beforeEach(async () => {
    cluster = await TestCluster.start(folder.dir, { limits: { drainMs: 20_000, sessionTimeoutMs: 20_000 } });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterEach(() => cluster.stop());

  /** A session with one server's share; the other comes when `complete` is called. */
  async function half(first: 0 | 1) {
    const shares = await sharesOf(model, 1);
    const session = newId();
    const post = (server: 0 | 1) =>
      ask(cluster, server, model.compiled, { model: "m", session, body: shares[server] });
    const early = post(first);
    return { early, complete: () => post(first === 0 ? 1 : 0) };
  }

  const fresh = async (server: 0 | 1) => {
    const shares = await sharesOf(model, 2);
    return ask(cluster, server, model.compiled, { model: "m", session: newId(), body: shares[server] });
  };

  it("lets a running session end, and refuses a new one with 503 and Retry-After", async () => {
    const { early, complete } = await half(0);
    // server 0 has asked the dealer, and so server 1 knows of the session
    await expect.poll(() => cluster.servers[1]!.sessions()).toBe(1);
    let drained = false;
    const drain = cluster.servers[0]!.drain().then(() => {
      drained = true;
    });
    const refused = await fresh(0);
    expect(refused).toMatchObject({ status: 503, code: "unreachable", retryAfter: "1" });
    expect(refused.message).toMatch(/server 0 is shutting down/);
    expect(drained).toBe(false);
    const replies = await Promise.all([early, complete()]);
    expect(replies.map((r) => r.code)).toEqual(["ok", "ok"]);
    await drain;
  });

  it("still takes the request of a session that the others have begun", async () => {
    const { early, complete } = await half(0);
    await expect.poll(() => cluster.servers[1]!.sessions()).toBe(1);
    const drain = cluster.servers[1]!.drain();
    expect(await fresh(1)).toMatchObject({ status: 503 });
    const replies = await Promise.all([early, complete()]);
    expect(replies.map((r) => r.code)).toEqual(["ok", "ok"]);
    await drain;
  });

  it("as the dealer deals for no new session, and says so to the client", async () => {
    await cluster.dealer!.drain();
    const refused = await fresh(0);
    expect(refused).toMatchObject({ status: 503, code: "unreachable" });
    expect(refused.message).toMatch(/the dealer is shutting down/);
  });

  it("does not wait beyond its deadline", async () => {
    await cluster.stop();
    cluster = await TestCluster.start(folder.dir, { limits: { drainMs: 30 } });
    await deploy(cluster.as("owner"), "m", model.compiled);
    const { early } = await half(0);
    await expect.poll(() => cluster.servers[0]!.sessions()).toBe(1);
    await cluster.servers[0]!.drain();
    expect(cluster.servers[0]!.sessions()).toBe(1);
    await cluster.stopServer(0);
    expect(await early).toMatchObject({
      status: 503,
      message: expect.stringMatching(/server 0 is shutting down/),
    });
  });
});
