/** The dealer over channels in memory: who may ask for what, and how often. */
import {
  compile,
  Dealer,
  DealerSetup,
  instantiate,
  PLAN_VERSION,
  planHash,
  Ring,
  runHash,
  systemRandom,
} from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import {
  type ControlMessage,
  controlFrame,
  type Frame,
  frameTag,
  greet,
  type Link,
  type Message,
  memoryPair,
  PROTOCOL_VERSION,
} from "@sotto/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { makeLog } from "../log.js";
import { newId } from "../parties.js";
import { Desk } from "./desk.js";

const { plan } = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));
const hash = planHash(plan);
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("the dealer", () => {
  let ring: Ring;
  let desk: Desk;
  let servers: [Link, Link];
  let heard: [ControlMessage[], ControlMessage[]];

  beforeEach(async () => {
    ring = await Ring.create();
    desk = new Desk(ring, systemRandom, makeLog("test", "silent"));
    heard = [[], []];
    servers = [await enter(0), await enter(1)];
  });

  async function enter(i: 0 | 1, boot = newId()): Promise<Link> {
    const [ours, theirs] = memoryPair();
    const role = i === 0 ? "server-0" : "server-1";
    const [link] = await Promise.all([
      greet(ours, { role, boot }, "dealer", 60_000, (l) => {
        l.onControl = (message) => heard[i].push(message);
      }),
      greet(
        theirs,
        { role: "dealer", boot: newId() },
        role,
        60_000,
        (l) => desk.connected(role, l),
        (boot) => desk.admit(role, boot),
      ),
    ]);
    return link;
  }

  async function setUp(of = plan): Promise<string> {
    const setup = newId();
    servers[0].control({ type: "setup-request", setup, plan: of });
    await turn();
    return setup;
  }

  /** Asks for a deal; what server 1 hears of it. */
  async function deal(setup: string, session = newId(), of = hash): Promise<Message<"dealt">> {
    servers[0].control({ type: "deal", session, setup, plan: of, sizes: {} });
    await turn();
    return heard[1].at(-1) as Message<"dealt">;
  }

  it("gives each server a seed of its own, and streams corrections under credits", async () => {
    const dealt = await deal(await setUp());
    const other = heard[0].at(-1) as Message<"dealt">;
    expect(dealt.seed).not.toBe(other.seed);
    expect({ ...dealt, seed: "" }).toEqual({ ...other, seed: "" });
    const frames: Frame[] = [];
    const tag = frameTag("corrections", dealt.deal, runHash(plan, {}), "dealer", "server-1");
    servers[1].route(tag, (frame) => frames.push(frame));
    await turn();
    expect(frames.length).toBe(0);
    servers[1].control({ type: "credit", deal: dealt.deal, stages: 3 });
    await turn();
    expect(frames.map((f) => f.number)).toEqual([0, 1, 2]);
  });

  it("puts into frames just what a dealer deals from the seeds that it has told", async () => {
    const wan = { ...plan, profile: "wan" as const };
    const setup = await setUp(wan);
    const dealt = await deal(setup, newId(), planHash(wan));
    const seedOf = (server: 0 | 1, type: "setup-seed" | "dealt") => {
      const told = heard[server].filter((m) => m.type === type).at(-1);
      return Buffer.from(told?.type === type ? told.seed : "", "hex");
    };
    const seedsOf = (type: "setup-seed" | "dealt") => [seedOf(0, type), seedOf(1, type)] as const;
    const { program } = instantiate(wan, {});
    const masks = DealerSetup.fromSeeds(ring, wan, seedsOf("setup-seed"));
    const dealer = Dealer.fromSeeds(ring, program, masks, seedsOf("dealt"));
    const frames: [Uint8Array[], Uint8Array[]] = [[], []];
    for (const i of [0, 1] as const) {
      const tag = frameTag("corrections", dealt.deal, runHash(wan, {}), "dealer", `server-${i}`);
      servers[i].route(tag, ({ payload }) => frames[i].push(payload.slice()));
      servers[i].control({ type: "credit", deal: dealt.deal, stages: program.stages.length });
    }
    await expect.poll(() => frames[1].length).toBe(program.stages.length);
    for (let stage = 0; !dealer.done; stage++) {
      const [toA, toB] = dealer.deal();
      expect(Buffer.from(toA).equals(frames[0][stage]!)).toBe(true);
      expect(Buffer.from(toB).equals(frames[1][stage]!)).toBe(true);
    }
    dealer.close();
  });

  it("streams corrections for both servers as far as both have granted", async () => {
    const wan = { ...plan, profile: "wan" as const };
    const dealt = await deal(await setUp(wan), newId(), planHash(wan));
    const frames: [number[], number[]] = [[], []];
    for (const i of [0, 1] as const) {
      const tag = frameTag("corrections", dealt.deal, runHash(wan, {}), "dealer", `server-${i}`);
      servers[i].route(tag, (frame) => frames[i].push(frame.number));
    }
    servers[1].control({ type: "credit", deal: dealt.deal, stages: 3 });
    await turn();
    expect(frames).toEqual([[], []]);
    servers[0].control({ type: "credit", deal: dealt.deal, stages: 2 });
    await turn();
    expect(frames).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it("gives each server a set-up seed of its own, fresh in each set-up", async () => {
    await setUp();
    await setUp();
    const seeds = heard.flatMap((messages) =>
      messages.filter((m) => m.type === "setup-seed").map((m) => m.seed),
    );
    expect(seeds.length).toBe(4);
    expect(new Set(seeds).size).toBe(4);
  });

  it("keeps a server that answers, and replaces one that has reconnected or says nothing", async () => {
    const taken = { code: "conflict", message: "another server-1 is connected already; stop one of the two" };
    await expect(enter(1)).rejects.toMatchObject(taken);
    await deal(await setUp());
    expect(heard[1].at(-1)!.type).toBe("dealt");

    const boot = newId();
    servers[1].close();
    await turn();
    const first = await enter(1, boot);
    servers[1] = await enter(1, boot);
    await turn();
    expect([first.open, servers[1].open]).toEqual([false, true]);

    // a process that was killed together with its machine
    const [ours, theirs] = memoryPair();
    servers[1].close();
    await turn();
    const link = greet(theirs, { role: "dealer", boot: newId() }, "server-1", 500, (l) =>
      desk.connected("server-1", l),
    );
    ours.send(controlFrame({ type: "welcome", version: PROTOCOL_VERSION, role: "server-1", boot: newId() }));
    const silent = await link;
    servers[1] = await enter(1);
    await turn();
    expect([silent.open, servers[1].open]).toEqual([false, true]);
  });

  it("keeps the memory of no session, also of one that is aborted in the middle", async () => {
    const setup = await setUp();
    const before = ring.bytesInUse;
    for (const stages of [0, 4]) {
      const dealt = await deal(setup);
      if (stages) servers[1].control({ type: "credit", deal: dealt.deal, stages });
      await turn();
      servers[1].control({ type: "abort", session: dealt.session, code: "timeout", message: "late" });
      await expect.poll(() => ring.bytesInUse).toBe(before);
    }
    servers[0].control({ type: "setup-drop", setup });
    await expect.poll(() => ring.bytesInUse).toBe(0);
  });

  it("deals once for a session", async () => {
    const setup = await setUp();
    const { session } = await deal(setup);
    await deal(setup, session);
    expect(heard[0].at(-1)).toMatchObject({ type: "refused", about: session, code: "conflict" });
    expect(heard[1].filter((m) => m.type === "dealt").length).toBe(1);
  });

  it("refuses what it does not know, and who may not ask", async () => {
    const setup = await setUp();
    const session = newId();
    const about = session;
    const cases: [0 | 1, ControlMessage, object][] = [
      [1, { type: "deal", session, setup, plan: hash, sizes: {} }, { about, code: "protocol" }],
      [1, { type: "setup-request", setup, plan }, { about: setup, code: "protocol" }],
      [0, { type: "setup-request", setup, plan }, { about: setup, code: "conflict" }],
      [0, { type: "setup-request", setup: newId(), plan: { version: PLAN_VERSION } }, { code: "bad-model" }],
      [0, { type: "deal", session, setup: newId(), plan: hash, sizes: {} }, { about, code: "conflict" }],
      [
        0,
        { type: "deal", session, setup, plan: "0".repeat(64), sizes: {} },
        { about, code: "plan-mismatch" },
      ],
      [
        0,
        { type: "hello", session, deal: newId(), setup, run: hash, nonce: hash },
        { about, code: "protocol" },
      ],
    ];
    for (const [server, message, refusal] of cases) {
      servers[server].control(message);
      await turn();
      expect(heard[server].at(-1)).toMatchObject({ type: "refused", ...refusal });
    }
  });

  it("refuses more credits than stages, and those of a server that gets nothing", async () => {
    const dealt = await deal(await setUp());
    for (const [i, stages] of [
      [1, 1000],
      [0, 1],
    ] as const) {
      servers[i].control({ type: "credit", deal: dealt.deal, stages });
      await turn();
      expect(heard[i].at(-1)).toMatchObject({ type: "refused", code: "protocol" });
    }
  });

  it("says which server is missing", async () => {
    servers[1].close();
    await turn();
    servers[0].control({ type: "setup-request", setup: newId(), plan });
    await turn();
    expect(heard[0].at(-1)).toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/server 1 is not/),
    });
  });

  it("forgets set-ups when server 0 is another process", async () => {
    const setup = await setUp();
    servers[0].close();
    servers[0] = await enter(0);
    await deal(setup);
    expect(heard[0].at(-1)).toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/unknown setup/),
    });
    expect(ring.bytesInUse).toBe(0);
  });
});
