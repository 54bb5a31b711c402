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
        this.party.prepare(NOTHING, this.window.expands(this.party.stagesPrepared));
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

/** Stages whose corrections may have come before they are prepared: they are small beside what is made of them. */
const UNPREPARED = 8;
/** A credit is a message: not one for each stage. */
const LEAST_CREDIT = 4;

export class CorrectionSupply implements Supply {
  bytes = 0;
  private readonly party: Party;
  private readonly window: Window;
  private readonly events: SupplyEvents;
  private readonly link: Link;
  private readonly deal: string;
  private readonly unroute: () => void;
  private readonly stages: number;
  private readonly first: number;
  /** Stages that may be prepared, and that may be sent. */
  private limit: number;
  private granted = 0;
  private received = 0;
  /** Corrections that have come and are not prepared. */
  private readonly waiting: Uint8Array[] = [];
  /** Nothing has to be sent before they are. */
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
    this.stages = party.program.stages.length;
    this.first = window.reached(0);
    this.limit = this.first;
    this.events = events;
    this.link = from.link;
    this.deal = from.deal;
    this.unroute = from.link.route(from.tag, (frame) => this.take(frame));
  }

  get ready(): boolean {
    return this.party.stagesPrepared >= this.first;
  }

  start(): void {
    this.grant();
  }

  reached(round: number): void {
    this.limit = this.window.reached(round);
    this.grant();
    // once the message is out, and later if there is enough for the next round: not when the other's may come
    const enough = this.party.stagesPrepared > round + 1;
    this.due = false;
    setImmediate(() => {
      this.due = !enough;
      this.prepareWaiting();
    });
  }

  hurry(): void {
    this.due = true;
    this.prepareWaiting();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.waiting.length = 0;
    this.unroute();
  }

  private grant(): void {
    const wanted = Math.min(this.stages, this.limit + UNPREPARED);
    const stages = wanted - this.granted;
    if (stages <= 0 || (stages < LEAST_CREDIT && wanted < this.stages)) return;
    this.granted = wanted;
    this.link.control({ type: "credit", deal: this.deal, stages });
  }

  private take(frame: Frame): void {
    if (this.stopped) return;
    const expected = this.received++;
    if (frame.number !== expected || expected >= this.granted) {
      const message = `dealer: corrections of stage ${frame.number} came, expected stage ${expected} of ${this.granted} granted`;
      this.events.onFail(new SottoError("protocol", message));
      return;
    }
    this.bytes += HEADER_BYTES + frame.payload.length;
    this.waiting.push(frame.payload);
    if (this.due) this.prepareWaiting();
  }

  private prepareWaiting(): void {
    try {
      while (!this.stopped && this.waiting.length > 0 && this.party.stagesPrepared < this.limit) {
        this.party.prepare(this.waiting.shift()!, this.window.expands(this.party.stagesPrepared));
        this.events.onStage();
      }
    } catch (error) {
      this.events.onFail(error);
    }
  }
}
