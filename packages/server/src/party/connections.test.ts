/** Parties that come up in any order, and a connection that goes silent. */
import { deploy } from "@sotto/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { largestError, testModel } from "../testing/models.js";
import { scrape } from "../testing/scrape.js";

const model = testModel();
const PARTIES = ["dealer", "server 0", "server 1"] as const;
type Party = (typeof PARTIES)[number];

/** All orders of some things. */
function orders<T>(things: readonly T[]): T[][] {
  if (things.length < 2) return [[...things]];
  return things.flatMap((first) => orders(things.filter((t) => t !== first)).map((rest) => [first, ...rest]));
}

describe("connections", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  beforeAll(async () => {
    folder = await makeTestFolder();
  });
  afterAll(() => folder.remove());

  it("come about in whatever order the parties come up", async () => {
    const cluster = await TestCluster.start(folder.dir);
    await deploy(cluster.as("owner"), "m", model.compiled);
    const start = (party: Party) =>
      party === "dealer" ? cluster.startDealer() : cluster.startServer(party === "server 0" ? 0 : 1);
    const all = orders(PARTIES);
    expect(all.length).toBe(6);
    for (const [n, order] of all.entries()) {
      await Promise.all([cluster.stopDealer(), cluster.stopServer(0), cluster.stopServer(1)]);
      for (const party of order) await start(party);
      const remote = await cluster.client().model("m");
      const { outputs } = await remote.infer(model.input(n));
      expect(largestError(outputs, model.expected(n)), order.join()).toBeLessThan(0.002);
    }
    await cluster.stop();
  });

  it("that are open but dead are noticed by both ends", async () => {
    const cluster = await TestCluster.start(folder.dir, {
      relays: true,
      metrics: true,
      limits: { heartbeatMs: 400 },
      dealerLimits: { heartbeatMs: 400 },
    });
    const up = async (port: number | undefined, other: string) =>
      (await scrape(port)).samples("sotto_connection_up", { other });
    const ends = async () => [
      await up(cluster.servers[0]!.ports.metrics, "dealer"),
      await up(cluster.servers[1]!.ports.metrics, "dealer"),
      await up(cluster.dealer!.ports.metrics, "server-0"),
      await up(cluster.dealer!.ports.metrics, "server-1"),
    ];
    await expect.poll(ends, { timeout: 20_000 }).toEqual([1, 1, 1, 1]);
    cluster.toDealer!.stall();
    await expect.poll(ends, { timeout: 20_000 }).toEqual([0, 0, 0, 0]);
    await cluster.stop();
  });
});
