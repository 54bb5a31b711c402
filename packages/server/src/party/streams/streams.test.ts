/** Streams over real sockets: what their steps give, and what ends them. */
import { deploy, httpsTransport, type ModelStream, type Socket } from "@sotto/client";
import { compile, cost, instantiate, planHash, Ring, runClear, Streaming } from "@sotto/core";
import { randomGru, randomInput } from "@sotto/core/testing";
import { encodeStep, STREAM_PROTOCOL } from "@sotto/wire";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../../parties.js";
import { makeTestFolder, TestCluster, tlsPaths } from "../../testing/cluster.js";
import { testModel } from "../../testing/models.js";

const FEATURES = 4;
const STEPS = 6;
/** All states, and the last one. */
const model = randomGru({ seed: 1, hidden: 8, inputSize: FEATURES, steps: STEPS, layers: 2 });
const compiled = compile(model);
const data = randomInput("stream", STEPS * FEATURES);
const expected = runClear(instantiate(compiled.plan, {}).program, compiled.tensors, { x: data });
/** Steps from..to - 1. */
const x = (from: number, to = from + 1) => ({
  x: { shape: [to - from, 1, FEATURES], data: data.slice(from * FEATURES, to * FEATURES) },
});

function expectStep(outputs: Record<string, { data: Float64Array }>, from: number, to = from + 1) {
  const want = expected.Y1!.slice(from * 8, to * 8);
  expect(outputs.Y1!.data.length).toBe(want.length);
  want.forEach((v, i) => {
    expect(Math.abs(outputs.Y1!.data[i]! - v)).toBeLessThan(0.002);
  });
  expect([...outputs.h1!.data]).toEqual([...outputs.Y1!.data.slice(-8)]);
}

let folder: Awaited<ReturnType<typeof makeTestFolder>>;
let rings: [Ring, Ring];
let cluster: TestCluster;

beforeAll(async () => {
  folder = await makeTestFolder();
});
afterAll(() => folder.remove());

async function start(limits = {}): Promise<void> {
  rings = [await Ring.create(), await Ring.create()];
  cluster = await TestCluster.start(folder.dir, {
    limits,
    servers: [{ ring: rings[0] }, { ring: rings[1] }],
  });
  await deploy(cluster.as("owner"), "m", compiled);
}

async function open(options = {}, name = "m"): Promise<ModelStream> {
  return (await cluster.client().model(name)).stream(options);
}

/** Until something holds, which it soon will. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}

/** One cluster for all tests of a block. */
function together(): void {
  beforeAll(() => start());
  afterAll(() => cluster.stop());
}

describe("a stream", () => {
  together();

  it("gives at each step what one run over all steps gives, and leaves nothing in memory", async () => {
    const before = rings.map((r) => r.bytesInUse);
    const stream = await open();
    for (let t = 0; t < STEPS; t++) {
      const { outputs, stats } = await stream.step(x(t));
      expectStep(outputs, t);
      expect(stats.rounds).toBe(10);
    }
    await stream.close();
    await expect(stream.step(x(0))).rejects.toThrow(/closed by its user/);
    await until(() => rings.every((r, i) => r.bytesInUse === before[i]));
  });

  it("takes several steps at once, calls that overlap, and a source of steps", async () => {
    const stream = await open();
    const [a, b] = await Promise.all([stream.step(x(0, 4)), stream.step(x(4))]);
    expect(a.outputs.Y1!.shape).toEqual([4, 1, 1, 8]);
    expectStep(a.outputs, 0, 4);
    expectStep(b.outputs, 4);
    async function* source() {
      for (let t = 0; t < STEPS; t++) yield x(t);
    }
    const other = await open();
    let t = 0;
    for await (const { outputs } of other.run(source())) expectStep(outputs, t++);
    expect(t).toBe(STEPS);
    const wider = await open({ steps: 3 });
    const { outputs, stats } = await wider.step(x(0, 6));
    expectStep(outputs, 0, 6);
    // two layers, each of which follows the one below by a step
    expect(stats.rounds).toBe(2 * 5 * 4);
  });

  it("goes on after an input that was refused before it was sent", async () => {
    const stream = await open();
    await stream.step(x(0));
    const wrong: [Parameters<ModelStream["step"]>[0], RegExp][] = [
      [{}, /input x: no time steps/],
      [{ x: { shape: [1, 1, 3], data: [0, 0, 0] } }, /has shape \[1,1,3\], expected \[1,1,4\]/],
      [{ x: { shape: [1, 1, 4], data: [0, 0] } }, /shape \[1,1,4\] is of 4 numbers, and data has 2/],
      [{ x: [0, 0, 0, 0] as never }, /input x: expected \{shape, data\}/],
      [
        { x: { shape: [1, 1, 4], data: [0, 0, 99, 0] } },
        /element 2 \(\[0,0,2\]\) is outside the declared range/,
      ],
      [{ ...x(1), y: { shape: [1], data: [0] } }, /input y is not one of the model/],
    ];
    for (const [inputs, message] of wrong) await expect(stream.step(inputs)).rejects.toThrow(message);
    expectStep((await stream.step(x(1))).outputs, 1);
  });

  it("finishes on its own set-up when the model is replaced, and new ones use the new model", async () => {
    await deploy(cluster.as("owner"), "r", compiled);
    const stream = await open({}, "r");
    expectStep((await stream.step(x(0))).outputs, 0);
    await deploy(cluster.as("owner"), "r", testModel().compiled);
    for (let t = 1; t < STEPS; t++) expectStep((await stream.step(x(t))).outputs, t);
    const { outputs } = await (await open({}, "r")).step(x(0));
    expect(Object.keys(outputs)).toEqual(["y"]);
  });

  it("is refused for a model that needs whole sequences, an unknown one, and another plan", async () => {
    const backwards = randomGru({ seed: 2, hidden: 2, inputSize: 1, steps: 2 });
    Object.assign(backwards.layers[0]!, { reverse: true });
    await deploy(cluster.as("owner"), "b", compile(backwards));
    await expect((await cluster.client().model("b")).stream()).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringMatching(/layer gru0 goes backwards/),
    });
    await deploy(cluster.as("owner"), "o", compiled);
    const old = await cluster.client().model("o");
    await deploy(cluster.as("owner"), "o", testModel().compiled);
    await expect(old.stream()).rejects.toMatchObject({ code: "plan-mismatch" });
    // the servers look for themselves
    const raw = await Raw.open(0, { plan: planHash(compile(backwards).plan) }, "b");
    expect(await raw.error()).toMatch(/unsupported.*layer gru0 goes backwards/);
    expect(await (await Raw.open(0, {}, "none")).error()).toMatch(/not-found/);
  });
});

