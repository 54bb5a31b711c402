/** The three daemons as processes of their own: their logs tell alike of a session, and SIGTERM drains. */
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type HttpRequest, httpsTransport, loadCluster } from "@sotto/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { portsFrom, writeCluster } from "./cluster/files.js";
import { freePorts, type Running, until, Workshop } from "./testing/sotto.js";

const shop = new Workshop();
afterAll(() => shop.close());

const PARTIES = ["dealer", "server-0", "server-1"] as const;
const INFO = 30;
const SESSION = /^[0-9a-f]{32}$/;
const input = { x: { shape: [4, 1, 3], data: new Float64Array(12) } };
const daemons = {} as Record<(typeof PARTIES)[number], Running>;

/** A daemon's log so far. */
function log(party: keyof typeof daemons): Record<string, unknown>[] {
  const lines = daemons[party].stderr.split("\n").filter((line) => /^\{.*\}$/.test(line));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A client whose requests for sessions can be kept from server 1. */
function client() {
  const cluster = loadCluster(shop.path("c/cluster-client.yaml"));
  const transport = httpsTransport(cluster);
  const sessions: string[] = [];
  const held: { until?: Promise<void> } = {};
  const request = async (asked: HttpRequest) => {
    const session = asked.headers?.["sotto-session"];
    if (session && asked.role === "server-0") sessions.push(session);
    if (session && asked.role === "server-1") await held.until;
    return transport.request(asked);
  };
  const made = connect(cluster, { transport: { request, close: () => transport.close() } });
  return { sessions, held, model: () => made.model("m"), close: () => made.close() };
}

beforeAll(async () => {
  await writeCluster(shop.path("c"), portsFrom(await freePorts()));
  for (const party of PARTIES) {
    const config = shop.path("c", `${party}.yaml`);
    writeFileSync(config, readFileSync(config, "utf8").replace("level: info", "level: debug"));
    daemons[party] = shop.start([party === "dealer" ? "dealer" : "server", "--config", config]);
  }
  for (const daemon of Object.values(daemons)) {
    await until(() => daemon.stdout.includes("listening"), "a daemon's start", 60_000);
  }
  const file = shop.model("gru", { hidden: 4, inputSize: 3, steps: 4, batch: 1, resetAfter: true });
  const to = ["--name", "m", "--cluster", "c/cluster-owner.yaml", "--input-range", "1"];
  const { code, stderr } = await shop.sotto("deploy", file, ...to);
  expect([code, stderr]).toEqual([0, ""]);
});

describe("the daemons", () => {
  it("tell of an inference under one session id", async () => {
    const { model, sessions, close } = client();
    await (await model()).infer(input);
    close();
    const [session] = sessions;
    expect(session).toMatch(SESSION);
    const about = (party: keyof typeof daemons) => log(party).filter((line) => line.session === session);
    const last = { dealer: "session dealt", "server-0": "session done", "server-1": "session done" };
    for (const party of PARTIES) {
      await until(() => about(party).some((line) => line.msg === last[party]), `${party}: ${last[party]}`);
      for (const line of about(party)) expect(line.level).toBeLessThanOrEqual(INFO);
      // it is named by this key alone
      const naming = log(party).filter((line) => JSON.stringify(line).includes(session!));
      expect(naming).toEqual(about(party));
    }
    // who asked is in the audit's line, which comes once the reply is out
    const isOwn = (line: { level?: number; audit?: unknown }) => line.level === INFO && !line.audit;
    const joined = PARTIES.flatMap((party) => about(party).filter(isOwn));
    expect(joined.map((line) => [line.name, line.msg])).toEqual(PARTIES.map((party) => [party, last[party]]));
    const [, server0, server1] = joined;
    expect(server0!.rounds).toBe(server1!.rounds);
  });

  it("end on SIGTERM when what runs has ended, and take nothing new", async () => {
    const { model, sessions, held, close } = client();
    const remote = await model();
    let release = () => {};
    held.until = new Promise((resolve) => {
      release = resolve;
    });
    const running = remote.infer(input);
    // its randomness is dealt, or was ahead of it
    const begun = () => [
      ...log("dealer"),
      ...log("server-0").filter((line) => line.msg === "prepared randomness assigned"),
    ];
    await until(
      () => begun().some((line) => line.session !== undefined && line.session === sessions[0]),
      "the session's randomness",
    );
    held.until = undefined;
    daemons["server-0"].process.kill("SIGTERM");
    await until(() => log("server-0").some((line) => line.msg === "takes no new session"), "draining");
    await expect(remote.infer(input)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/server 0 is shutting down and takes no new session/),
    });
    expect(daemons["server-0"].process.exitCode).toBeNull();
    release();
    expect(Object.keys((await running).outputs).length).toBeGreaterThan(0);
    close();
    expect(await daemons["server-0"].finished).toMatchObject({ code: 0, signal: null });
    for (const party of ["server-1", "dealer"] as const) daemons[party].process.kill("SIGTERM");
    for (const daemon of Object.values(daemons)) expect((await daemon.finished).code).toBe(0);
  });
});
