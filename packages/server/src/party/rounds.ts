/**
 * The rounds of one session: one frame out, one in, as fast as they come. Everything happens in the callback of
 * the frame that was missing; there is no promise and no timer in between.
 */
import { inputBytesOpened, type Party, rounds, SottoError } from "@sotto/core";
import { type Frame, HEADER_BYTES, type Link, MAX_LOOK, type Tag, writeHeader } from "@sotto/wire";

export interface RoundsOptions {
  party: Party;
  /** To the other server. */
  link: Link;
  /** Tag of the frames that go out. */
  tag: Tag;
  /** How the other server is called in messages. */
  other: string;
  /** The next stage is not prepared. */
  onStarved: () => void;
  /** A round is over: the other's message has been taken. */
  onRound: (round: number) => void;
  /** What comes next: waiting for randomness or for the other server, computing, or putting the result together. */
  onState?: (state: "starved" | "waiting" | "computing" | "result") => void;
  /** This server's share of the outputs. */
  onResult: (share: Uint8Array) => void;
  onFail: (error: unknown) => void;
}

export class Rounds {
  /** Bytes sent to the other server, frames included. */
  sentBytes = 0;
  /** The first bytes of the other server's first message, for the client to look at, as far as they open its input. */
  saw: Uint8Array = new Uint8Array(0);
  private readonly options: RoundsOptions;
  private readonly total: number;
  private sent = 0;
  private state: "before" | "starved" | "waiting" | "over" = "before";
  // the other server can be one round ahead, never two: it needs our message for that
  private early: Frame | undefined;

  constructor(options: RoundsOptions) {
    this.options = options;
    this.total = rounds(options.party.program);
  }

  /** The round whose message was sent last; 0 before the first. */
  get round(): number {
    return this.sent;
  }

  get count(): number {
    return this.total;
  }

  /** Waits for correlated randomness, not for the other server. */
  get starved(): boolean {
    return this.state === "starved";
  }

  start(): void {
    if (this.state === "before") this.guard(() => this.next());
  }

  /** A stage has been prepared, which may be the one that was missing. */
  prepared(): void {
    if (this.state === "waiting") this.guard(() => this.options.party.whileWaiting());
    if (this.state !== "starved") return;
    this.options.onState?.("computing");
    this.guard(() => this.next());
  }

  /** A frame of the other server with this session's tag. */
  take(frame: Frame): void {
    this.guard(() => {
      if (this.state === "waiting") {
        this.options.onState?.("computing");
        return this.accept(frame);
      }
      if (this.state === "over") return;
      if (this.early) throw this.unexpected(frame, "nothing before our own message");
      this.early = frame;
    });
  }

  stop(): void {
    this.state = "over";
    this.early = undefined;
  }

  private next(): void {
    const { party, link, tag } = this.options;
    if (party.stagesPrepared <= this.sent) {
      this.state = "starved";
      this.options.onState?.("starved");
      // may come back here at once
      this.options.onStarved();
      return;
    }
    if (this.sent === this.total) {
      if (this.early) throw this.unexpected(this.early, "nothing after the last round");
      this.state = "over";
      this.options.onState?.("result");
      this.options.onResult(party.result());
      return;
    }
    const frame = party.message(HEADER_BYTES);
    writeHeader(frame, ++this.sent, tag);
    link.send(frame);
    this.sentBytes += frame.length;
    this.state = "waiting";
    const { early } = this;
    this.early = undefined;
    if (early) {
      this.accept(early);
      return;
    }
    party.whileWaiting();
    this.options.onState?.("waiting");
  }

  private accept(frame: Frame): void {
    if (frame.number !== this.sent) throw this.unexpected(frame, `round ${this.sent}`);
    const { party } = this.options;
    if (this.sent === 1)
      this.saw = frame.payload.slice(0, Math.min(MAX_LOOK, inputBytesOpened(party.program)));
    party.accept(frame.payload);
    this.options.onRound(this.sent);
    this.next();
  }

  private unexpected(frame: Frame, expected: string): SottoError {
    const { other } = this.options;
    return new SottoError(
      "protocol",
      `${other} sent a message of round ${frame.number}; expected ${expected}`,
    );
  }

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.state = "over";
      this.options.onFail(error);
    }
  }
}
