/** What a session waits for, how long it does, and what it says when that was too long. */
import { type ErrorCode, SottoError } from "@sotto/core";
import type { Rounds } from "./rounds.js";

/** Where a session stands. */
export interface Standing {
  session: string;
  /** This server. */
  index: 0 | 1;
  /** Whether the dealer sends it corrections; otherwise it makes its randomness from its seed. */
  corrected: boolean;
  /** How the other server and the dealer are called. */
  peer: string;
  dealer: string;
  /** The client's request is there. */
  asked: boolean;
  /** All is ready, and the client may take its time: a chunk of a stream. */
  idle?: boolean;
  /** The dealer's message is there. */
  dealt: boolean;
  /** Our hello is out. */
  greeted: boolean;
  /** Once they have begun. */
  rounds: Pick<Rounds, "round" | "count" | "starved"> | undefined;
  /** Its randomness was prepared ahead: server 0 begins without knowing whether server 1 has the request. */
  pooled?: boolean;
  /** Stages prepared, once there is a Party. */
  stage: number | undefined;
}

export interface Wait {
  /** Whose silence it is: that of somebody in the middle of a conversation is noticed sooner. */
  on: "dealer" | "round" | "others" | "request" | "client";
  /** This server can ask whether what it waits for will come at all. */
  asks?: boolean;
  /** @param ms how long it was. */
  error(ms: number): SottoError;
}

export function waitOf(at: Standing): Wait {
  const { index, peer, dealer, rounds } = at;
  const wait = (on: Wait["on"], text: (ms: number) => string, code: ErrorCode = "timeout"): Wait => ({
    on,
    error: (ms) => new SottoError(code, text(ms)),
  });
  const waited = (on: Wait["on"], what: string, code?: ErrorCode) =>
    wait(on, (ms) => `session ${at.session}: waited ${ms} ms for ${what}`, code);
  const silent = (on: Wait["on"], who: string, where: string) =>
    wait(on, (ms) => `${who} has been silent for ${ms / 1000} s ${where}`);

  const alone = `${peer} to join; the client's request may have reached this server only`;
  if (at.idle) return waited("client", "the client's next step");
  if (!at.asked) {
    const what = "the client's request, which seems to have reached the other server only; try again";
    return waited("request", what, "unreachable");
  }
  if (!at.dealt) {
    return index === 0
      ? silent("dealer", dealer, `when asked for the randomness of session ${at.session}`)
      : {
          ...waited(
            "others",
            `randomness that ${peer} asks for; the client's request may have reached this server only`,
          ),
          asks: true,
        };
  }
  if (rounds) {
    const { round, count, starved } = rounds;
    if (!starved && at.pooled && index === 0 && round === 1) return waited("others", alone);
    if (!starved) return silent("round", peer, `in round ${round} of ${count}`);
    if (!at.corrected) return waited("others", `this server's own randomness of stage ${round}`);
    return silent("dealer", dealer, `before the corrections of stage ${round} of ${count}`);
  }
  if (at.greeted) return waited("others", alone);
  if (!at.corrected || at.stage === undefined) return waited("others", "this server's own randomness");
  return silent("dealer", dealer, `before the corrections of stage ${at.stage}`);
}

export interface Limits {
  timeoutMs: number;
  roundTimeoutMs: number;
  joinTimeoutMs: number;
}

/** A dealer that hangs silences server 1 as well: server 1 has to name it before server 0 names server 1. */
const DEALER_PART = 0.75;
const TICKS = 20;

/**
 * A session's deadline. It counts ticks and not time, so that a pause of this process itself is not taken for the
 * silence of another.
 */
export class Patience {
  private readonly limits: Limits;
  private readonly timer: NodeJS.Timeout;
  private ticks = 0;
  private asked = false;

  /** @param ask called once, when what it waits for may not come at all. */
  constructor(
    limits: Limits,
    wait: () => Wait,
    onEnd: (error: SottoError) => void,
    ask: () => void = () => {},
  ) {
    this.limits = limits;
    const { timeoutMs, roundTimeoutMs, joinTimeoutMs } = limits;
    const tick = Math.ceil(Math.min(timeoutMs, roundTimeoutMs, joinTimeoutMs) / TICKS);
    this.timer = setInterval(() => {
      this.ticks++;
      const due = wait();
      if (due.asks && !this.asked && this.ticks * tick >= joinTimeoutMs) {
        this.asked = true;
        ask();
      }
      const limit = this.limitOf(due);
      if (this.ticks * tick >= limit) onEnd(due.error(limit));
    }, tick);
  }

  /** Something has happened. */
  renew(): void {
    this.ticks = 0;
  }

  end(): void {
    clearInterval(this.timer);
  }

  private limitOf({ on }: Wait): number {
    const { timeoutMs, roundTimeoutMs, joinTimeoutMs } = this.limits;
    // the stream has a limit of its own
    if (on === "client") return Infinity;
    if (on === "others") return timeoutMs;
    // meanwhile the other server runs a session less
    if (on === "request") return Math.min(timeoutMs, joinTimeoutMs);
    return Math.min(timeoutMs, roundTimeoutMs) * (on === "dealer" ? DEALER_PART : 1);
  }
}