describe("a client that does not keep the rules", () => {
  together();

  const share = (streamed: Raw) => new Uint8Array(streamed.bytes);

  it("ends its stream by a chunk that comes again, too early, or in another length", async () => {
    const cases: [(a: Raw, b: Raw) => void, RegExp][] = [
      [(a) => a.send(0, share(a)), /chunk 0 came, expected chunk 1; chunks come once and in order/],
      [(a) => a.send(2, share(a)), /chunk 2 came, expected chunk 1/],
      [(a) => a.send(1, share(a).subarray(1)), /an input share of \d+ bytes expected/],
      [(a) => a.text("{}"), /expected a chunk/],
    ];
    for (const [misbehave, message] of cases) {
      const stream = newId();
      const [a, b] = [await Raw.open(0, { stream }), await Raw.open(1, { stream })];
      await Promise.all([a.opened(), b.opened()]);
      for (const raw of [a, b]) raw.send(0, share(raw));
      await Promise.all([a.result(), b.result()]);
      misbehave(a, b);
      expect(await a.error()).toMatch(message);
      // and with it that of the other server
      expect(await b.error()).toMatch(message);
    }
  });

  it("has no stream where the two servers are told different things", async () => {
    const stream = newId();
    const [a, b] = [await Raw.open(0, { stream, steps: 1 }), await Raw.open(1, { stream, steps: 2 })];
    const errors = await Promise.all([a.error(), b.error()]);
    for (const error of errors) expect(error).toMatch(/plan-mismatch.*start of 1 steps.*start of 2 steps/);
  });

  it("may have four chunks on their way, no more, and one stream of an id", async () => {
    const stream = newId();
    const [a, b] = [await Raw.open(0, { stream }), await Raw.open(1, { stream })];
    await Promise.all([a.opened(), b.opened()]);
    expect(await (await Raw.open(0, { stream })).error()).toMatch(/conflict.*draw a new stream id/);
    for (let n = 0; n < 5; n++) a.send(n, share(a));
    expect(await a.error()).toMatch(/more than 4 chunks at the same time/);
    expect(await b.error()).toMatch(/more than 4 chunks/);
  });

  it("is let in as client or owner only, and must open a stream first", async () => {
    expect(await (await Raw.open(0, {}, "m", "server-1")).error()).toMatch(
      /forbidden: .*certificate of "server-1"/,
    );
    const [text, binary] = [await Raw.open(0, null), await Raw.open(0, null)];
    text.text("{");
    expect(await text.error()).toMatch(/protocol/);
    expect(await (await Raw.open(0, { steps: 0 })).error()).toMatch(/steps: /);
    binary.send(0, new Uint8Array(4));
    expect(await binary.error()).toMatch(/the first message does not open a stream/);
    const early = await Raw.open(0);
    early.send(0, new Uint8Array(4));
    expect(await early.error()).toMatch(/a chunk before the stream was open|share of \d+ bytes expected/);
    await expect(Raw.open(0, {}, "a/b")).rejects.toMatchObject({
      code: "protocol",
      message: expect.stringMatching(/^server 0 .* answered with HTTP status 404/),
    });
  });
});

