/** What several workers of a dealer have in common. docs/scaling.md */
import type { Plan } from "@sotto/core";
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

export interface DealerGroup {
  share(setup: string, shared: SharedSetUp): Promise<void>;
  find(setup: string): Promise<SharedSetUp | undefined>;
  dropped(setup: string): void;
  /** One of the workers will deal. @throws (rejects with) SottoError unreachable */
  enqueue(job: DealJob): Promise<void>;
}
