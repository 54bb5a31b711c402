/**
 * One input on one server, from the dealer's message on: the Party, its randomness on the way, and its rounds with the other
 * server. What has to be agreed before is the session's affair (session.ts).
 */
import { type Carried, outputStream, type Party } from "@sotto/core";
import { frameTag, type Link, type Message, type Tag } from "@sotto/wire";
import { hex } from "../parties.js";
import type { Run } from "../runs.js";
import type { Ahead, Window } from "./ahead.js";
import { takeRandomness } from "./randomness.js";
import { roundTimes } from "./round-times.js";
import { Rounds, type RoundsOptions } from "./rounds.js";
import type { InferRequest, ServerStats, SessionContext } from "./session-types.js";
import type { SetUp } from "./setups.js";
import type { Supply, SupplyEvents } from "./supply.js";

/** Bytes of what a server sees that a client is shown unasked. */
const SAW_BYTES = 8;

export interface EvaluationOptions {
  context: SessionContext;
  run: Run;
  setUp: SetUp;
  dealt: Message<"dealt">;
  /** Of the dealer's message. */
  dealtBytes: number;
  /** To the other server, and to the dealer. */
  peer: Link;
  dealer: Link;
  /** The budget that what is prepared before its round counts against. */
  ahead: Ahead;
  /** How the other server is called in messages. */
  other: string;
  /** The client wants to know when each round was over. */
  timed: () => boolean;
  events: SupplyEvents &
    Pick<RoundsOptions, "onRound" | "onResult"> & { onState: NonNullable<RoundsOptions["onState"]> };
}

export class Evaluation {
  /** Tag of the frames to the other server. */
  readonly tagOut: Tag;
  readonly party: Party;
  readonly window: Window;
  readonly rounds: Rounds;
  private readonly options: EvaluationOptions;
  private readonly supply: Supply;
  private readonly release: () => void;
  private readonly unroute: () => void;
  private begunAt: number | undefined;
  /** When each round was over, ms after the first began. */
  private readonly roundEnds: number[] = [];

  /** Takes the randomness, which can be taken once, and asks for nothing yet. @throws SottoError material, protocol. */
  constructor(options: EvaluationOptions) {
    const { context, run, setUp, dealt, peer, dealer, ahead, other, events } = options;
    const { ring, party: index } = context;
    this.options = options;
    const { onStage, onFail } = events;
    const taken = takeRandomness({
      ...{ ring, index, run, setUp, dealt, dealer, ahead },
      events: {
        onStage: () => {
          onStage();
          this.rounds.prepared();
        },
        onFail,
      },
    });
    this.party = taken.party;
    this.supply = taken.supply;
    this.window = taken.window;
    this.release = taken.close;
    const [us, them] =
      index === 0 ? (["server-0", "server-1"] as const) : (["server-1", "server-0"] as const);
    this.tagOut = frameTag("round", dealt.deal, run.hash, us, them);
    this.rounds = new Rounds({
      party: taken.party,
      link: peer,
      tag: this.tagOut,
      other,
      onStarved: () => taken.supply.hurry(),
      onRound: (round) => {
        if (options.timed()) this.roundEnds.push(performance.now() - this.begunAt!);
        events.onRound(round);
        taken.supply.reached(round);
      },
      onState: events.onState,
      onResult: events.onResult,
      onFail,
    });
    try {
      const tagIn = frameTag("round", dealt.deal, run.hash, them, us);
      this.unroute = peer.route(tagIn, (frame) => this.rounds.take(frame));
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Has the randomness prepared. */
  prepare(): void {
    this.supply.start();
  }

  /** Whether as much of it is prepared as may be before the first round. */
  get ready(): boolean {
    return this.supply.ready;
  }

  get begun(): boolean {
    return this.begunAt !== undefined;
  }

  /**
   * Begins the rounds.
   * @param nonces server 0's and server 1's, from which they refresh the output's shares.
   * @param carried what the chunk before left; freed here.
   */
  begin(input: Uint8Array, nonces: readonly [Uint8Array, Uint8Array], carried: Carried): void {
    this.begunAt = performance.now();
    this.party.begin(input, outputStream(this.options.context.ring, nonces), carried);
    this.rounds.start();
  }

  /** After the result. */
  stats({ input, arrived, look, roundTimes: timed }: InferRequest): ServerStats {
    const { begunAt = arrived, rounds, supply, roundEnds } = this;
    return {
      onlineMs: performance.now() - begunAt,
      offlineMs: begunAt - arrived,
      rounds: rounds.count,
      onlineBytes: rounds.sentBytes,
      offlineBytes: this.options.dealtBytes + supply.bytes,
      saw: {
        input: hex(input?.subarray(0, SAW_BYTES) ?? new Uint8Array(0)),
        message: hex(rounds.saw.subarray(0, look ?? SAW_BYTES)),
      },
      ...(timed ? { roundTimes: roundTimes(roundEnds) } : {}),
    };
  }

  /** Frees everything and takes no frame any more. */
  close(): void {
    this.rounds.stop();
    this.unroute();
    this.release();
  }
}
