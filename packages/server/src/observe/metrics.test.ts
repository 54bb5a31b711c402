/** What the parties' metrics say of inferences over real TLS, exactly where it is exact. */
import { deploy } from "@sotto/client";
import { cost, instantiate } from "@sotto/core";
import { HEADER_BYTES } from "@sotto/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { testModel } from "../testing/models.js";
import { ask, sharesOf } from "../testing/raw.js";
import { type Samples, scrape } from "../testing/scrape.js";

const model = testModel();
const { program } = instantiate(model.compiled.plan, {});
const declared = cost(program);
const PARTIES = ["dealer", "server-0", "server-1"] as const;
type Reading = Record<(typeof PARTIES)[number], Samples>;

describe("metrics", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  beforeAll(async () => {
    folder = await makeTestFolder();
    cluster = await TestCluster.start(folder.dir, {
      metrics: true,
      config: { clients: { limits: { concurrent: 2 } } },
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  const port = (party: (typeof PARTIES)[number]) =>
    (party === "dealer" ? cluster.dealer : cluster.servers[party === "server-0" ? 0 : 1])?.ports.metrics;
  const read = async (): Promise<Reading> => {
    const read = await Promise.all(PARTIES.map(async (p) => [p, (await scrape(port(p))).samples]));
    return Object.fromEntries(read);
  };
  const dealt = (reading: Reading) => reading.dealer("sotto_sessions_total", { outcome: "ok" });

  it("count sessions, rounds and bytes of inferences as the plan declares them", async () => {
    const remote = await cluster.client().model("m");
    const before = await read();
    const n = 3;
    for (let i = 0; i < n; i++) await remote.infer(model.input(i));
    await expect.poll(async () => dealt(await read()) - dealt(before)).toBe(n);
    const after = await read();
    const grown = (party: keyof Reading, name: string, labels?: Record<string, string>) =>
      after[party](name, labels) - before[party](name, labels);
    const data = (party: keyof Reading, other: string, direction: string) =>
      grown(party, "sotto_bytes_total", { other, direction, kind: "data" });

    const online = declared.openingBytes + HEADER_BYTES * declared.rounds;
    const corrections = declared.correctionBytes + HEADER_BYTES * program.stages.length;
    for (const [us, them] of [
      ["server-0", "server-1"],
      ["server-1", "server-0"],
    ] as const) {
      expect(grown(us, "sotto_sessions_total", { outcome: "ok" })).toBe(n);
      expect(grown(us, "sotto_sessions_total")).toBe(n);
      expect(grown(us, "sotto_rounds_total")).toBe(n * declared.rounds);
      expect(data(us, them, "sent")).toBe(n * online);
      expect(data(us, them, "received")).toBe(n * online);
      expect(data(us, "client", "received")).toBe(n * declared.inputBytes);
      expect(data(us, "client", "sent")).toBe(n * declared.outputBytes);
      expect(grown(us, "sotto_session_seconds_count")).toBe(n);
    }
    expect(data("dealer", "server-1", "sent")).toBe(n * corrections);
    expect(data("server-1", "dealer", "received")).toBe(n * corrections);
    expect(data("server-0", "dealer", "received")).toBe(0);
    expect(data("dealer", "server-0", "sent")).toBe(0);
  });

  it("split the time of a session without a rest", async () => {
    const remote = await cluster.client().model("m");
    await remote.infer(model.input(1));
    const { "server-0": server0, "server-1": server1 } = await read();
    for (const samples of [server0, server1]) {
      const sum = samples("sotto_session_seconds_sum");
      expect(samples("sotto_session_spent_seconds_sum")).toBeCloseTo(sum, 6);
      for (const spent of ["dealer", "peer", "compute"]) {
        expect(samples("sotto_session_spent_seconds_sum", { spent })).toBeGreaterThan(0);
      }
    }
    // server 0 makes its own randomness, and waits for nobody but server 1 in the rounds
    expect(server0("sotto_session_spent_seconds_sum", { phase: "rounds", spent: "dealer" })).toBe(0);
  });

  it("name outcomes by their code, and nothing that a client has chosen", async () => {
    const before = (await read())["server-0"];
    const [share] = await sharesOf(model, 1);
    const session = newId();
    const body = share.subarray(1);
    const reply = await ask(cluster, 0, model.compiled, { model: "m", session, body });
    expect(reply.code).toBe("bad-input");
    await ask(cluster, 0, model.compiled, { model: "unknown-name", session: newId(), body });
    const { samples, text } = await scrape(port("server-0"));
    const outcome = { outcome: "bad-input" };
    expect(samples("sotto_sessions_total", outcome) - before("sotto_sessions_total", outcome)).toBe(1);
    for (const chosen of [session, "unknown-name"]) expect(text).not.toContain(chosen);
    const names = [...text.matchAll(/[{,]([a-z_]+)="/g)].map(([, name]) => name);
    const bounded = ["party", "outcome", "other", "direction", "kind", "doing", "phase", "spent", "le"];
    const process = ["quantile", "space", "type", "version", "major", "minor", "patch"];
    for (const name of names) expect([...bounded, ...process]).toContain(name);
  });

  it("count streams, their steps, and what a client's limits refuse", async () => {
    const before = (await read())["server-0"];
    const remote = await cluster.client().model("m");
    const streams = [await remote.stream({ steps: 2 }), await remote.stream()];
    const { x } = model.input(1);
    await streams[0]!.step({ x: { shape: [2, 1, 4], data: x!.data.slice(0, 8) } });
    const [body] = await sharesOf(model, 1);
    const refused = await ask(cluster, 0, model.compiled, { model: "m", session: newId(), body });
    expect(refused).toMatchObject({ status: 429, code: "busy" });
    const busy = { outcome: "busy" };
    const grown = async () => {
      const { samples } = await scrape(port("server-0"));
      const of = (name: string, labels = {}) => samples(name, labels) - before(name, labels);
      return [of("sotto_streams"), of("sotto_stream_steps_total"), of("sotto_sessions_total", busy)];
    };
    await expect.poll(grown).toEqual([2, 2, 1]);
    for (const stream of streams) await stream.close();
    await expect.poll(grown).toEqual([0, 2, 1]);
  });

  it("show the state: models, connections, nothing running, process figures", async () => {
    const reading = await read();
    for (const party of ["server-0", "server-1"] as const) {
      expect(reading[party]("sotto_models")).toBe(1);
      expect(reading[party]("sotto_models_ready")).toBe(1);
    }
    for (const party of PARTIES) {
      expect(reading[party]("sotto_connection_up")).toBe(2);
      expect(reading[party]("process_resident_memory_bytes")).toBeGreaterThan(1e6);
      expect(reading[party]("sotto_queue_length")).toBe(0);
    }
    await expect
      .poll(async () => Object.values(await read()).map((samples) => samples("sotto_sessions_running")))
      .toEqual([0, 0, 0]);
  });

  it("answer health beside them: ready only with both connections", async () => {
    const get = async (path: string) => {
      const reply = await fetch(`http://127.0.0.1:${port("server-0")}${path}`);
      return [reply.status, await reply.text()] as const;
    };
    expect(await get("/v2/health/live")).toEqual([200, '{"live":true}']);
    expect(await get("/v2/health/ready")).toEqual([200, '{"ready":true}']);
    expect((await get("/secret"))[0]).toBe(404);
    const json = JSON.parse((await get("/metrics.json"))[1]) as { name: string }[];
    expect(json.map(({ name }) => name)).toContain("sotto_rounds_total");
    await cluster.stopDealer();
    await expect.poll(async () => (await get("/v2/health/ready"))[0]).toBe(503);
    expect((await get("/v2/health/ready"))[1]).toMatch(/the dealer is not connected/);
    expect((await scrape(port("server-0"))).samples("sotto_connection_up", { other: "dealer" })).toBe(0);
  });
});
