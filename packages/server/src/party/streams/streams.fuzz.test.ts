/** WebSockets of streams that get anything at all, in memory. `npm run test:long` draws a seventh of a million mutations. */
import { createServer, type Server } from "node:http";
import { cost, planHash, Streaming } from "@sotto/core";
import { encodeStep, streamState } from "@sotto/wire";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeLog } from "../../log.js";
import { newId } from "../../parties.js";
import { MemoryCluster } from "../../testing/memory-cluster.js";
import { largestError, testModel } from "../../testing/models.js";
import { strangeJson, strangeMessage } from "../../testing/mutations.js";
import { OPCODE, RawWebSocket, wsFrame } from "../../testing/raw-websocket.js";
import { type StreamSocketsOptions, serveStreams } from "./socket.js";

const RUNS = process.env.SOTTO_LONG ? 2300 : 24;
const CONVERSATIONS = 48;
const TIMEOUT_MS = 2000;
const MAX_BODY = 2 ** 14;
const model = testModel(2, 4);
const plan = planHash(model.compiled.plan);
const { program } = new Streaming(model.compiled.plan, { sizes: {}, steps: 1 }).chunk("start");
const SHARE = cost(program).inputBytes;

type Action = (ws: RawWebSocket, open: string) => void;

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const step = fc
  .tuple(fc.oneof(fc.nat(6), fc.constant(2 ** 32 - 1)), fc.oneof(fc.constant(SHARE), fc.nat(2 * SHARE)))
  .map(([number, length]) => encodeStep(number, new Uint8Array(length)));
const json = fc.oneof(
  strangeJson,
  strangeMessage.map((message) => JSON.stringify(message)),
);
const mutatedOpen = fc.tuple(
  fc.constantFrom("type", "stream", "plan", "sizes", "steps", "token", "__proto__"),
  fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(0, -1, 2 ** 24, 1e9, "0".repeat(64), { time: 3 })),
);

const payload = fc.oneof(
  bytes(200),
  step,
  json.map((text) => Buffer.from(text)),
);
const length = fc.oneof(
  fc.constantFrom(0, 125, 126, 2 ** 16, MAX_BODY + 1, 2 ** 31, 2 ** 53 - 1),
  fc.nat(300),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  // frames as they should be, with messages that should not
  json.map(
    (text): Action =>
      (ws) =>
        ws.text(text),
  ),
  payload.map(
    (data): Action =>
      (ws) =>
        ws.binary(data),
  ),
  step.map(
    (data): Action =>
      (ws) =>
        ws.binary(data),
  ),
  fc.constant<Action>((ws, open) => ws.text(open)),
  fc.constant<Action>((ws, open) => ws.binary(Buffer.from(open))),
  mutatedOpen.map(
    ([key, value]): Action =>
      (ws, open) =>
        ws.text(JSON.stringify({ ...(JSON.parse(open) as object), [key]: value })),
  ),
  // frames that are wrong
  fc
    .record({
      opcode: fc.nat(15),
      data: payload,
      fin: fc.boolean(),
      reserved: fc.oneof(fc.constant(0), fc.nat(7)),
      masked: fc.oneof(fc.constant(true), fc.boolean()),
      length: fc.option(length, { nil: undefined, freq: 2 }),
      cut: fc.option(fc.nat(), { nil: undefined, freq: 6 }),
    })
    .map(
      ({ opcode, data, length, cut, ...rest }): Action =>
        (ws) => {
          const frame = wsFrame(opcode, data, { ...rest, ...(length === undefined ? {} : { length }) });
          ws.send(cut === undefined ? frame : frame.subarray(0, cut % frame.length));
        },
    ),
  bytes(60).map(
    (data): Action =>
      (ws) =>
        ws.send(data),
  ),
  // too much of what is allowed
  fc.integer({ min: 1, max: 300 }).map(
    (n): Action =>
      (ws) => {
        for (let i = 0; i < n; i++) ws.send(wsFrame(OPCODE.ping, Buffer.alloc(i % 126)));
      },
  ),
  fc.constant<Action>((ws) => ws.text("x".repeat(2 ** 16))),
  fc.constant<Action>((ws) => ws.binary(new Uint8Array(MAX_BODY + 1))),
  // and too little
  fc.constant<Action>((ws) => ws.stall()),
  fc.constant<Action>((ws) => ws.cut()),
);

const conversation = fc.record({
  /** Servers at which it is opened first. */
  opened: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, 2),
  /** Steps as they should be. */
  steps: fc.nat(3),
  actions: fc.array(action, { minLength: 1, maxLength: 9, size: "max" }),
});

