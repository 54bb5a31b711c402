/** What a deadline says of servers that are there and do not answer. */
import { compile, planHash, SottoError } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { describe, expect, it } from "vitest";
import {
  connect,
  deploy,
  type HttpReply,
  type HttpRequest,
  type HttpTransport,
  type Socket,
} from "./index.js";

const compiled = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));
const { plan } = compiled;
const hash = planHash(plan);
const cluster = { servers: [{ url: "https://a" }, { url: "https://b" }] } as const;
const input = { x: { shape: [2, 1, 3], data: new Float64Array(6) } };
const saw = { input: "", message: "" };
const stats = { onlineMs: 1, offlineMs: 1, rounds: 1, onlineBytes: 1, offlineBytes: 1, saw };

type Role = HttpRequest["role"];

/** Servers of which some do not answer, but to `answered`. */
function servers(silent: Role[], answered: (request: HttpRequest) => boolean = () => false): HttpTransport {
  const never = <T>(signal: AbortSignal | undefined) =>
    new Promise<T>((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  const reply = (answer: object): HttpReply => ({
    status: 200,
    header: () => JSON.stringify(stats),
    body: new TextEncoder().encode(JSON.stringify(answer)),
  });
  return {
    request: async (request) =>
      silent.includes(request.role) && !answered(request)
        ? never(request.signal)
        : reply(isGet(request) ? { plan, hash } : { plan: hash }),
    async socket({ role, signal }) {
      if (silent[0] === role && silent.length > 1) return never(signal);
      const socket: Socket = {
        send() {
          const opened = JSON.stringify({ type: "opened", inFlight: 1, idleMs: 1000 });
          if (!silent.includes(role)) queueMicrotask(() => socket.onMessage(opened));
        },
        onMessage() {},
        onClose() {},
        close() {},
      };
      return socket;
    },
    close() {},
  };
}

const isGet = ({ method }: HttpRequest) => method === "GET";
const timeoutMs = 20;

describe.each<[Role[], RegExp]>([
  [["server-0"], /ms; [^;]*; server 0 \(https:\/\/a\) has not answered$/],
  [["server-1"], /ms; [^;]*; server 1 \(https:\/\/b\) has not answered$/],
  [["server-0", "server-1"], /; server 0 \(https:\/\/a\) and server 1 \(https:\/\/b\) have not answered$/],
])("when %j are silent, a deadline names them", (silent, message) => {
  const expected = { code: "timeout", message: expect.stringMatching(message) };

  it("to whoever fetches a model or deploys one", async () => {
    const transport = servers(silent);
    const client = connect(cluster, { transport });
    await expect(client.model("m", { timeoutMs })).rejects.toMatchObject(expected);
    await expect(deploy(cluster, "m", compiled, { timeoutMs, transport })).rejects.toMatchObject(expected);
  });

  it("to whoever infers or opens a stream", async () => {
    const model = await connect(cluster, { transport: servers(silent, isGet) }).model("m");
    await expect(model.infer(input, { timeoutMs })).rejects.toMatchObject(expected);
    await expect(model.stream({ timeoutMs })).rejects.toMatchObject(expected);
  });

  it("also where the deadline is the caller's own", async () => {
    const stop = new AbortController();
    const model = connect(cluster, { transport: servers(silent) }).model("m", { signal: stop.signal });
    const over = new SottoError("timeout", "took longer than 3 ms; as I said");
    setTimeout(() => stop.abort(over), 20);
    await expect(model).rejects.toMatchObject({ ...expected, cause: over });
  });
});

it("a deadline names no server where none was asked at its end", async () => {
  const refuse: HttpTransport = {
    request: () => Promise.reject(new SottoError("unreachable", "nobody there")),
    close() {},
  };
  const stop = new AbortController();
  const waiting = connect(cluster, { transport: refuse }).model("m", {
    signal: stop.signal,
    backoffMs: 60_000,
    timeoutMs: Number.POSITIVE_INFINITY,
  });
  // the pause before the second attempt
  setTimeout(() => stop.abort(new SottoError("timeout", "too long")), 20);
  await expect(waiting).rejects.toThrow(/^too long; nobody there$/);
});
