/** When a call is tried again, with what, and when not; against servers that answer from memory. */
import { compile, instantiate, packedBytes, planHash, SottoError } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { connect, type HttpReply, type HttpRequest, type HttpTransport, type Progress } from "./index.js";
import { withRetries } from "./retry.js";

const { plan } = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));
const cluster = { servers: [{ url: "https://a" }, { url: "https://b" }] } as const;
const input = { x: { shape: [2, 1, 3], data: new Float64Array(6).fill(0.5) } };
const hash = planHash(plan);
const quick = { backoffMs: 1 };
const NO_STATS = { onlineMs: 1, offlineMs: 1, rounds: 1, onlineBytes: 1, offlineBytes: 1 };

function reply(status: number, body: Uint8Array | object, headers: Record<string, string> = {}): HttpReply {
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
  return { status, header: (name) => headers[name], body: bytes };
}

const refused = (code: string, status: number, headers = {}) =>
  reply(status, { code, message: code }, headers);

/** A share of an output that is zero everywhere. */
let output: Uint8Array;
beforeAll(() => {
  const network = instantiate(plan, {});
  const { outputs } = network.program;
  output = new Uint8Array(outputs.reduce((n, o) => n + packedBytes(o.length, o.modulus), 0));
});

function result(version = "1"): HttpReply {
  const stats = JSON.stringify({ ...NO_STATS, saw: { input: "", message: "" } });
  return reply(200, output, { "sotto-stats": stats, "sotto-version": version });
}

type Answer = (request: HttpRequest, attempt: number) => HttpReply;

/** Servers that answer the n-th request of each for an inference. */
function servers(answer: Answer): HttpTransport & { posts: HttpRequest[] } {
  const counts = new Map<string, number>();
  const posts: HttpRequest[] = [];
  return {
    posts,
    async request(request) {
      if (request.method === "GET") return reply(200, { plan, hash });
      posts.push(request);
      const attempt = (counts.get(request.role) ?? 0) + 1;
      counts.set(request.role, attempt);
      return answer(request, attempt);
    },
    close() {},
  };
}

async function infer(answer: Answer, options = {}) {
  const transport = servers(answer);
  const model = await connect(cluster, { transport, token: ["t0", "t1"] }).model("m");
  const events: Progress[] = [];
  const outcome = await model
    .infer(input, { ...quick, ...options, onProgress: (p) => events.push(p) })
    .catch((e: unknown) => e as SottoError);
  return { ...transport, outcome, events };
}

describe("an inference that fails", () => {
  it.each([
    ["unreachable", 503],
    ["busy", 429],
    ["conflict", 409],
  ])("with %s is tried again in a fresh session with fresh shares, and says so", async (code, status) => {
    const { posts, outcome, events } = await infer(({ role }, attempt) =>
      role === "server-1" && attempt < 3 ? refused(code, status) : result(),
    );
    expect(outcome).not.toBeInstanceOf(Error);
    const sessions = new Set(posts.map((r) => r.headers!["sotto-session"]));
    expect([posts.length, sessions.size]).toEqual([6, 3]);
    const bodies = new Set(posts.map((r) => Buffer.from(r.body!).toString("hex")));
    expect(bodies.size).toBe(6);
    const retries = events.filter((e) => e.stage === "retrying");
    expect(retries.map((e) => [e.attempt, e.error.code])).toEqual([
      [2, code],
      [3, code],
    ]);
    expect(events.map((e) => e.stage).filter((s) => s === "sharing" || s === "sent").length).toBe(6);
    expect(events.slice(-3).map((e) => e.stage)).toEqual(["server", "server", "done"]);
    // each server its own token
    for (const { role, headers } of posts)
      expect(headers!.authorization).toBe(`Bearer ${role === "server-0" ? "t0" : "t1"}`);
  });

  it.each([
    ["bad-input", 400],
    ["unauthorized", 401],
    ["forbidden", 403],
    ["not-found", 404],
    ["plan-mismatch", 409],
    ["internal", 500],
    ["timeout", 504],
  ])("with %s is not tried again", async (code, status) => {
    const { posts, outcome } = await infer(() => refused(code, status));
    expect(outcome).toMatchObject({
      code,
      message: expect.stringMatching(new RegExp(`server 0 .*: ${code}`)),
    });
    expect(new Set(posts.map((r) => r.headers!["sotto-session"])).size).toBe(1);
  });

  it("is tried as often as it was said, and ends with its last error", async () => {
    for (const retries of [0, 2]) {
      const { posts, outcome } = await infer(() => refused("unreachable", 503), { retries });
      expect(outcome).toMatchObject({ code: "unreachable" });
      expect(posts.length).toBe(2 * (retries + 1));
    }
  });

  it("waits as long as the server says, and not at all when that is beyond the deadline", async () => {
    const busy = { "retry-after": "30" };
    const { posts, outcome } = await infer(() => refused("busy", 429, busy), { timeoutMs: 20_000 });
    expect(outcome).toMatchObject({ code: "busy", retryAfterMs: 30_000 });
    expect(posts.length).toBe(2);
    const { outcome: late } = await infer(() => refused("unreachable", 503), {
      timeoutMs: 50,
      backoffMs: 10,
      retries: 1000,
    });
    expect(late).toBeInstanceOf(SottoError);
    expect((late as SottoError).message).toMatch(/unreachable/);
  });

  it("stops when its user does", async () => {
    const stop = new AbortController();
    const transport = servers(() => refused("unreachable", 503));
    const model = await connect(cluster, { transport }).model("m");
    const attempt = model.infer(input, {
      backoffMs: 60_000,
      timeoutMs: 1e9,
      signal: stop.signal,
      onProgress: (p) => p.stage === "retrying" && stop.abort(new Error("enough")),
    });
    await expect(attempt).rejects.toThrow("enough");
    expect(transport.posts.length).toBe(2);
  });

  it("because the servers ran different versions never gives a result", async () => {
    const { outcome } = await infer(({ role }) => result(role === "server-0" ? "1" : "2"));
    expect(outcome).toMatchObject({
      code: "plan-mismatch",
      message: expect.stringMatching(/server 0 ran version 1, server 1 ran version 2/),
    });
  });
});

