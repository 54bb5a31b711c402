/** A deal that is delivered again never repeats randomness. docs/scaling.md */
import { compile, planHash, Ring, runHash, SottoError, systemRandom } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import {
  type ControlMessage,
  type Frame,
  frameTag,
  greet,
  type Link,
  type Message,
  memoryPair,
} from "@sotto/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { Desk } from "../dealer/desk.js";
import type { DealerGroup, QueuedDeal, SharedSetUp } from "../dealer/group.js";
import { makeLog } from "../log.js";
import { newId } from "../parties.js";
import { Runs } from "../runs.js";

const { plan } = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));
const turn = () => new Promise((resolve) => setImmediate(resolve));
const boots = [newId(), newId()] as const;

/** Two workers of a dealer, both linked to one worker of each server. */
describe("the dealer's workers", () => {
  let jobs: QueuedDeal[];
  /** Their NATS. */
  let away: boolean;
  let desks: [Desk, Desk];
  /** By the dealer's worker, then by server. */
  let servers: [[Link, Link], [Link, Link]];
  let heard: [ControlMessage[], ControlMessage[]];

  beforeEach(async () => {
    jobs = [];
    away = false;
    heard = [[], []];
    const known = new Map<string, SharedSetUp>();
    const group: DealerGroup = {
      share: async (setup, shared) => void known.set(setup, shared),
      find: async (setup) => {
        if (away) throw new SottoError("unreachable", "NATS is away");
        return known.get(setup);
      },
      dropped: (setup) => void known.delete(setup),
      enqueue: async (job) => {
        if (away) throw new SottoError("unreachable", "NATS is away");
        jobs.push(job);
      },
    };
    const worker = async () =>
      new Desk(await Ring.create(), systemRandom, makeLog("test", "silent"), undefined, group);
    desks = [await worker(), await worker()];
    const both = async (desk: Desk) => [await enter(desk, 0), await enter(desk, 1)] as [Link, Link];
    servers = [await both(desks[0]), await both(desks[1])];
  });

  async function enter(desk: Desk, i: 0 | 1, boot: string = boots[i]): Promise<Link> {
    const [ours, theirs] = memoryPair();
    const role = `server-${i}` as const;
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
        (from) => desk.admit(role, from),
      ),
    ]);
    return link;
  }

  const of = <T extends ControlMessage["type"]>(i: 0 | 1, type: T) =>
    heard[i].filter((m): m is Message<T> => m.type === type);

  async function setUp(peer: string = boots[1]): Promise<string> {
    const setup = newId();
    servers[0][0].control({ type: "setup-request", setup, plan, peer });
    await expect.poll(() => of(0, "setup-seed").length + of(0, "refused").length).toBe(1);
    return setup;
  }

  async function ask(setup: string): Promise<string> {
    const session = newId();
    servers[0][0].control({ type: "deal", session, setup, plan: planHash(plan), sizes: {} });
    await expect.poll(() => jobs.some((job) => job.session === session)).toBe(true);
    return session;
  }

  it("draw a fresh deal id and fresh seeds each time that a job is delivered", async () => {
    const session = await ask(await setUp());
    for (const desk of desks) void desk.deal(jobs[0]!);
    await expect.poll(() => of(1, "dealt").length).toBe(2);
    const all = [...of(0, "dealt"), ...of(1, "dealt")];
    expect(all.map((m) => m.session)).toEqual(Array(4).fill(session));
    expect(new Set(all.map((m) => m.deal)).size).toBe(2);
    expect(new Set(all.map((m) => m.seed)).size).toBe(4);
    // each server is told whose process the other one is
    expect(of(0, "dealt").map((m) => m.peer)).toEqual([boots[1], boots[1]]);
    expect(of(1, "dealt").map((m) => m.peer)).toEqual([boots[0], boots[0]]);
  });

  it("deal to the end what they have begun while their NATS is away, and refuse what is new", async () => {
    const setup = await setUp();
    await ask(setup);
    const dealing = desks[0].deal(jobs[0]!);
    await expect.poll(() => of(1, "dealt").length).toBe(1);
    away = true;
    const frames: Frame[] = [];
    const { deal } = of(1, "dealt")[0]!;
    const link = servers[0][1];
    link.route(frameTag("corrections", deal, runHash(plan, {}), "dealer", "server-1"), (f) => frames.push(f));
    const { stages } = new Runs().get(plan, planHash(plan), {});
    link.control({ type: "credit", deal, stages });
    await dealing;
    await expect.poll(() => frames.length).toBe(stages);
    const session = newId();
    servers[0][0].control({ type: "deal", session, setup, plan: planHash(plan), sizes: {} });
    await expect.poll(() => of(0, "refused")).toMatchObject([{ about: session, code: "unreachable" }]);
  });

  it("tell both servers of a job for which nobody deals", async () => {
    const session = await ask(await setUp());
    desks[1].refuse(jobs[0]!, new SottoError("unreachable", "nobody deals"));
    for (const i of [0, 1] as const) {
      await expect.poll(() => of(i, "abort")).toMatchObject([{ session, code: "unreachable" }]);
    }
  });

  it("have no set-up made anew that one of them may know", async () => {
    const setup = await setUp();
    for (const desk of desks) desk.drop(setup);
    away = true;
    const session = newId();
    servers[0][0].control({ type: "deal", session, setup, plan: planHash(plan), sizes: {} });
    await expect.poll(() => of(0, "refused")).toMatchObject([{ about: session, code: "unreachable" }]);
    expect(of(0, "setup-drop")).toEqual([]);
  });

  it("do not deal twice for a job that one of them has had, and stop when nobody wants it", async () => {
    const session = await ask(await setUp());
    const first = desks[0].deal(jobs[0]!);
    await expect(desks[0].deal(jobs[0]!)).rejects.toMatchObject({ code: "conflict" });
    await expect.poll(() => of(1, "dealt").length).toBe(1);
    servers[0][1].control({ type: "abort", session, code: "conflict", message: "it has ended" });
    await first;
    expect(desks[0].active).toBe(0);
  });

  it("leave a job to another one when they are not linked to both servers of its set-up", async () => {
    await ask(await setUp());
    servers[1][1].close();
    await turn();
    await expect(desks[1].deal(jobs[0]!)).rejects.toMatchObject({ code: "unreachable" });
    void desks[0].deal(jobs[0]!);
    await expect.poll(() => of(1, "dealt").length).toBe(1);
  });

  it("tell server 0 to set up anew what none of them knows", async () => {
    const setup = await setUp();
    for (const desk of desks) desk.drop(setup);
    servers[0][0].control({ type: "setup-drop", setup });
    servers[0][0].control({ type: "deal", session: newId(), setup, plan: planHash(plan), sizes: {} });
    await expect.poll(() => of(0, "setup-drop").map((m) => m.setup)).toEqual([setup]);
    expect(of(0, "refused")[0]).toMatchObject({ code: "conflict" });
    expect(jobs).toEqual([]);
  });

  it("refuse a set-up and a deal in the name of another worker of server 0", async () => {
    await setUp(newId());
    expect(of(0, "refused")[0]).toMatchObject({ code: "unreachable" });
    heard[0].length = 0;
    const setup = await setUp();
    const other = await enter(desks[0], 0, newId());
    const session = newId();
    other.control({ type: "deal", session, setup, plan: planHash(plan), sizes: {} });
    await expect.poll(() => of(0, "refused").map((m) => m.about)).toEqual([session]);
    expect(jobs).toEqual([]);
  });
});
