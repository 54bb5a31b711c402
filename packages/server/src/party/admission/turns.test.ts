import type { SottoError } from "@sotto/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FollowingTurns, LeadingTurns, type Ticket, turnLimits } from "./turns.js";

const limits = { maxSessions: 2, queueLength: 3, queueBytes: 100, queueWaitMs: 1000 };

describe("turns", () => {
  let running: string[];
  let refused: Map<string, SottoError>;
  beforeEach(() => {
    running = [];
    refused = new Map();
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const ticket = (id: string, begun = false): Ticket => ({
    id,
    client: id[0]!,
    bytes: 1,
    begun,
    begin: () => running.push(id),
    refuse: (error) => refused.set(id, error),
  });
  const leading = () => new LeadingTurns(limits, () => running.length);
  const end = (turns: LeadingTurns, id: string) => {
    running = running.filter((r) => r !== id);
    turns.ended();
  };

  it("begin at once while few run, then as sessions end, client by client", () => {
    const turns = leading();
    for (const id of ["a1", "a2", "a3", "a4", "b1"]) turns.take(ticket(id));
    expect([running, turns.waiting]).toEqual([["a1", "a2"], 3]);
    end(turns, "a1");
    expect(running).toEqual(["a2", "a3"]);
    end(turns, "a2");
    expect(running).toEqual(["a3", "b1"]);
    end(turns, "a3");
    end(turns, "b1");
    expect([running, turns.waiting, refused.size]).toEqual([["a4"], 0, 0]);
  });

  it("are refused where there is no room, and say when to come again", () => {
    const turns = leading();
    for (const id of ["a1", "a2", "a3", "a4", "a5", "a6"]) turns.take(ticket(id));
    expect([...refused.keys()]).toEqual(["a6"]);
    expect(refused.get("a6")).toMatchObject({ code: "unreachable", retryAfterMs: 1000 });
  });

  it("are told to come again when those that wait will have had theirs", () => {
    const turns = new LeadingTurns({ ...limits, queueWaitMs: 60_000 }, () => running.length);
    for (const id of ["a1", "a2", "a3", "a4", "a5"]) turns.take(ticket(id));
    // a session ends every four seconds
    for (const n of [1, 2]) {
      vi.advanceTimersByTime(4000);
      end(turns, `a${n}`);
      turns.take(ticket(`b${n}`));
    }
    turns.take(ticket("b3"));
    expect(refused.get("b3")?.retryAfterMs).toBe(16_000);
  });

  it("do not wait longer than was said", () => {
    const turns = leading();
    for (const id of ["a1", "a2", "a3"]) turns.take(ticket(id));
    vi.advanceTimersByTime(999);
    expect(refused.size).toBe(0);
    vi.advanceTimersByTime(1);
    expect(refused.get("a3")).toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/waited 1000 ms for its turn/),
    });
    end(turns, "a1");
    expect([running, turns.waiting]).toEqual([["a2"], 0]);
    // a session that began in time is not refused later
    for (const id of ["b1", "b2"]) turns.take(ticket(id));
    end(turns, "a2");
    vi.advanceTimersByTime(5000);
    expect([running, [...refused.keys()]]).toEqual([["b1", "b2"], ["a3"]]);
  });

  it("at server 1 begin at once, and take a place until server 0 has begun them", () => {
    const turns = new FollowingTurns(limits);
    for (const id of ["a1", "a2", "a3", "a4", "a5", "a6"]) turns.take(ticket(id));
    expect(running).toEqual(["a1", "a2", "a3", "a4", "a5"]);
    expect([...refused.keys()]).toEqual(["a6"]);
    turns.begun("a1");
    turns.ended("a2");
    turns.take(ticket("b1"));
    turns.take(ticket("b2"));
    expect(turns.waiting).toBe(5);
    // b has fewer places: one of a's goes
    turns.take(ticket("c1"));
    expect([...refused.keys()]).toEqual(["a6", "a5"]);
    // the dealer's message came first: it needs no place
    turns.take(ticket("c2", true));
    expect([running.at(-1), turns.waiting]).toEqual(["c2", 5]);
  });

  it("end before the other half's deadline", () => {
    expect(turnLimits({ ...limits, queueWaitMs: 20_000, sessionTimeoutMs: 1000 }).queueWaitMs).toBe(750);
    expect(turnLimits({ ...limits, sessionTimeoutMs: 50_000 }).queueWaitMs).toBe(1000);
  });
});