describe("streams of somebody hostile", () => {
  let cluster: MemoryCluster;
  const https: Server[] = [];
  const closers: (() => void)[] = [];
  const logged: string[] = [];
  const outcomes: string[] = [];

  beforeAll(async () => {
    cluster = await MemoryCluster.start({ timeoutMs: TIMEOUT_MS, onLog: (line) => logged.push(line) });
    await cluster.deploy("m", model);
    cluster.servers.forEach(({ streams }, party) => {
      const server = createServer();
      https.push(server);
      const caller = { name: "client", role: "client" };
      const options = {
        ...{ party, streams, maxBodyBytes: MAX_BODY, origins: undefined, log: makeLog("test", "silent") },
        callers: { identify: async () => caller, need: () => caller },
        audit: { write: ({ outcome }: { outcome: string }) => outcomes.push(outcome) },
      };
      closers.push(serveStreams(server, options as unknown as StreamSocketsOptions));
    });
    await Promise.all(cluster.servers.map(({ setups }) => setups.whenReady("m", 60_000)));
  });
  afterAll(() => {
    for (const close of closers) close();
    cluster.close();
  });

  const at = (server: number) => new RawWebSocket(https[server]!, "/v2/models/m/stream");
  const openMessage = (stream = newId()) =>
    JSON.stringify({ type: "open", stream, plan, sizes: {}, steps: 1 });

  /** An honest inference, and an honest stream of two steps. */
  async function works(): Promise<string> {
    await cluster.connect();
    const error = largestError(await cluster.infer("m", model, 1), model.expected(1));
    const ends = [at(0), at(1)];
    const open = openMessage();
    for (const ws of ends) ws.text(open);
    await expect.poll(() => ends.map((ws) => ws.texts.length)).toEqual([1, 1]);
    for (const ws of ends) for (const n of [0, 1]) ws.binary(encodeStep(n, new Uint8Array(SHARE)));
    await expect.poll(() => ends.map((ws) => ws.binaries)).toEqual([2, 2]);
    for (const ws of ends) ws.cut();
    return error < 0.002 ? "works" : `wrong by ${error}`;
  }

  const held = () => cluster.servers.map(({ sessions, streams }) => [sessions.count, streams.count]);
  const inUse = () => cluster.rings.slice(0, 2).map((ring) => ring.bytesInUse);

  it("end with a reason, leave nothing behind, and others are served", async () => {
    await expect.poll(works).toBe("works");
    await expect.poll(held).toEqual([
      [0, 0],
      [0, 0],
    ]);
    const before = inUse();
    let mutations = 0;
    let answered = 0;
    const codes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(conversation, { minLength: CONVERSATIONS, maxLength: CONVERSATIONS }),
        async (conversations) => {
          const sockets = await Promise.all(
            conversations.map(async ({ opened, steps, actions }) => {
              const ws = at(0);
              const ends = opened > 1 ? [ws, at(1)] : [ws];
              const open = openMessage();
              if (opened > 0) {
                for (const end of ends) end.text(open);
                await expect.poll(() => ws.texts.length, { interval: 5 }).toBeGreaterThan(0);
                for (let n = 0; n < steps; n++)
                  for (const end of ends) end.binary(encodeStep(n, new Uint8Array(SHARE)));
              }
              for (const act of actions) {
                if (ws.over) break;
                act(ws, open);
                mutations++;
                // what ends the connection ends it before the next one
                await new Promise((resolve) => setImmediate(resolve));
              }
              for (const end of ends) end.cut();
              return ends;
            }),
          );
          for (const { texts, binaries } of sockets.flat()) {
            const stated = texts.map((text) => streamState.parse(JSON.parse(text)));
            answered += binaries;
            const errors = stated.filter((s) => s.type === "error");
            expect(errors.length).toBeLessThan(2);
            for (const { code, message } of errors) {
              codes.set(code, (codes.get(code) ?? 0) + 1);
              expect(code).not.toBe("internal");
              expect(message.length).toBeLessThan(2001);
            }
          }
          await expect.poll(held, { interval: 5 }).toEqual([
            [0, 0],
            [0, 0],
          ]);
          await expect.poll(inUse, { interval: 5 }).toEqual(before);
          expect(logged.join("\n")).not.toMatch(/"code":"internal"/);
          logged.length = 0;
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    );
    expect(await works()).toBe("works");
    expect(outcomes.filter((outcome) => outcome === "internal")).toEqual([]);
    expect(codes.size).toBeGreaterThan(0);
    // random: what each run has at the least, less what ended before its turn
    expect(mutations).toBeGreaterThan((RUNS * CONVERSATIONS) / 2);
    expect(answered).toBeGreaterThan(0);
    if (process.env.SOTTO_LONG || process.env.SOTTO_TEST_LOG)
      console.log(`${mutations} mutations, errors stated`, codes);
  });

  it("do not pile up answers to somebody who pings and reads nothing", async () => {
    const ends = [at(0), at(1)];
    const open = openMessage();
    for (const ws of ends) ws.text(open);
    await expect.poll(() => ends.map((ws) => ws.texts.length)).toEqual([1, 1]);
    const [ws] = ends as [RawWebSocket];
    const flood = Buffer.concat(
      Array.from({ length: 1000 }, () => wsFrame(OPCODE.ping, new Uint8Array(125))),
    );
    ws.stall();
    for (let i = 0; i < 20; i++) {
      ws.send(flood);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(ws.server.writableLength + ws.server.readableLength).toBeLessThan(2 ** 17);
    for (const end of ends) end.cut();
    await expect.poll(held).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});