describe("a stream whose parties go", () => {
  together();

  it("ends with a clear error on both servers when a server is stopped, and a new one works after it", async () => {
    const stream = await open();
    expectStep((await stream.step(x(0))).outputs, 0);
    await cluster.stopServer(1);
    await expect(stream.step(x(1))).rejects.toMatchObject({ code: "unreachable" });
    await cluster.startServer(1);
    await deploy(cluster.as("owner"), "m", compiled);
    expectStep((await (await open()).step(x(0))).outputs, 0);
  });

  it("ends when the dealer has been restarted and knows its set-up no more", async () => {
    const stream = await open();
    expectStep((await stream.step(x(0))).outputs, 0);
    await cluster.stopDealer();
    await cluster.startDealer();
    // the next chunk may have its randomness already; the one after it cannot
    const after = stream.step(x(1)).then(() => stream.step(x(2)));
    await expect(after).rejects.toMatchObject({ code: expect.stringMatching(/conflict|unreachable/) });
  });
});

it("a server that drains answers what it was sent, and ends its streams with a reason to open others", async () => {
  await start();
  const stream = await open();
  const sent = [stream.step(x(0)), stream.step(x(1))];
  await sent[0];
  const drained = cluster.servers[0]!.drain();
  await Promise.allSettled(sent);
  await drained;
  await expect(stream.step(x(2))).rejects.toMatchObject({
    code: "unreachable",
    message: expect.stringMatching(/shutting down; open a new stream/),
  });
  await cluster.stop();
});

describe("limits", () => {
  afterEach(() => cluster.stop());

  it("bound how many streams there are", async () => {
    await start({ maxStreams: 1 });
    const another = await cluster.client().model("m");
    const stream = await open();
    await expect(another.stream()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/1 streams already/),
    });
    expectStep((await stream.step(x(0))).outputs, 0);
  });

  it("end an idle stream and wipe its state", async () => {
    await start({ streamIdleMs: 600 });
    const before = rings.map((r) => r.bytesInUse);
    const stream = await open();
    expectStep((await stream.step(x(0))).outputs, 0);
    await until(() => rings.every((r, i) => r.bytesInUse === before[i]));
    await expect(stream.step(x(1))).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/no step for 600 ms, so its state was wiped .*; open a new stream/),
    });
    expectStep((await (await open()).step(x(0))).outputs, 0);
  });
});

/** A WebSocket to one server, without the client's care. */
class Raw {
  /** Bytes of an input share of one step. */
  readonly bytes: number;
  private readonly socket: Socket;
  private readonly heard: (string | Uint8Array)[] = [];
  private wake = () => {};
  private closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    const { program } = new Streaming(compiled.plan, { sizes: {}, steps: 1 }).chunk("continue");
    this.bytes = cost(program).inputBytes;
    socket.onMessage = (message) => {
      this.heard.push(message);
      this.wake();
    };
    socket.onClose = () => {
      this.closed = true;
      this.wake();
    };
  }

  /** @param about what is special in the first message; null: none is sent. */
  static async open(server: 0 | 1, about: object | null = {}, name = "m", role = "client"): Promise<Raw> {
    const at = { ...cluster.as("client"), tls: tlsPaths(folder.dir, role) };
    const transport = httpsTransport(at);
    const url = `${at.servers[server].url.replace("https", "wss")}/v2/models/${name}/stream`;
    const socket = await transport.socket!({
      url,
      role: server === 0 ? "server-0" : "server-1",
      protocol: STREAM_PROTOCOL,
      signal: AbortSignal.timeout(10_000),
    });
    const raw = new Raw(socket);
    const plan = planHash(compiled.plan);
    if (about)
      raw.text(JSON.stringify({ type: "open", stream: newId(), plan, sizes: {}, steps: 1, ...about }));
    return raw;
  }

  text(message: string): void {
    this.socket.send(message);
  }

  send(number: number, share: Uint8Array): void {
    this.socket.send(encodeStep(number, share));
  }

  async opened(): Promise<void> {
    expect(await this.next((m) => typeof m === "string")).toMatch(/opened/);
  }

  async result(): Promise<void> {
    await this.next((m) => typeof m !== "string");
  }

  /** The code and the message of the error that ends it. */
  async error(): Promise<string> {
    const message = await this.next((m) => typeof m === "string" && m.includes('"error"'));
    const { code, message: text } = JSON.parse(message as string) as { code: string; message: string };
    return `${code}: ${text}`;
  }

  private async next(wanted: (message: string | Uint8Array) => boolean): Promise<string | Uint8Array> {
    for (;;) {
      const at = this.heard.findIndex(wanted);
      if (at >= 0) return this.heard.splice(0, at + 1).at(-1)!;
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.heard)}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
