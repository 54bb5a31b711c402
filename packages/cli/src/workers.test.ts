/** Several workers of each party, each party with a NATS of its own: killed, upgraded and cut off, with clients at work. */
import { randomInt } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, connect, deploy, loadCluster, type RemoteModel } from "@sotto/client";
import { compile, instantiate, runClear, SottoError } from "@sotto/core";
import { randomGru, randomInput } from "@sotto/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsServer } from "./cluster/nats.js";
import { type LocalWorker, PARTY_NAMES, WorkerCluster } from "./cluster/workers.js";
import { until } from "./testing/sotto.js";
import { read } from "./top/read.js";

const STEPS = 24;
const INPUTS = 4;
const CLIENTS = 4;
/** Nothing takes so long; a slow machine may take a while. */
const HANG_MS = 400_000;

const compiled = compile(randomGru({ seed: 1, hidden: 8, inputSize: INPUTS, steps: STEPS, head: 3 }));
const { program } = instantiate(compiled.plan, {});
const installed = natsServer() !== undefined;
if (!installed && !process.env.CI)
  console.warn("workers.test.ts is skipped: nats-server is not installed (apt-get install nats-server)");

let dir: string;
let cluster: WorkerCluster;
let client: Client;
let model: RemoteModel;

/** One inference. @throws when its result is not that of the plain model. */
async function once(retries: number): Promise<void> {
  const data = randomInput(`input ${randomInt(2 ** 32)}`, STEPS * INPUTS);
  const options = { retries, timeoutMs: HANG_MS };
  const { outputs } = await model.infer({ x: { shape: [STEPS, 1, INPUTS], data } }, options);
  for (const [name, values] of Object.entries(runClear(program, compiled.tensors, { x: data }))) {
    values.forEach((v, i) => {
      if (!(Math.abs(v - outputs[name]!.data[i]!) < 0.002)) throw new Error(`a wrong result: ${name}`);
    });
  }
}

/** Clients that ask again and again while `work` goes on, and some times after it. None may fail: that is asserted. */
async function underLoad(work: () => Promise<void>): Promise<void> {
  let left = Number.POSITIVE_INFINITY;
  let done = 0;
  const clients = Array.from({ length: CLIENTS }, async () => {
    for (; left > 0; left--) {
      await once(1000);
      done++;
    }
  });
  const all = Promise.all(clients);
  all.catch(() => {});
  const enough = async (n: number) => {
    const goal = done + n;
    await Promise.race([all, until(() => done >= goal, "results of clients at work", HANG_MS)]);
  };
  await enough(CLIENTS);
  await work();
  await enough(CLIENTS);
  left = 2 * CLIENTS;
  await all;
}

function lines(prefix: string): Record<string, unknown>[] {
  const names = readdirSync(dir).filter((name) => name.startsWith(prefix) && name.endsWith(".log"));
  return names.flatMap((name) =>
    readFileSync(join(dir, name), "utf8")
      .split("\n")
      .flatMap((line) => {
        try {
          return [{ ...(JSON.parse(line) as Record<string, unknown>), file: name }];
        } catch {
          return []; // half a line of a killed process
        }
      }),
  );
}

/** Sessions that a worker has finished. */
function served({ name }: LocalWorker): number {
  return lines(`${name}.`).filter((l) => l.msg === "session done" || l.msg === "session dealt").length;
}

function repeated(list: unknown[]): unknown[] {
  return list.filter((item, i) => list.indexOf(item) !== i);
}

