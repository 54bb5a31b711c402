/** One session's randomness: made once, streamed to server 1 as it grants credits, then gone. */
import { Dealer, type DealerSetup, type Ring, SottoError } from "@sotto/core";
import { frameTag, HEADER_BYTES, type Link, type Tag, writeHeader } from "@sotto/wire";
import type { Leased } from "../lease.js";
import type { Run } from "../runs.js";
import { Slices } from "../yield.js";

/** Frames are collected until there is this much to write. */
const WRITE_BYTES = 2 ** 16;

export interface DealingOptions {
  ring: Ring;
  session: string;
  deal: string;
  run: Run;
  setup: Leased<DealerSetup>;
  seeds: readonly [Uint8Array, Uint8Array];
  /** To server 1. */
  link: Link;
  /** Called once, when nothing more will be sent. */
  onEnd: (error?: unknown) => void;
}

export class Dealing {
  readonly session: string;
  readonly deal: string;
  /** To server 1. */
  readonly link: Link;
  private readonly options: DealingOptions;
  private readonly dealer: Dealer;
  private readonly tag: Tag;
  private credits = 0;
  private stage = 0;
  private running = false;
  private cancelled = false;
  private ended = false;

  constructor(options: DealingOptions) {
    const { ring, run, setup, seeds } = options;
    this.options = options;
    this.session = options.session;
    this.deal = options.deal;
    this.link = options.link;
    this.tag = frameTag("corrections", options.deal, run.hash, "dealer", "server-1");
    this.dealer = Dealer.fromSeeds(ring, run.network.program, setup.value, seeds);
  }

  /** @throws SottoError protocol when more stages are granted than a run has. */
  grant(stages: number): void {
    this.credits += stages;
    const { stages: all } = this.options.run;
    if (this.stage + this.credits > all) {
      throw new SottoError("protocol", `credits for ${this.stage + this.credits} stages; the run has ${all}`);
    }
    void this.work();
  }

  /** Sends nothing more. */
  cancel(): void {
    this.cancelled = true;
    if (!this.running) this.end();
  }

  private async work(): Promise<void> {
    if (this.running || this.ended) return;
    this.running = true;
    let failure: unknown;
    try {
      const slices = new Slices();
      while (!this.cancelled && !this.dealer.done && this.credits > 0) {
        this.options.link.send(this.frames());
        await this.options.link.drained();
        if (slices.over) await slices.pause();
      }
    } catch (error) {
      failure = error;
    }
    this.running = false;
    if (failure || this.cancelled || this.dealer.done) this.end(failure);
  }

  /** The next stages' frames, several small ones together: writing costs more than what is written. */
  private frames(): Uint8Array {
    const frames: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < WRITE_BYTES && !this.dealer.done && this.credits > 0) {
      const frame = this.dealer.deal(HEADER_BYTES);
      writeHeader(frame, this.stage++, this.tag);
      this.credits--;
      frames.push(frame);
      bytes += frame.length;
    }
    return frames.length === 1 ? frames[0]! : Buffer.concat(frames);
  }

  private end(error?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.dealer.close();
    this.options.setup.release();
    this.options.onEnd(error);
  }
}
