/** What goes wrong gets an error that names the cause, in time. */
import { connect, deploy, httpsTransport } from "@sotto/client";
import { Ring, SottoError, shareTensors } from "@sotto/core";
import { encodeBundle } from "@sotto/wire";
import { keepConnected, readIdentity } from "@sotto/wire/node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newId } from "./parties.js";
import { makeTestFolder, TestCluster, type TestClusterOptions, tlsPaths } from "./testing/cluster.js";
import { largestError, testModel } from "./testing/models.js";
import { ask, sharesOf } from "./testing/raw.js";

const model = testModel();
const long = testModel(80);
const { compiled } = model;
const TIMEOUT_MS = 1500;
/** A second attempt would succeed. */
const once = { retries: 0 } as const;

type Folder = Awaited<ReturnType<typeof makeTestFolder>>;

/** What a promise is rejected with. */
async function failure(promise: Promise<unknown>): Promise<SottoError> {
  const error: unknown = await promise.then(
    () => new Error("no error"),
    (e) => e,
  );
  expect(error).toBeInstanceOf(SottoError);
  return error as SottoError;
}

let folder: Folder;
let cluster: TestCluster;

beforeAll(async () => {
  folder = await makeTestFolder();
});
afterAll(() => folder.remove());

async function start(limits: TestClusterOptions["limits"] = {}): Promise<void> {
  cluster = await TestCluster.start(folder.dir, { relays: true, limits });
  await deploy(cluster.as("owner"), "m", compiled);
}

/** The service works. */
async function works(): Promise<void> {
  const { outputs } = await (await cluster.client().model("m")).infer(model.input(1));
  expect(largestError(outputs, model.expected(1))).toBeLessThan(0.002);
}

/** It does, now or soon: links that broke are made anew. */
const worksAgain = () => expect.poll(() => works().then(() => "works", String)).toBe("works");