describe("pauses between attempts", () => {
  it("grow, with jitter, up to what the server asks for at least", async () => {
    const waits: number[] = [];
    const deadline = { signal: new AbortController().signal, endsAt: performance.now() + 1e9 };
    const failing = (attempt: number) => {
      const retryAfterMs = attempt === 3 ? 40 : undefined;
      return Promise.reject(new SottoError("busy", "not now", retryAfterMs ? { retryAfterMs } : {}));
    };
    const outcome = withRetries({ retries: 3, backoffMs: 2 }, deadline, failing, ({ afterMs }) =>
      waits.push(afterMs),
    );
    await expect(outcome).rejects.toThrow("not now");
    const [a, b, c] = waits as [number, number, number];
    expect(a).toBeGreaterThanOrEqual(1);
    expect(a).toBeLessThanOrEqual(3);
    expect(b).toBeGreaterThanOrEqual(2);
    expect(b).toBeLessThanOrEqual(6);
    expect(c).toBe(40);
  });
});

describe("the description of a model", () => {
  it("is asked for again while the servers are being deployed to, and refused when they go on to differ", async () => {
    const other = { ...plan, name: "other" };
    const answers = (until: number): HttpTransport => {
      let asked = 0;
      return {
        async request({ role }) {
          const changed = role === "server-1" && asked++ < until;
          return reply(200, changed ? { plan: other, hash: planHash(other) } : { plan, hash });
        },
        close() {},
      };
    };
    const model = await connect(cluster, { transport: answers(2) }).model("m", quick);
    expect(model.hash).toBe(hash);
    await expect(connect(cluster, { transport: answers(9) }).model("m", quick)).rejects.toMatchObject({
      code: "plan-mismatch",
      message: expect.stringMatching(/server 0 serves plan \w+, server 1 serves plan \w+; deploy it again/),
    });
  });

  it("is refused when the servers have swapped the model, whose plan the caller knows", async () => {
    const other = { ...plan, name: "other" };
    const swapped: HttpTransport = {
      request: async () => reply(200, { plan: other, hash: planHash(other) }),
      close() {},
    };
    await expect(
      connect(cluster, { transport: swapped }).model("m", { plan: hash, ...quick }),
    ).rejects.toMatchObject({ code: "plan-mismatch", message: expect.stringContaining(hash) });
    // a server that goes on to state the plan of the old model is found out as well
    const lying: HttpTransport = { request: async () => reply(200, { plan: other, hash }), close() {} };
    await expect(connect(cluster, { transport: lying }).model("m", { plan: hash, ...quick })).rejects.toThrow(
      /states plan \w+, the plan it sent has hash/,
    );
  });
});
