/** One session's randomness: made once, streamed to server 1 as it grants credits, then gone. */
import { Dealer, type DealerSetup, type Ring, SottoError, STREAM, Stream } from "@sotto/core";
import { dataFrame, frameTag, type Link, type Tag } from "@sotto/wire";
import type { Leased } from "../lease.js";
import type { Run } from "../runs.js";
import { Slices } from "../yield.js";

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
  private readonly options: DealingOptions;
  private readonly dealer: Dealer;
  private readonly streams: Stream[];
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
    this.tag = frameTag("corrections", options.deal, run.hash, "dealer", "server-1");
    const [mask, share, selection, masks1] = [
      new Stream(ring, seeds[0], STREAM.mask),
      new Stream(ring, seeds[0], STREAM.share),
      new Stream(ring, seeds[0], STREAM.selection),
      new Stream(ring, seeds[1], STREAM.mask),
    ] as const;
    this.streams = [mask, share, selection, masks1];
    this.dealer = new Dealer(ring, run.network.program, setup.value, { mask, share, selection }, masks1);
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
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.running || this.ended) return;
    this.running = true;
    let failure: unknown;
    try {
      const slices = new Slices();
      while (!this.dealer.done && (this.cancelled ? this.stage > 0 : this.credits > 0)) {
        // a cancelled dealing runs dry, because the walk is what frees its vectors
        const words = this.dealer.deal();
        const number = this.stage++;
        if (!this.cancelled) {
          this.credits--;
          this.options.link.send(dataFrame(number, this.tag, words));
          await this.options.link.drained();
        }
        if (slices.over) await slices.pause();
      }
    } catch (error) {
      failure = error;
    }
    this.running = false;
    if (failure || this.cancelled || this.dealer.done) this.end(failure);
  }

  private end(error?: unknown): void {
    this.ended = true;
    for (const stream of this.streams) stream.close();
    this.options.setup.release();
    this.options.onEnd(error);
  }
}
