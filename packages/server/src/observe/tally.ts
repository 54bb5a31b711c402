/**
 * What a party counts of itself: plain numbers, whether anybody reads them or not. Nothing here is named by a client:
 * its keys are roles, error codes and states, so that their number stays what it is.
 */
import type { ErrorCode } from "@sotto/core";
import { type Role, Traffic } from "@sotto/wire";

/** How a session ended. `aborted`, at the dealer: the servers did not need the rest. */
export type Outcome = "ok" | "aborted" | ErrorCode;

/** What a session's time goes by with. `queue`: until it could begin, a model's set-up and the request's body included. */
export const SPENT = ["queue", "dealer", "peer", "compute"] as const;
export type Spent = (typeof SPENT)[number];

/** `prepare` ends when both servers have greeted; `deal` is the dealer's only one. */
export const PHASES = ["prepare", "rounds", "deal"] as const;
export type Phase = (typeof PHASES)[number];

/** Milliseconds of one session that went well. */
export interface SessionTimes {
  total: number;
  phases: Partial<Record<Phase, Record<Spent, number>>>;
}

export class Tally {
  readonly outcomes = new Map<Outcome, number>();
  rounds = 0;
  /** Time steps of streams. */
  streamSteps = 0;
  /** Sessions by what they do at the moment. */
  readonly running: Record<Spent, number> = { queue: 0, dealer: 0, peer: 0, compute: 0 };
  /** Set once, by whoever draws histograms. */
  onSession: (times: SessionTimes) => void = () => {};
  private readonly byOther = new Map<Role, Traffic>();

  ended(outcome: Outcome): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  /** Bytes to and from a party, over all its connections so far. */
  traffic(other: Role): Traffic {
    const known = this.byOther.get(other);
    if (known) return known;
    const traffic = new Traffic();
    this.byOther.set(other, traffic);
    return traffic;
  }

  get others(): [Role, Traffic][] {
    return [...this.byOther];
  }
}
