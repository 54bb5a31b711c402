/** No path evaluates two inputs under the same masks: replays, lost connections, restarts. */
import { deploy } from "@sotto/client";
import { systemRandom } from "@sotto/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newId } from "./parties.js";
import { makeTestFolder, TestCluster } from "./testing/cluster.js";
import { largestError, testModel } from "./testing/models.js";
import { ask, firstOpenings, type RawReply, sharesOf } from "./testing/raw.js";

const model = testModel();
/** Long enough to be interrupted in the middle: 401 rounds. */
const long = testModel(80);
const { compiled } = model;

describe("correlated randomness is used once", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  const draws: string[] = [];

  /** One session with a chosen id, both servers asked. */
  async function run(session: string, shares: [Uint8Array, Uint8Array]): Promise<[RawReply, RawReply]> {
    const request = { model: "m", session };
    const [a, b] = [
      ask(cluster, 0, compiled, { ...request, body: shares[0] }),
      ask(cluster, 1, compiled, { ...request, body: shares[1] }),
    ];
    return Promise.all([a, b]);
  }

  function opened([a, b]: [RawReply, RawReply]): string {
    expect([a.message, b.message]).toEqual(["", ""]);
    return firstOpenings(compiled, [a.saw!, b.saw!]);
  }

  beforeAll(async () => {
    folder = await makeTestFolder();
  });
  afterAll(() => folder.remove());
  beforeEach(async () => {
    draws.length = 0;
    cluster = await TestCluster.start(folder.dir, {
      relays: true,
      dealer: {
        random: (length) => {
          const bytes = systemRandom(length);
          draws.push(Buffer.from(bytes).toString("hex"));
          return bytes;
        },
      },
    });
    await deploy(cluster.as("owner"), "m", compiled);
  });
  afterEach(async () => {
    await cluster.stop();
  });

  it("in sessions of one and the same input share", async () => {
    const shares = await sharesOf(model, 1);
    const seen = new Set<string>();
    for (let i = 0; i < 6; i++) seen.add(opened(await run(newId(), shares)));
    expect(seen.size).toBe(6);
    // two seeds for the set-up; an id and two seeds for each session
    expect(draws.length).toBe(2 + 6 * 3);
    expect(new Set(draws).size).toBe(draws.length);
  });

  it("when a session id comes again, with the same input or another", async () => {
    const session = newId();
    opened(await run(session, await sharesOf(model, 1)));
    const before = draws.length;
    for (const input of [1, 2]) {
      const replies = await run(session, await sharesOf(model, input));
      expect(replies.map((r) => [r.status, r.code])).toEqual([
        [409, "conflict"],
        [409, "conflict"],
      ]);
    }
    expect(draws.length).toBe(before);
  });

  it("when a session id comes twice at the same time", async () => {
    const session = newId();
    const replies = (
      await Promise.all([1, 2].map(async (n) => run(session, await sharesOf(model, n))))
    ).flat();
    // which request of the two wins may differ between the servers; each takes one
    for (const server of [0, 1]) {
      const codes = [replies[server]!.code, replies[server + 2]!.code].sort();
      expect(codes).toEqual(["conflict", "ok"]);
    }
    expect(draws.length).toBe(2 + 3);
  });

  it("when both servers have been restarted and a session id comes again", async () => {
    const session = newId();
    opened(await run(session, await sharesOf(model, 1)));
    await Promise.all([cluster.stopServer(0), cluster.stopServer(1)]);
    await cluster.startServer(0);
    await cluster.startServer(1);
    // the dealer still knows the id
    const replies = await run(session, await sharesOf(model, 2));
    expect(replies.map((r) => r.code)).toEqual(["conflict", "conflict"]);
    opened(await run(newId(), await sharesOf(model, 2)));
  });

  it("when everything has been restarted and a session id comes again", async () => {
    const [session, shares] = [newId(), await sharesOf(model, 1)];
    const seen = [opened(await run(session, shares))];
    await Promise.all([cluster.stopServer(0), cluster.stopServer(1), cluster.stopDealer()]);
    await cluster.startDealer();
    await cluster.startServer(0);
    await cluster.startServer(1);
    // nobody remembers the id: the session runs, under other masks
    seen.push(opened(await run(session, shares)));
    expect(new Set(seen).size).toBe(2);
    expect(new Set(draws).size).toBe(draws.length);
  });

  it("when one party at a time is restarted between requests", async () => {
    const shares = await sharesOf(model, 1);
    const seen = [opened(await run(newId(), shares))];
    const restarts = [
      async () => {
        await cluster.stopDealer();
        await cluster.startDealer();
      },
      ...([0, 1] as const).map((party) => async () => {
        await cluster.stopServer(party);
        await cluster.startServer(party);
      }),
    ];
    for (const restart of restarts) {
      await restart();
      seen.push(opened(await run(newId(), shares)));
    }
    expect(new Set(seen).size).toBe(4);
    expect(new Set(draws).size).toBe(draws.length);
  });

  it.each(["toPeer", "toDealer"] as const)(
    "when the connection %s breaks between requests",
    async (where) => {
      const shares = await sharesOf(model, 1);
      const seen = [opened(await run(newId(), shares))];
      cluster[where]!.cut();
      await expect.poll(async () => (await run(newId(), shares)).map((r) => r.code)).toEqual(["ok", "ok"]);
      seen.push(opened(await run(newId(), shares)));
      expect(new Set(seen).size).toBe(2);
    },
  );

  it("when the servers' connection breaks in the middle of a session", async () => {
    await deploy(cluster.as("owner"), "m", long.compiled);
    const client = await cluster.client().model("m");
    const broken = client.infer(long.input(1), { retries: 0 });
    await cluster.toPeer!.after(30_000);
    cluster.toPeer!.cut();
    await expect(broken).rejects.toMatchObject({ code: "unreachable" });
    await expect(broken).rejects.toThrow(/was lost in round \d+ of 401/);
    const { outputs } = await client.infer(long.input(2));
    expect(largestError(outputs, long.expected(2))).toBeLessThan(0.002);
    expect(new Set(draws).size).toBe(draws.length);
  });
});
