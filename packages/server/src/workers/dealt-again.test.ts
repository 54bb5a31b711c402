/** A deal that two of the dealer's workers have taken: the second because the first one was silent for too long. */
import { Ring, type SottoError } from "@sotto/core";
import {
  type ControlMessage,
  controlFrame,
  greet,
  HEADER_BYTES,
  type Link,
  type Message,
  memoryPair,
  parseControl,
} from "@sotto/wire";
import { describe, expect, it } from "vitest";
import { makeLog } from "../log.js";
import { Tally } from "../observe/tally.js";
import { newId } from "../parties.js";
import { Ahead } from "../party/ahead.js";
import { Connections } from "../party/connections.js";
import { Session } from "../party/session.js";
import type { SessionContext } from "../party/session-types.js";
import { Sessions } from "../party/sessions.js";
import { Runs } from "../runs.js";
import { MemoryCluster } from "../testing/memory-cluster.js";
import { testModel } from "../testing/models.js";

/** A link to a worker of the dealer, and what that hears. */
async function dealerWorker(): Promise<{ link: Link; heard: ControlMessage[]; gone: Promise<void> }> {
  const [ours, theirs] = memoryPair();
  const heard: ControlMessage[] = [];
  const [link] = await Promise.all([
    greet(ours, { role: "server-1", boot: newId() }, "dealer", 60_000, () => {}),
    greet(theirs, { role: "dealer", boot: newId() }, "server-1", 60_000, (l) => {
      l.onControl = (message) => heard.push(message);
    }),
  ]);
  const gone = new Promise<void>((resolve) => link.onClose(() => resolve()));
  return { link, heard, gone };
}

function dealt(session: string): Message<"dealt"> {
  const fresh = { deal: newId(), setup: newId(), seed: newId() + newId() };
  return { type: "dealt", session, ...fresh, plan: newId() + newId(), sizes: {} };
}

async function contextOf(setups: Partial<SessionContext["setups"]>): Promise<SessionContext> {
  return {
    ...{ party: 1, ring: await Ring.create(), log: makeLog("test", "silent"), tally: new Tally() },
    ...{ runs: new Runs(), ahead: new Ahead(0), setups },
    connections: new Connections({ peer: "server 0", dealer: "the dealer" }),
    ...{ timeoutMs: 60_000, roundTimeoutMs: 60_000, joinTimeoutMs: 60_000 },
  } as SessionContext;
}

async function sessionOf(id: string): Promise<{ session: Session; errors: SottoError[] }> {
  const context = await contextOf({});
  const errors: SottoError[] = [];
  const session = new Session(id, context, (_session, error) => {
    if (error) errors.push(error);
  });
  return { session, errors };
}

describe("a session that the dealer's workers deal for", () => {
  it("goes on with the first one, and refuses the copy of a second one, to that one alone", async () => {
    const id = newId();
    const { session, errors } = await sessionOf(id);
    const [a, b] = [await dealerWorker(), await dealerWorker()];
    session.onDealt(dealt(id), 1, a.link);
    session.onDealt(dealt(id), 1, b.link);
    await expect.poll(() => b.heard).toMatchObject([{ type: "abort", session: id, code: "conflict" }]);
    expect([errors, a.heard]).toEqual([[], []]);
    // it is the first one's loss that ends it
    b.link.close();
    await b.gone;
    expect(errors).toEqual([]);
    a.link.close();
    await expect.poll(() => errors.map((e) => e.code)).toEqual(["unreachable"]);
  });

  it("is not ended by a worker that has a copy of its job, and cannot deal", async () => {
    const id = newId();
    const setups = { byId: () => ({}) as never };
    const limits = { maxSessions: 1, queueLength: 1, queueBytes: 1, queueWaitMs: 1000 };
    const sessions = new Sessions(await contextOf(setups), limits);
    const [a, b] = [await dealerWorker(), await dealerWorker()];
    sessions.take("dealer", dealt(id), 1, a.link);
    const abort = { type: "abort", session: id, code: "unreachable", message: "nobody deals" } as const;
    sessions.take("dealer", abort, 1, b.link);
    expect(sessions.count).toBe(1);
    sessions.take("dealer", abort, 1, a.link);
    expect(sessions.count).toBe(0);
    // before it has had any, it ends with the refusal
    const other = newId();
    sessions.take("dealer", { ...abort, session: other }, 1, b.link);
    expect(sessions.knows(other)).toBe(true);
    sessions.close("over");
  });

  it("ends when the worker that deals for it is lost", async () => {
    const id = newId();
    const { session, errors } = await sessionOf(id);
    const deals = await dealerWorker();
    session.onDealt(dealt(id), 1, deals.link);
    expect(errors).toEqual([]);
    deals.link.close();
    await expect.poll(() => errors.map((e) => e.code)).toEqual(["unreachable"]);
  });

  it("ends in a way that its client tries again when each server has heard of another one first", async () => {
    const cluster = await MemoryCluster.start({ timeoutMs: 60_000 });
    const model = testModel(2, 4);
    await cluster.deploy("m", model);
    await expect
      .poll(() => cluster.servers.every((s) => s.setups.isReady("m")), { timeout: 60_000 })
      .toBe(true);
    cluster.middle.tamper = (frame, to) => {
      const control = frame.subarray(8, HEADER_BYTES).every((byte) => byte === 0);
      const message = control ? parseControl(frame.subarray(HEADER_BYTES)) : undefined;
      if (message?.type !== "dealt" || to !== "server-0") return [frame];
      return [controlFrame({ ...message, deal: newId(), peer: newId() })];
    };
    await expect(cluster.infer("m", model, 1)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/one for each server; try again/),
    });
    cluster.close();
  });
});
