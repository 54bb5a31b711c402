/** An organisation's NATS as a cluster, with TLS and credentials: real servers, of which one is killed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { QueuedDeal } from "../dealer/group.js";
import { type Logger, makeLog } from "../log.js";
import { newId } from "../parties.js";
import { NatsCluster, natsServer } from "../testing/nats-cluster.js";
import type { NatsConfig } from "./config.js";
import { Deals } from "./deals.js";
import { Nats } from "./nats.js";

const log = makeLog("test", "silent");
const installed = natsServer() !== undefined;
if (!installed && !process.env.CI)
  console.warn("nats-cluster.test.ts is skipped: nats-server is not installed (apt-get install nats-server)");

const PATIENCE_MS = 10_000;
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

const job = (): QueuedDeal => ({
  ...{ session: newId(), setup: newId(), plan: newId() + newId(), sizes: {} },
  pair: [newId(), newId()],
});

/** A dealer's worker that takes deals, and one that asks for them: both are to find their way by themselves. */
class Worker {
  readonly taken = new Set<string>();
  readonly nats: Nats;
  readonly deals: Deals;

  private constructor(nats: Nats) {
    this.nats = nats;
    const work = async ({ session }: QueuedDeal) => void this.taken.add(session);
    this.deals = new Deals({ nats, version: "1", log, work, refuse: () => {} });
    this.deals.start();
  }

  static async start(config: NatsConfig): Promise<Worker> {
    return new Worker(await Nats.connect(config, "dealer", log));
  }

  /** Asks until it is dealt for, as a client does that tries again: a deal may have been in the queue longer than that keeps it. */
  async served(by: readonly Worker[]): Promise<void> {
    for (;;) {
      const asked = job();
      const taken = () => by.some((worker) => worker.taken.has(asked.session));
      try {
        await this.deals.enqueue(asked);
        const end = Date.now() + PATIENCE_MS;
        while (!taken() && Date.now() < end) await pause();
        if (taken()) return;
      } catch (error) {
        expect(error).toMatchObject({ code: "unreachable" });
        await pause();
      }
    }
  }

  async queue() {
    return (await jetstreamManager(this.nats.connection)).streams.info(`${this.nats.prefix}-deals`);
  }

  async close(): Promise<void> {
    await this.deals.stop();
    await this.nats.close();
  }
}

describe.skipIf(!installed && !process.env.CI)("a cluster of NATS servers with TLS and credentials", () => {
  let dir: string;
  let cluster: NatsCluster;
  const workers: Worker[] = [];
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
    cluster = await NatsCluster.start(dir, 3);
  });
  afterAll(async () => {
    for (const worker of workers) await worker.close();
    await cluster?.close();
    if (dir) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });

  it("keeps the queue on as many servers as are configured, also where it began with one", async () => {
    const replicas = async (worker: Worker) => (await worker.queue()).config.num_replicas;
    const alone = await Worker.start({ ...cluster.config, replicas: 1 });
    await alone.served([alone]);
    expect(await replicas(alone)).toBe(1);
    await alone.close();
    const worker = await Worker.start(cluster.config);
    workers.push(worker);
    await worker.served(workers);
    expect(await replicas(worker)).toBe(3);
  });

  // elections take NATS seconds, or a minute where the machine is busy
  it.skipIf(!process.env.SOTTO_LONG)(
    "serves every client, also those that ask while one is killed",
    async () => {
      // with its copies from the beginning, and none that are being made while a server goes
      const config = { ...cluster.config, prefix: "killed" };
      const first = await Worker.start(config);
      const second = await Worker.start(config);
      workers.push(first, second);
      await first.served([first, second]);
      const current = async () => (await first.queue()).cluster?.replicas?.map((r) => r.current);
      await expect.poll(current).toEqual([true, true]);
      const leader = (await first.queue()).cluster!.leader!;
      const asking = Promise.all(Array.from({ length: 20 }, () => second.served([first, second])));
      await cluster.kill(leader);
      await asking;
      await Promise.all([first, second].map((worker) => worker.served([first, second])));
      cluster.run(Number(leader.slice(1)));
    },
  );

  it("lets nobody in without credentials or a certificate, and the worker says so", async () => {
    const { credentials: _, ...anonymous } = cluster.config;
    await expect(Nats.connect(anonymous, "dealer", log)).rejects.toMatchObject({
      code: "bad-config",
      message: expect.stringMatching(/does not let this process in .*; check workers\.nats\.credentials/),
    });
    // it would try for ever
    const info = ({ reason = "" }: { reason?: string }) => {
      if (/certificate/.test(reason)) throw new Error(`said: ${reason}`);
    };
    const { cert: _c, key: _k, ...tls } = cluster.config.tls!;
    const telling = { ...log, info } as unknown as Logger;
    await expect(Nats.connect({ ...cluster.config, tls }, "dealer", telling)).rejects.toThrow(/said:/);
  });
});
