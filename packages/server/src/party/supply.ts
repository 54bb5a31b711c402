/**
 * A session's correlated randomness on its way into the Party: server 0 draws it from its seed, server 1 takes
 * the dealer's corrections as they arrive. Both stay at most a window of stages ahead of the rounds.
 */
import { type Party, SottoError } from "@sotto/core";
import { type Frame, HEADER_BYTES, type Link, type Tag } from "@sotto/wire";
import { Slices } from "../yield.js";

export interface SupplyEvents {
  /** One more stage is prepared. */
  onStage: () => void;
  onFail: (error: unknown) => void;
}

export interface Supply {
  start(): void;
  /** The rounds have come so far. */
  reached(round: number): void;
  stop(): void;
  /** Bytes received from the dealer, frames included. */
  readonly bytes: number;
}

export class SeedSupply implements Supply {
  readonly bytes = 0;
  private readonly party: Party;
  private readonly stages: number;
  private readonly window: number;
  private readonly events: SupplyEvents;
  private limit: number;
  private running = false;
  private stopped = false;

  constructor(party: Party, stages: number, window: number, events: SupplyEvents) {
    this.party = party;
    this.stages = stages;
    this.window = window;
    this.limit = Math.min(stages, window);
    this.events = events;
  }

  start(): void {
    void this.work();
  }

  reached(round: number): void {
    if (this.limit === this.stages) return;
    this.limit = Math.min(this.stages, round + this.window);
    void this.work();
  }

  stop(): void {
    this.stopped = true;
  }

  private async work(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      const slices = new Slices();
      while (!this.stopped && this.party.stagesPrepared < this.limit) {
        this.party.prepare(NOTHING);
        this.events.onStage();
        if (slices.over) await slices.pause();
      }
    } catch (error) {
      this.events.onFail(error);
    }
    this.running = false;
  }
}

const NOTHING = new Uint8Array(0);

export class CorrectionSupply implements Supply {
  bytes = 0;
  private readonly party: Party;
  private readonly stages: number;
  private readonly window: number;
  private readonly events: SupplyEvents;
  private readonly link: Link;
  private readonly deal: string;
  private readonly unroute: () => void;
  private granted = 0;
  private stopped = false;

  constructor(
    party: Party,
    stages: number,
    window: number,
    events: SupplyEvents,
    from: { link: Link; deal: string; tag: Tag },
  ) {
    this.party = party;
    this.stages = stages;
    this.window = window;
    this.events = events;
    this.link = from.link;
    this.deal = from.deal;
    this.unroute = from.link.route(from.tag, (frame) => this.take(frame));
  }

  start(): void {
    this.reached(0);
  }

  reached(round: number): void {
    const due = Math.min(this.stages, round + this.window) - this.granted;
    // a credit is a message: not one for each stage
    if (due <= 0 || (due < this.window / 4 && this.granted + due < this.stages)) return;
    this.granted += due;
    this.link.control({ type: "credit", deal: this.deal, stages: due });
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.unroute();
  }

  private take(frame: Frame): void {
    if (this.stopped) return;
    try {
      const expected = this.party.stagesPrepared;
      if (frame.number !== expected || expected >= this.granted) {
        throw new SottoError(
          "protocol",
          `dealer: corrections of stage ${frame.number} came, expected stage ${expected} of ${this.granted} granted`,
        );
      }
      this.bytes += HEADER_BYTES + frame.payload.length;
      this.party.prepare(frame.payload);
      this.events.onStage();
    } catch (error) {
      this.events.onFail(error);
    }
  }
}