describe.skipIf(!installed && !process.env.CI)("parties of several workers", () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
    cluster = await WorkerCluster.start(dir, { workers: 2, version: "one", level: "debug" });
    await deploy(loadCluster(cluster.owner), "m", compiled, { timeoutMs: HANG_MS });
    client = connect(loadCluster(cluster.client));
    model = await client.model("m");
  }, HANG_MS);
  afterAll(async () => {
    client?.close();
    await cluster?.close();
    if (dir) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }, HANG_MS);

  it("are asked by their front alone, whatever certificate somebody shows", async () => {
    const url = (party: "server-0" | "server-1") => `https://127.0.0.1:${cluster.of(party)[0]!.ports.http}`;
    for (const file of [cluster.client, cluster.owner]) {
      const given = loadCluster(file);
      const direct = connect({ ...given, servers: [{ url: url("server-0") }, { url: url("server-1") }] });
      await expect(direct.list({ retries: 0 })).rejects.toMatchObject({
        code: "forbidden",
        message: expect.stringMatching(/a worker's API is for the party's front alone/),
      });
      direct.close();
    }
  });

  it(
    "share the work, and their front adds up what they count",
    async () => {
      await underLoad(async () => {
        const idle = () => cluster.workers.filter((w) => served(w) === 0).map((w) => w.name);
        await until(() => idle().length === 0, "every worker to have served", HANG_MS);
      });
      for (const { party, ports } of cluster.fronts) {
        const source = { party, url: `http://127.0.0.1:${ports.metrics}` };
        const logged = () =>
          lines(`${party}-worker`).filter((l) => /^session (done|dealt)$/.test(String(l.msg))).length;
        // logs are written while we read them, and the pools are filled
        const difference = async () => {
          const { values } = await read(source, 60_000);
          return (values?.("sotto_sessions_total", { outcome: "ok" }) ?? Number.NaN) - logged();
        };
        await expect.poll(difference, { timeout: HANG_MS }).toBe(0);
        expect(logged()).toBeGreaterThan(0);
        const models = async () => {
          const { values, error } = await read(source, 60_000);
          return values?.("sotto_models") ?? error;
        };
        await expect.poll(models, { timeout: HANG_MS }).toBe(party === "dealer" ? 4 : 1);
        const links = async () => {
          const { values } = await read(source, 60_000);
          return [values?.("sotto_workers"), values?.("sotto_connection_up")];
        };
        // each of two workers is connected to both others
        await expect.poll(links, { timeout: HANG_MS }).toEqual([2, 4]);
      }
    },
    HANG_MS,
  );

  it(
    "lose nothing when a worker of each is killed",
    async () => {
      await underLoad(async () => {
        for (const party of PARTY_NAMES) {
          // the first one, too, whose address is the one that is configured
          await cluster.kill(cluster.of(party)[party === "dealer" ? 0 : randomInt(2)]!);
          await once(1000);
        }
      });
      const dealt = lines("dealer-worker").filter((l) => l.msg === "dealing");
      expect(repeated(dealt.map((l) => l.deal))).toEqual([]);
      for (const party of ["server-0", "server-1"]) {
        const begun = lines(`${party}-worker`).filter((l) => l.msg === "rounds begin");
        expect(begun.length).toBeGreaterThan(0);
        expect(repeated(begun.map((l) => l.deal))).toEqual([]);
        expect(repeated(begun.map((l) => l.session))).toEqual([]);
      }
    },
    HANG_MS,
  );

  it(
    "finish what runs while NATS is away, refuse what is new, and come back",
    async () => {
      const data = randomInput("a stream", STEPS * INPUTS);
      const step = (i: number) => ({
        x: { shape: [1, 1, INPUTS], data: data.subarray(i * INPUTS, (i + 1) * INPUTS) },
      });
      for (const party of ["server-0", "server-1", "dealer"] as const) {
        const stream = party === "dealer" ? undefined : await model.stream({ timeoutMs: HANG_MS });
        await stream?.step(step(0));
        await cluster.nats[party].stop();
        // what was dealt ahead of demand is served first
        let outcome = "";
        while (!/NATS.*try again/.test(outcome)) {
          outcome = await once(0).then(() => "a result", describeError);
          expect(outcome).toMatch(/^(a result$|unreachable: )/);
        }
        for (let i = 1; i < 6; i++) await stream?.step(step(i));
        await stream?.close();
        const waiting = Promise.all([once(1000), once(1000)]);
        await cluster.nats[party].start();
        await waiting;
      }
      // and in the middle of everything
      await underLoad(async () => {
        for (const party of PARTY_NAMES) {
          await cluster.nats[party].stop();
          await cluster.nats[party].start();
          await once(1000);
        }
      });
    },
    HANG_MS,
  );

  it(
    "are upgraded one by one, with versions that never meet",
    async () => {
      const old = [...cluster.workers];
      const before = lines("server-1-worker").length;
      await underLoad(async () => {
        // each party in its own time, without the others doing anything
        const added: LocalWorker[] = [];
        for (const party of PARTY_NAMES) {
          added.push(await cluster.add(party, "two"));
          await once(1000);
        }
        await until(() => added.every((w) => served(w) > 0), "the new workers to serve", HANG_MS);
        for (const worker of old) {
          await cluster.drain(worker);
          await once(1000);
        }
      });
      expect(lines("server-1-worker").length).toBeGreaterThan(before);
      const lanes = (prefix: string) =>
        new Set(lines(prefix).flatMap((l) => (l.msg === "rounds begin" ? [`${l.worker} ${l.lane}`] : [])));
      const newest = (party: string) => cluster.workers.find((w) => w.party === party)!;
      const idOf = (w: LocalWorker) => String(lines(`${w.name}.`)[0]!.worker);
      const [s0, s1] = [newest("server-0"), newest("server-1")];
      expect([...lanes(`${s0.name}.`)]).toEqual([`${idOf(s0)} ${idOf(s1)}`]);
      expect([...lanes(`${s1.name}.`)]).toEqual([`${idOf(s1)} ${idOf(s0)}`]);
    },
    HANG_MS,
  );

  it(
    "hold what the owner has deployed, and nothing that it has removed",
    async () => {
      const owner = connect(loadCluster(cluster.owner));
      const stored = (w: LocalWorker) =>
        readdirSync(join(dir, `data-${w.name}`)).filter((file) => file.endsWith(".model"));
      const servers = cluster.workers.filter((w) => w.party !== "dealer");
      servers.push(await cluster.add("server-0", "two"), await cluster.add("server-1", "two"));
      await until(
        () => servers.every((w) => stored(w).length === 1),
        "each worker to hold the model",
        HANG_MS,
      );
      const next = compile(randomGru({ seed: 2, hidden: 8, inputSize: INPUTS, steps: STEPS, head: 3 }));
      const { version } = await deploy(loadCluster(cluster.owner), "m", next, { timeoutMs: HANG_MS });
      const newest = (w: LocalWorker) => stored(w).length === 1 && stored(w)[0]!.includes(version);
      await until(() => servers.every(newest), "each worker to hold the new version alone", HANG_MS);
      await owner.remove("m");
      await until(
        () => servers.every((w) => stored(w).length === 0),
        "each worker to remove the model",
        HANG_MS,
      );
      await expect(once(0)).rejects.toMatchObject({ code: "not-found" });
      owner.close();
    },
    HANG_MS,
  );
});

function describeError(error: unknown): string {
  return error instanceof SottoError ? `${error.code}: ${error.message}` : String(error);
}
