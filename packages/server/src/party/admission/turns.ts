/**
 * When a request's session begins. docs/protocol.md, "Order of sessions".
 *
 * Server 0 decides, for both: a request there begins when fewer than the configured number run and it is its client's
 * turn. Server 1 has no order of its own. It holds a request until the dealer's message says that server 0 has begun its
 * session, so the two never run different sessions and wait for each other.
 */
import { SottoError } from "@sotto/core";
import type { Other } from "../connections.js";
import { type Entry, FairQueue } from "./fair-queue.js";

export interface Ticket extends Entry {
  /** Server 1 alone: server 0 has begun the session already. */
  begun: boolean;
  /** Called at most once, at the latest when it is the request's turn. */
  begin(): void;
  /** There is no room for it, or it has waited too long. Called at most once; at server 1 also after `begin`.
   *  @param from who has ended it, and need not be told. */
  refuse(error: SottoError, from?: Other): void;
}

export interface Turns {
  /** Requests that wait for their turn. */
  readonly waiting: number;
  /** Whether this one does. */
  has(id: string): boolean;
  /** A request has come. It begins now, or later, or is refused. */
  take(ticket: Ticket): void;
  /** The request waits no more, for whatever reason. @returns it, where it did wait. */
  remove(id: string): Ticket | undefined;
  /** The dealer has dealt for a session. */
  begun(id: string): void;
  /** A session is over. */
  ended(id: string): void;
  /** Refuses all that wait. */
  refuseAll(error: SottoError): void;
}

export interface TurnLimits {
  /** Sessions at the same time. */
  maxSessions: number;
  queueLength: number;
  queueBytes: number;
  queueWaitMs: number;
}

/** Server 0 gives a request up before server 1, which holds the other half, does. */
const WAIT_PART = 0.75;

/** @param configured limits of a server. */
export function turnLimits(configured: TurnLimits & { sessionTimeoutMs: number }): TurnLimits {
  const { maxSessions, queueLength, queueBytes, queueWaitMs, sessionTimeoutMs } = configured;
  const most = Math.floor(sessionTimeoutMs * WAIT_PART);
  return { maxSessions, queueLength, queueBytes, queueWaitMs: Math.min(queueWaitMs, most) };
}

const LEAST_RETRY_MS = 1000;
const MOST_RETRY_MS = 60_000;

function full(server: 0 | 1, retryAfterMs: number): SottoError {
  return new SottoError(
    "unreachable",
    `server ${server} is busy, and its queue has no room for another request of this client (limits.queueLength, ` +
      "limits.queueBytes); try again",
    { retryAfterMs },
  );
}

/** Server 0's. */
export class LeadingTurns implements Turns {
  private readonly limits: TurnLimits;
  private readonly active: () => number;
  private readonly queue: FairQueue<Ticket>;
  private readonly timers = new Map<string, NodeJS.Timeout>();
  /** Milliseconds from one turn to the next, on average, while requests wait. */
  private pace = 0;
  private turned: number | undefined;

  /** @param active how many sessions run. */
  constructor(limits: TurnLimits, active: () => number) {
    this.limits = limits;
    this.active = active;
    this.queue = new FairQueue({ places: limits.queueLength, bytes: limits.queueBytes });
  }

  get waiting(): number {
    return this.queue.size;
  }

  has(id: string): boolean {
    return this.queue.get(id) !== undefined;
  }

  take(ticket: Ticket): void {
    if (this.queue.size === 0 && this.free) {
      ticket.begin();
      return;
    }
    const { queueWaitMs } = this.limits;
    const late = () => {
      this.remove(ticket.id);
      ticket.refuse(
        new SottoError(
          "unreachable",
          `server 0 is busy: the request has waited ${queueWaitMs} ms for its turn (limits.queueWaitMs); try again`,
          { retryAfterMs: this.retryAfterMs },
        ),
      );
    };
    this.timers.set(ticket.id, setTimeout(late, queueWaitMs));
    for (const out of this.queue.add(ticket)) {
      this.stopTimer(out.id);
      out.refuse(full(0, this.retryAfterMs));
    }
  }

  remove(id: string): Ticket | undefined {
    this.stopTimer(id);
    return this.queue.remove(id);
  }

  /** By this server itself. */
  begun(): void {}

  ended(): void {
    this.keepPace();
    while (this.free) {
      const ticket = this.queue.next();
      if (!ticket) return;
      this.stopTimer(ticket.id);
      ticket.begin();
    }
  }

  refuseAll(error: SottoError): void {
    for (const ticket of this.queue.empty()) {
      this.stopTimer(ticket.id);
      ticket.refuse(error);
    }
  }

  private get free(): boolean {
    return this.active() < this.limits.maxSessions;
  }

  /** When a request that came last would have its turn. */
  private get retryAfterMs(): number {
    return Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, this.pace * (this.queue.size + 1)));
  }

  private keepPace(): void {
    const now = performance.now();
    if (this.turned !== undefined) {
      const ms = now - this.turned;
      this.pace = this.pace === 0 ? ms : 0.9 * this.pace + 0.1 * ms;
    }
    // without requests that wait, the time to the next end says nothing
    this.turned = this.queue.size > 0 ? now : undefined;
  }

  private stopTimer(id: string): void {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
  }
}

/** Server 1's: what waits has begun here, and waits for server 0 within its session's deadline. */
export class FollowingTurns implements Turns {
  private readonly queue: FairQueue<Ticket>;

  constructor({ maxSessions, queueLength, queueBytes }: Omit<TurnLimits, "queueWaitMs">) {
    // server 0's queue, and those that begin at once there and are heard of soon: server 0 is to be the one that refuses
    this.queue = new FairQueue({ places: queueLength + maxSessions, bytes: queueBytes });
  }

  get waiting(): number {
    return this.queue.size;
  }

  has(id: string): boolean {
    return this.queue.get(id) !== undefined;
  }

  take(ticket: Ticket): void {
    const out = ticket.begun ? [] : this.queue.add(ticket);
    if (!out.includes(ticket)) ticket.begin();
    for (const other of out) other.refuse(full(1, LEAST_RETRY_MS));
  }

  remove(id: string): Ticket | undefined {
    return this.queue.remove(id);
  }

  begun(id: string): void {
    this.queue.remove(id);
  }

  ended(id: string): void {
    this.queue.remove(id);
  }

  refuseAll(error: SottoError): void {
    for (const ticket of this.queue.empty()) ticket.refuse(error);
  }
}
