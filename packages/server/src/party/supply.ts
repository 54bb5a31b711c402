/**
 * A session's correlated randomness on its way into the Party: a server draws it from its seed alone, or takes the
 * dealer's corrections as they arrive. Either stays at most a window of stages ahead of the rounds.
 */
import { type Party, SottoError } from "@sotto/core";
import { type Frame, HEADER_BYTES, type Link, type Tag } from "@sotto/wire";
import { Slices } from "../yield.js";
import type { Window } from "./ahead.js";

export interface SupplyEvents {
  /** One more stage is prepared. */
  onStage: () => void;
  onFail: (error: unknown) => void;
}

export interface Supply {
  start(): void;
  /** Whether as many stages are prepared as may be before the first round. */
  readonly ready: boolean;
  /** The rounds have come so far. */
  reached(round: number): void;
  stop(): void;
  /** Bytes received from the dealer, frames included. */
  readonly bytes: number;
}

export class SeedSupply implements Supply {
  readonly bytes = 0;
  private readonly party: Party;
  private readonly window: Window;
  private readonly events: SupplyEvents;
  private readonly first: number;
  private limit: number;
  private running = false;
  private stopped = false;

  constructor(party: Party, window: Window, events: SupplyEvents) {
    this.party = party;
    this.window = window;
    this.first = window.reached(0);
    this.limit = this.first;
    this.events = events;
  }

  get ready(): boolean {
    return this.party.stagesPrepared >= this.first;
  }

  start(): void {
    void this.work();
  }

  reached(round: number): void {
    this.limit = this.window.reached(round);
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
  private readonly window: Window;
  private readonly events: SupplyEvents;
  private readonly link: Link;
  private readonly deal: string;
  private readonly unroute: () => void;
  private readonly first: number;
  private granted = 0;
  private stopped = false;

  constructor(
    party: Party,
    window: Window,
    events: SupplyEvents,
    from: { link: Link; deal: string; tag: Tag },
  ) {
    this.party = party;
    this.window = window;
    this.first = window.reached(0);
    this.events = events;
    this.link = from.link;
    this.deal = from.deal;
    this.unroute = from.link.route(from.tag, (frame) => this.take(frame));
  }

  get ready(): boolean {
    return this.party.stagesPrepared >= this.first;
  }

  start(): void {
    this.grant(this.first);
  }

  reached(round: number): void {
    const limit = this.window.reached(round);
    // a credit is a message: not one for each stage
    const few = limit - this.granted < this.window.width / 4 && limit < this.party.program.stages.length;
    if (!few) this.grant(limit);
  }

  private grant(limit: number): void {
    const stages = limit - this.granted;
    if (stages <= 0) return;
    this.granted = limit;
    this.link.control({ type: "credit", deal: this.deal, stages });
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