describe("a running cluster", () => {
  beforeAll(() => start());
  afterAll(() => cluster.stop());

  it("refuses requests that are wrong by themselves", async () => {
    const [body] = await sharesOf(model, 1);
    const good = { model: "m", session: newId(), body };
    const wrong: [string, Partial<typeof good> & { plan?: string; sizes?: string }, number, RegExp][] = [
      ["unknown model", { model: "other" }, 404, /server 0 holds no model named other; deploy it first/],
      ["plan", { plan: "0".repeat(64) }, 409, /client expects plan 0000\w+ of model m, server 0 holds \w+/],
      ["session", { session: "7" }, 400, /sotto-session: expected 32 hex digits/],
      ["sizes", { sizes: '{"time":-1}' }, 400, /sotto-sizes/],
      ["sizes that are no JSON", { sizes: "time" }, 400, /sotto-sizes: expected JSON/],
      [
        "short share",
        { session: newId(), body: body.subarray(1) },
        400,
        /input share of \d+ bytes expected.*got \d+/,
      ],
    ];
    for (const [what, change, status, message] of wrong) {
      const reply = await ask(cluster, 0, compiled, { ...good, ...change });
      expect([what, reply.status]).toEqual([what, status]);
      expect(reply.message).toMatch(message);
    }
    await works();
  });

  it("ends both sides of a session whose share has the wrong length at one server", async () => {
    const [a, b] = await sharesOf(model, 1);
    const session = newId();
    const replies = await Promise.all([
      ask(cluster, 0, compiled, { model: "m", session, body: a }),
      ask(cluster, 1, compiled, { model: "m", session, body: b.subarray(1) }),
    ]);
    for (const reply of replies) expect(reply.message).toMatch(/input share of \d+ bytes expected/);
    await works();
  });

  it("ends a session whose client states other sizes to each server, naming both", async () => {
    const [a, b] = await sharesOf(model, 1);
    const session = newId();
    const replies = await Promise.all([
      ask(cluster, 0, compiled, { model: "m", session, body: a, sizes: '{"time":6}' }),
      ask(cluster, 1, compiled, { model: "m", session, body: b, sizes: '{"time":7}' }),
    ]);
    for (const reply of replies) {
      expect(reply.code).toBe("plan-mismatch");
      expect(reply.message).toMatch(/\{"time":6\}.*\{"time":7\}/);
    }
    await works();
  });

  it("ends a session when its client goes", async () => {
    await deploy(cluster.as("owner"), "long", long.compiled);
    const remote = await cluster.client().model("long");
    const leave = new AbortController();
    const left = remote.infer(long.input(1), { signal: leave.signal });
    await cluster.toPeer!.after(10_000);
    leave.abort(new SottoError("timeout", "the user is impatient"));
    await expect(left).rejects.toThrow(/impatient/);
    await remote.infer(long.input(2));
  });

  it("names the server that goes in the middle of a session, and works again when it is back", async () => {
    await deploy(cluster.as("owner"), "long", long.compiled);
    const remote = await cluster.client().model("long");
    for (const party of [1, 0] as const) {
      const running = failure(remote.infer(long.input(1), once));
      await cluster.toPeer!.after(20_000);
      await cluster.stopServer(party);
      const error = await running;
      expect(error.code).toBe("unreachable");
      expect(error.message).toMatch(new RegExp(`server ${party}`));
      const gone = await failure(remote.infer(long.input(1), { timeoutMs: 3000, ...once }));
      expect([gone.code, gone.message]).toEqual([
        "unreachable",
        expect.stringMatching(new RegExp(`server ${party}`)),
      ]);
      await cluster.startServer(party);
      await works();
    }
  });

  it("refuses a second process of a role, and goes on with the first", async () => {
    const reasons: string[] = [];
    let links = 0;
    const newcomers = [
      { role: "server-1", remote: "server-0", port: cluster.servers[0]!.ports.peer! },
      { role: "server-0", remote: "dealer", port: cluster.dealer!.ports.listen },
    ] as const;
    const stops = newcomers.map(({ role, remote, port }) =>
      keepConnected({
        address: { host: "127.0.0.1", port },
        identity: readIdentity(tlsPaths(folder.dir, role)),
        self: { role, boot: newId() },
        remote,
        connectTimeoutMs: 5000,
        onLink: () => links++,
        onDown: (error) => reasons.push(error.message),
      }),
    );
    for (const { role } of newcomers) {
      const refusal = `another ${role} is connected already; stop one of the two`;
      await expect.poll(() => reasons.filter((r) => r === refusal).length).toBe(3);
    }
    await works();
    for (const stop of stops) stop();
    expect(links).toBe(0);
  });

  it("says so when an address is that of a server's peer section", async () => {
    const url = `https://127.0.0.1:${cluster.servers[0]!.ports.peer}`;
    const { servers, tls } = cluster.as("client");
    const client = connect({ servers: [{ url }, servers[1]], tls });
    const error = await failure(client.model("m"));
    client.close();
    expect(error.code).toBe("bad-config");
    expect(error.message).toMatch(
      /server 0 \(https:\S+\) does not speak HTTP; expected the address of a server's http/,
    );
  });

  it.each(["the dealer", "server 0", "server 1"])(
    "that loses %s and gets it back gives every client its result",
    async (who) => {
      await deploy(cluster.as("owner"), "long", long.compiled);
      const remote = await cluster.client().model("long");
      const tried: string[] = [];
      const running = remote.infer(long.input(1), {
        retries: 100,
        onProgress: (p) => p.stage === "retrying" && tried.push(p.error.code),
      });
      await (who === "the dealer" ? cluster.toDealer! : cluster.toPeer!).after(10_000);
      if (who === "the dealer") {
        await cluster.stopDealer();
        await cluster.startDealer();
      } else {
        const party = who === "server 0" ? 0 : 1;
        await cluster.stopServer(party);
        await cluster.startServer(party);
      }
      expect(largestError((await running).outputs, long.expected(1))).toBeLessThan(0.002);
      // the dealer may have dealt all of it by then
      const first = who === "the dealer" ? (tried[0] ?? "unreachable") : tried[0];
      expect(first).toBe("unreachable");
    },
  );

  it("says that the dealer went before its last correction", async () => {
    await deploy(cluster.as("owner"), "long", long.compiled);
    const remote = await cluster.client().model("long");
    const running = failure(remote.infer(long.input(1), once));
    await cluster.toDealer!.endAfter(20_000, "cut");
    const error = await running;
    expect(error.code).toBe("unreachable");
    expect(error.message).toMatch(/the dealer was lost before the session had its randomness/);
    await worksAgain();
  });

  it("refuses bundles for the other server, of another model, and of nobody", async () => {
    const owner = cluster.as("owner");
    const [share] = shareTensors(await Ring.create(), compiled.plan, compiled.tensors);
    const bundle = {
      deployment: newId(),
      plan: compiled.plan,
      tables: new Uint8Array(0),
      share,
      party: 1 as const,
    };
    const swapped = encodeBundle(bundle);
    const cases: [Uint8Array, "owner" | "client", RegExp][] = [
      [swapped, "owner", /bundle is for server 1, this is server 0/],
      [encodeBundle({ ...bundle, share: share.subarray(8) }), "owner", /a share of another model/],
      [new Uint8Array(100), "owner", /bundle/],
      [swapped, "client", /not for the certificate of "client"; expected that of owner/],
    ];
    for (const [body, role, message] of cases) {
      const transport = httpsTransport(cluster.as(role));
      const url = `${owner.servers[0].url}/v2/models/n`;
      const headers = { "content-type": "application/octet-stream" };
      const reply = await transport.request({ method: "PUT", url, role: "server-0", headers, body });
      transport.close();
      expect(JSON.parse(new TextDecoder().decode(reply.body)).message).toMatch(message);
    }
  });

  it("says when the servers hold different plans, or shares of different deployments", async () => {
    const put = async (server: 0 | 1, source: typeof compiled) => {
      const transport = httpsTransport(cluster.as("owner"));
      const share = shareTensors(await Ring.create(), source.plan, source.tensors)[server];
      const { plan } = source;
      const body = encodeBundle({
        party: server,
        deployment: newId(),
        plan,
        tables: new Uint8Array(0),
        share,
      });
      const url = `${cluster.as("owner").servers[server].url}/v2/models/mixed`;
      const headers = { "content-type": "application/octet-stream" };
      await transport.request({
        method: "PUT",
        url,
        role: server === 0 ? "server-0" : "server-1",
        headers,
        body,
      });
      transport.close();
    };
    await put(0, compiled);
    await put(1, long.compiled);
    const error = await failure(cluster.client().model("mixed"));
    expect(error.code).toBe("plan-mismatch");
    expect(error.message).toMatch(/server 0 serves plan (\w{64}), server 1 serves plan (?!\1)\w{64}/);
    await put(1, compiled);
    const remote = await cluster.client().model("mixed");
    expect((await failure(remote.infer(model.input(1), once))).message).toMatch(
      /server 0 holds deployment \w+, server 1 holds/,
    );
    const pinned = await failure(cluster.client().model("m", { plan: "0".repeat(64) }));
    expect(pinned.message).toMatch(/the servers serve plan \w+, expected plan 0{64}/);
  });
});

