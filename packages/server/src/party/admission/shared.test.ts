/** Limits that hold for a process, whatever number of the other server's processes it has sessions with. */
import { SottoError } from "@sotto/core";
import { beforeEach, describe, expect, it } from "vitest";
import { makeLog } from "../../log.js";
import type { SessionContext } from "../session-types.js";
import { StreamPlaces, Streams } from "../streams/streams.js";
import { Admission } from "./admission.js";
import type { Ticket, Turns } from "./turns.js";

const limits = { maxSessions: 2, queueLength: 2, queueBytes: 100, queueWaitMs: 60_000 };
const session = { hasRequest: true, isWaiting: false, isDealt: true, isChunk: false };

/** Sessions with one process of the other server. */
class Lane {
  readonly running = new Map<string, typeof session>();
  readonly refused: string[] = [];
  readonly turns: Turns;

  constructor(admission: Admission) {
    this.turns = admission.enter(this.running);
  }

  ask(id: string): void {
    const ticket: Ticket = {
      ...{ id, client: id[0]!, bytes: 1, begun: false },
      begin: () => void this.running.set(id, session),
      refuse: () => this.refused.push(id),
    };
    this.turns.take(ticket);
  }

  end(id: string): void {
    this.running.delete(id);
    this.turns.ended(id);
  }
}

describe("lanes of one worker", () => {
  let admission: Admission;
  let [a, b]: Lane[] = [];
  const lanes = () => [a!, b!] as const;
  const running = () => lanes().map(({ running }) => [...running.keys()]);

  beforeEach(() => {
    admission = new Admission(0, limits);
    [a, b] = [new Lane(admission), new Lane(admission)];
  });

  it("run as many sessions together as one process may, and let as many wait", () => {
    const [a, b] = lanes();
    for (const id of ["x1", "x2", "x3"]) a.ask(id);
    for (const id of ["y1", "y2"]) b.ask(id);
    expect(running()).toEqual([["x1", "x2"], []]);
    // three of two clients for two places
    expect([a.turns.waiting, b.turns.waiting, a.refused, b.refused]).toEqual([1, 1, [], ["y2"]]);
    a.end("x1");
    expect(running()).toEqual([["x2", "x3"], []]);
    a.end("x2");
    expect(running()).toEqual([["x3"], ["y1"]]);
    expect([a.turns.waiting, b.turns.waiting]).toEqual([0, 0]);
  });

  it("refuse what waits for the process that was lost, and no other's", () => {
    const [a, b] = lanes();
    for (const id of ["x1", "x2", "x3"]) a.ask(id);
    b.ask("y1");
    a.turns.refuseAll(new SottoError("unreachable", "server 1 was lost"));
    expect([a.refused, b.refused, b.turns.waiting]).toEqual([["x3"], [], 1]);
    for (const id of ["x1", "x2"]) a.running.delete(id);
    admission.leave(a.running);
    b.turns.ended("x1");
    expect(running()).toEqual([[], ["y1"]]);
  });

  it("share the places of what server 0 has not begun, at server 1", () => {
    admission = new Admission(1, limits);
    [a, b] = [new Lane(admission), new Lane(admission)];
    for (const id of ["x1", "x2", "x3"]) a.ask(id);
    for (const id of ["x4", "x5"]) b.ask(id);
    expect([a.refused, b.refused]).toEqual([[], ["x5"]]);
    a.turns.begun("x1");
    b.ask("x6");
    expect([a.turns.waiting, b.turns.waiting, b.refused]).toEqual([2, 2, ["x5"]]);
    expect([admission.dealt, admission.early]).toEqual([5, 5]);
  });

  it("share the places of streams", async () => {
    const places = new StreamPlaces(1);
    const context = { party: 0, log: makeLog("test", "silent") } as SessionContext;
    const streams = [0, 1].map(() => new Streams(context, undefined as never, places, 60_000));
    places.taken = 1;
    for (const lane of streams) {
      const opened = lane.open({} as never, {} as never, new AbortController().signal);
      await expect(opened).rejects.toMatchObject({
        message: expect.stringMatching(/holds 1 streams already/),
      });
    }
  });
});
