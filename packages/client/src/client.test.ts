/** The client against servers that answer from memory. */
import { compile, planHash, SottoError } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { describe, expect, it } from "vitest";
import * as client from "./index.js";
import { connect, deploy, type HttpReply, type HttpRequest, type HttpTransport } from "./index.js";

const compiled = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));
const cluster = { servers: [{ url: "https://a" }, { url: "https://b/" }] } as const;
const input = { x: { shape: [2, 1, 3], data: new Float64Array(6) } };

function reply(value: unknown, status = 200): HttpReply {
  return { status, header: () => undefined, body: new TextEncoder().encode(JSON.stringify(value)) };
}

/** Answers descriptions of the model, and everything else as given. */
function servers(
  answer: (request: HttpRequest) => HttpReply | Promise<HttpReply>,
  describeModel: (server: number) => object = () => ({ plan: compiled.plan, hash: planHash(compiled.plan) }),
): HttpTransport & { seen: HttpRequest[] } {
  const seen: HttpRequest[] = [];
  return {
    seen,
    async request(request) {
      seen.push(request);
      if (request.url.endsWith("/v2/models/m")) {
        if (request.method === "GET") return reply(describeModel(request.role === "server-0" ? 0 : 1));
      }
      return answer(request);
    },
    close() {},
  };
}

const never = (request: HttpRequest) =>
  new Promise<HttpReply>((_resolve, reject) => {
    request.signal?.addEventListener("abort", () => reject(request.signal?.reason));
  });