describe("a cluster that waits for little", () => {
  beforeEach(() => start({ sessionTimeoutMs: TIMEOUT_MS, roundTimeoutMs: 1000 }));
  afterEach(() => cluster.stop());

  it.each([0, 1] as const)("ends a session whose request reaches server %i only", async (server) => {
    const shares = await sharesOf(model, 1);
    const reply = await ask(cluster, server, compiled, {
      model: "m",
      session: newId(),
      body: shares[server],
    });
    expect([reply.status, reply.code]).toEqual([504, "timeout"]);
    // server 0 hears of it from server 1, whose session began with the dealer's message
    expect(reply.message).toMatch(/waited 1500 ms for .*(the other server|this server) only/);
    await worksAgain();
  });

  it("notices a server that says nothing any more", async () => {
    await deploy(cluster.as("owner"), "long", long.compiled);
    const remote = await cluster.client().model("long");
    const running = failure(remote.infer(long.input(1), once));
    await cluster.toPeer!.endAfter(20_000, "stall");
    const error = await running;
    expect(error.code).toBe("timeout");
    expect(error.message).toMatch(/server [01] has been silent for 1 s in round \d+ of 401/);
  });

  it("names the dealer, not a server that waits for it, when the dealer says nothing any more", async () => {
    await deploy(cluster.as("owner"), "long", long.compiled);
    const remote = await cluster.client().model("long");
    const running = failure(remote.infer(long.input(1), once));
    await cluster.toDealer!.endAfter(20_000, "stall");
    const error = await running;
    expect(error.code).toBe("timeout");
    expect(error.message).toMatch(/the dealer has been silent for 0.75 s/);
  });

  it("says that the dealer has gone, and works again when it is back", async () => {
    await cluster.stopDealer();
    const remote = await cluster.client().model("m");
    const error = await failure(remote.infer(model.input(1), once));
    expect(error.code).toBe("unreachable");
    expect(error.message).toMatch(/the dealer is not connected/);
    await cluster.startDealer();
    // the servers come back within a second or two; a request waits for less than that here
    await worksAgain();
  });
});

describe("a cluster that is not there", () => {
  it("is reported as unreachable, with the address", async () => {
    const servers = [{ url: "https://127.0.0.1:1" }, { url: "https://127.0.0.1:1" }] as const;
    const error = await failure(connect({ servers, tls: tlsPaths(folder.dir, "client") }).model("m"));
    expect(error.code).toBe("unreachable");
    expect(error.message).toMatch(/server [01] \(https:\/\/127\.0\.0\.1:1\) is unreachable/);
  });
});
