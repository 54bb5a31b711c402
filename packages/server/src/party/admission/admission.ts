/**
 * How many sessions a process runs and lets wait. The limits are of the process: a worker has sessions with several workers of
 * the other server (workers/lane.ts), and all of them share one queue and one count.
 */
import type { SottoError } from "@sotto/core";
import type { Session } from "../session.js";
import { FollowingTurns, LeadingTurns, type Ticket, type TurnLimits, type Turns } from "./turns.js";

type Counted = Pick<Session, "hasRequest" | "isWaiting" | "isDealt" | "isChunk">;
type Running = ReadonlyMap<string, Counted>;

/** Server 1: server 0 has begun it, and its client's half is here. Streams are counted by themselves. */
export function isDealtFor(session: Counted): boolean {
  return session.isDealt && session.hasRequest && !session.isChunk;
}

/** It runs, and does not wait for a client's next step. */
export function isActive(session: Counted): boolean {
  return session.hasRequest && !session.isWaiting;
}

export class Admission {
  /** Sessions at the same time, by the configuration. */
  readonly max: number;
  private readonly turns: Turns;
  private readonly running = new Set<Running>();

  constructor(party: 0 | 1, limits: TurnLimits) {
    this.max = limits.maxSessions;
    this.turns = party === 0 ? new LeadingTurns(limits, () => this.active) : new FollowingTurns(limits);
  }

  /** @param running sessions that are counted from now on. @returns turns for their requests. */
  enter(running: Running): Turns {
    this.running.add(running);
    return new OwnTurns(this.turns);
  }

  leave(running: Running): void {
    this.running.delete(running);
  }

  get active(): number {
    return this.count(isActive);
  }

  get dealt(): number {
    return this.count(isDealtFor);
  }

  /** Begun by others, whether their request has come or not. What waits for its turn is counted there, and streams by themselves. */
  get early(): number {
    return this.count((s) => !s.isWaiting && (s.isDealt || !s.hasRequest));
  }

  private count(of: (session: Counted) => boolean): number {
    let n = 0;
    for (const running of this.running) for (const session of running.values()) if (of(session)) n++;
    return n;
  }
}

/** The common turns, as one of those sees them that share them: only its own requests are its to refuse. */
class OwnTurns implements Turns {
  private readonly all: Turns;
  private readonly own = new Set<string>();

  constructor(all: Turns) {
    this.all = all;
  }

  get waiting(): number {
    for (const id of this.own) if (!this.all.has(id)) this.own.delete(id);
    return this.own.size;
  }

  has(id: string): boolean {
    return this.own.has(id) && this.all.has(id);
  }

  take(ticket: Ticket): void {
    this.own.add(ticket.id);
    this.all.take(ticket);
    if (!this.all.has(ticket.id)) this.own.delete(ticket.id);
  }

  remove(id: string): Ticket | undefined {
    return this.own.delete(id) ? this.all.remove(id) : undefined;
  }

  begun(id: string): void {
    this.own.delete(id);
    this.all.begun(id);
  }

  ended(id: string): void {
    this.own.delete(id);
    this.all.ended(id);
  }

  refuseAll(error: SottoError): void {
    for (const id of [...this.own]) this.remove(id)?.refuse(error);
  }
}
