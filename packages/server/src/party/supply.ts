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
  /** The rounds have come so far; what they allow to prepare is prepared once their next message is sent. */
  reached(round: number): void;
  /** The rounds wait for the next stage. */
  hurry(): void;
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
    if (!this.running && this.party.stagesPrepared < this.limit) setImmediate(() => void this.work());
  }

  hurry(): void {
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
  /** Corrections that have come and wait for the rounds to leave time. */
  private readonly waiting: Frame[] = [];
  /** Nothing has to be sent before them. */
  private due = true;
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
    this.due = false;
    if (this.waiting.length > 0) setImmediate(() => this.prepareWaiting());
  }

  hurry(): void {
    this.due = true;
    this.prepareWaiting();
  }

  private prepareWaiting(): void {
    try {
      while (!this.stopped && this.waiting.length > 0) this.prepare(this.waiting.shift()!);
    } catch (error) {
      this.events.onFail(error);
    }
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
    this.waiting.push(frame);
    if (this.due) this.prepareWaiting();
  }

  private prepare(frame: Frame): void {
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
  }
}
