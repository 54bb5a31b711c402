/** What several workers of a dealer have in common. docs/scaling.md */
import { type Plan, SottoError } from "@sotto/core";
import type { Message } from "@sotto/wire";

/** The processes of server 0 and server 1, by their `boot`. */
export type Pair = readonly [string, string];

/** All that a dealer's worker needs to deal for a set-up. */
export interface SharedSetUp {
  plan: Plan;
  /** Hex. */
  seeds: readonly [string, string];
  pair: Pair;
}

export type DealJob = Omit<Message<"deal">, "type">;

/** With whom it is for, to be told where nobody deals for it. */
export type QueuedDeal = DealJob & { pair: Pair };

/** This process has dealt for the session, or is about it. */
export class DealtAlready extends SottoError {
  constructor(session: string) {
    super("conflict", `session ${session} has had its randomness; open a new session`);
  }
}

export interface DealerGroup {
  share(setup: string, shared: SharedSetUp): Promise<void>;
  /**
   * Undefined where every worker has said that it does not know it.
   * @throws (rejects with) SottoError unreachable: not all of them have answered.
   */
  find(setup: string): Promise<SharedSetUp | undefined>;
  dropped(setup: string): void;
  /** One of the workers will deal. @throws (rejects with) SottoError unreachable */
  enqueue(job: QueuedDeal): Promise<void>;
}