describe("a client", () => {
  it("gives each server one share, under one fresh session id, and neither the input", async () => {
    const transport = servers(never);
    const model = await connect(cluster, { transport }).model("m");
    await model.infer(input, { timeoutMs: 20 }).catch(() => {});
    await model.infer(input, { timeoutMs: 20 }).catch(() => {});
    const posts = transport.seen.filter((r) => r.method === "POST");
    expect(posts.map((r) => r.url)).toEqual(
      ["a", "b", "a", "b"].map((host) => `https://${host}/v2/models/m/infer`),
    );
    const sessions = posts.map((r) => r.headers!["sotto-session"]);
    expect(sessions[0]).toBe(sessions[1]);
    expect(sessions[0]).not.toBe(sessions[2]);
    const bodies = new Set(posts.map((r) => Buffer.from(r.body!).toString("hex")));
    expect(bodies.size).toBe(4);
  });

  it("has a deadline, and obeys its user's signal", async () => {
    const model = await connect(cluster, { transport: servers(never) }).model("m");
    await expect(model.infer(input, { timeoutMs: 20 })).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(
        /inference with m: no result within 20 ms; either it takes longer .*, or a party hangs/,
      ),
    });
    const stop = new AbortController();
    const stopped = model.infer(input, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
    const running = model.infer(input);
    await Promise.resolve();
    model.close();
    const closed = { code: "unreachable", message: expect.stringContaining("closed by its user") };
    await expect(running).rejects.toMatchObject(closed);
    await expect(model.infer(input)).rejects.toMatchObject(closed);
    await expect(model.stream()).rejects.toMatchObject(closed);
  });

  it("stops asking one server when the other has refused, and passes on the reason", async () => {
    const stated = { code: "conflict", message: "taken" };
    const transport = servers((r) => (r.role === "server-0" ? never(r) : reply(stated, 409)));
    const model = await connect(cluster, { transport }).model("m");
    await expect(model.infer(input)).rejects.toMatchObject({
      code: "conflict",
      message: "server 1 (https://b): taken",
    });
    expect(transport.seen.filter((r) => r.method === "POST" && !r.signal?.aborted)).toEqual([]);
  });

  it("checks inputs before anything is sent, without naming values", async () => {
    const transport = servers(never);
    const model = await connect(cluster, { transport }).model("m");
    const wrong: [number[], number, RegExp][] = [
      [[2, 1, 4], 0, /input x has shape \[2, 1, 4\], expected \[2, 1, 3\]/],
      [[2, 1, 3], Number.NaN, /element 0 \(\[0,0,0\]\) is NaN/],
      [[2, 1, 3], 123.456, /element 0 \(\[0,0,0\]\) is outside the declared range/],
    ];
    for (const [shape, value, message] of wrong) {
      const data = new Float64Array(shape.reduce((n, d) => n * d, 1)).fill(value);
      const error = await model.infer({ x: { shape, data } }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(SottoError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).not.toContain("123.456");
    }
    expect(transport.seen.some((r) => r.method === "POST")).toBe(false);
  });

  it("refuses arguments that are none, as bad-input", async () => {
    const transport = servers(never);
    const model = await connect(cluster, { transport }).model("m");
    const infer = model.infer.bind(model) as unknown as (...given: unknown[]) => Promise<unknown>;
    const wrong: [unknown[], RegExp][] = [
      [[], /the inputs are missing; expected an object with \{shape, data\} .*: x$/],
      [[{}], /input x of shape .* is missing/],
      [[{ x: [1, 2, 3] }], /input x: expected \{shape, data\}/],
      [[{ x: { shape: [2, 1, 3], data: [1, 2, 3] } }], /\[2,1,3\] is of 6 numbers, and data has 3/],
      [[{ x: { shape: [2, 1, 3], data: ["1", "2", "3", "4", "5", "6"] } }], /element 0 is a string/],
      [[{ ...input, y: 1 }], /no input y/],
      ...[Number.NaN, 0, -1, "100"].map((timeoutMs): [unknown[], RegExp] => [
        [input, { timeoutMs }],
        /timeoutMs is .*; expected a number of milliseconds above 0/,
      ]),
    ];
    for (const [given, message] of wrong)
      await expect(infer(...given)).rejects.toMatchObject({
        code: "bad-input",
        message: expect.stringMatching(message),
      });
    expect(transport.seen.some((r) => r.method === "POST")).toBe(false);
  });

  it("takes bigints, and no deadline at all", async () => {
    const transport = servers(() => reply({ code: "forbidden", message: "no" }, 403));
    const model = await connect(cluster, { transport }).model("m");
    const data = new BigInt64Array(6) as unknown as ArrayLike<number>;
    const infer = model.infer({ x: { shape: [2, 1, 3], data } }, { timeoutMs: Number.POSITIVE_INFINITY });
    await expect(infer).rejects.toMatchObject({ code: "forbidden" });
  });

  it("exports the error that it throws", () => {
    expect(client.SottoError).toBe(SottoError);
    const code: client.ErrorCode = "bad-input";
    expect(new client.SottoError(code, "no")).toMatchObject({ code });
  });

  it("does not believe a hash that is stated, nor plans that differ", async () => {
    const { plan } = compiled;
    const hash = planHash(plan);
    const other = { ...plan, name: "other" };
    const cases: [(server: number) => object, object, RegExp][] = [
      [() => ({ plan: other, hash }), {}, /server 0 .* states plan \w+, the plan it sent has hash/],
      [
        (i) => (i ? { plan: other, hash: planHash(other) } : { plan, hash }),
        {},
        /server 0 serves plan .* server 1 serves/,
      ],
      [() => ({ plan, hash }), { plan: "0".repeat(64) }, /the servers serve plan \w+, expected plan 0000/],
      [() => ({ plan: { ...plan, version: 99 }, hash }), {}, /version \d expected, got version 99/],
    ];
    for (const [describeModel, options, message] of cases) {
      const attempt = connect(cluster, { transport: servers(never, describeModel) }).model("m", options);
      await expect(attempt).rejects.toMatchObject({
        code: "plan-mismatch",
        message: expect.stringMatching(message),
      });
    }
  });

  it("says when what answers is no sotto server", async () => {
    const transport = servers(never, () => ({ hello: 1 }));
    await expect(connect(cluster, { transport }).model("m")).rejects.toMatchObject({ code: "protocol" });
    const html = { status: 200, header: () => undefined, body: new TextEncoder().encode("<html>") };
    const web: HttpTransport = { request: async () => html, close() {} };
    await expect(connect(cluster, { transport: web }).model("m")).rejects.toThrow(/is it a sotto server/);
  });
});

describe("deployment", () => {
  it("waits until both servers are ready, and says at its deadline why they are not", async () => {
    const busy = { code: "unreachable", message: "the dealer is not connected" };
    const transport = servers((r) =>
      r.method === "PUT" ? reply({ plan: planHash(compiled.plan), party: 0 }) : reply(busy, 503),
    );
    const options = { transport, timeoutMs: 150 };
    await expect(deploy(cluster, "m", compiled, options)).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(
        /deployment of m: no result within 150 ms; .*; server 0 .*dealer is not connected/,
      ),
    });
    const shares = transport.seen
      .filter((r) => r.method === "PUT")
      .map((r) => Buffer.from(r.body!).toString("hex"));
    expect(new Set(shares).size).toBe(2);
  });

  it("refuses names that are no file names", async () => {
    await expect(deploy(cluster, "../m", compiled, { transport: servers(never) })).rejects.toMatchObject({
      code: "bad-input",
    });
  });
});
