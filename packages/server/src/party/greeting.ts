/**
 * How the two servers begin a session: each says, once its randomness is prepared, which randomness, set-up and run it is about
 * to use, and its part of what refreshes the output's shares. docs/protocol.md, "Sessions".
 */
import { SEED_BYTES, SottoError, systemRandom } from "@sotto/core";
import type { Link, Message } from "@sotto/wire";
import { hex } from "../parties.js";
import type { Run } from "../runs.js";
import { dealtApart } from "./session-errors.js";

/** Compares what another party states with this server's. @throws SottoError plan-mismatch when they differ. */
export type Agree = (what: string, who: string, theirs: string, ours: string) => void;

export class Greeting {
  /** How the other server is called in messages. */
  private readonly other: string;
  /** This server's part of what refreshes the output's shares; told to the other server alone. */
  private readonly nonce = systemRandom(SEED_BYTES);
  private theirs: Message<"hello"> | undefined;
  private told = false;

  constructor(other: string) {
    this.other = other;
  }

  /** This server has said hello. */
  get said(): boolean {
    return this.told;
  }

  /** The other server has. */
  get heard(): boolean {
    return this.theirs !== undefined;
  }

  /** @throws SottoError protocol for a second one. */
  hear(message: Message<"hello">): void {
    if (this.theirs) throw new SottoError("protocol", `${this.other} greeted twice in one session`);
    this.theirs = message;
  }

  say(peer: Link, session: string, { deal, setup }: Message<"dealt">, run: Run): void {
    this.told = true;
    peer.control({ type: "hello", session, deal, setup, run: run.hash, nonce: hex(this.nonce) });
  }

  /**
   * Where two of the dealer's workers had a copy of the job, neither would ever send what the other server waits for.
   * @param session as the client knows it.
   * @throws SottoError unreachable
   */
  checkDeal(session: string, dealt: Message<"dealt">): void {
    const { theirs } = this;
    if (theirs && dealt.peer && theirs.deal !== dealt.deal) throw dealtApart(session);
  }

  /**
   * Once both have said hello.
   * @returns server 0's nonce and server 1's. @throws SottoError plan-mismatch
   */
  agreed(agree: Agree, party: 0 | 1, dealt: Message<"dealt">, run: Run): readonly [Uint8Array, Uint8Array] {
    const { theirs, other } = this;
    if (!theirs) throw new SottoError("internal", `${other} has not said hello`);
    agree("deal", other, theirs.deal, dealt.deal);
    agree("set-up", other, theirs.setup, dealt.setup);
    agree("run", other, theirs.run, run.hash);
    const nonce = Buffer.from(theirs.nonce, "hex");
    return party === 0 ? [this.nonce, nonce] : [nonce, this.nonce];
  }
}
