/**
 * One session's randomness: made once, streamed to server 1 as it grants credits, then gone. To server 0 as well where a
 * program has corrections for both.
 */
import { Dealer, type DealerSetup, type Ring, SottoError, stageCorrectionBytes } from "@sotto/core";
import { frameTag, HEADER_BYTES, type Link, type Tag, writeHeader } from "@sotto/wire";
import type { Leased } from "../lease.js";
import type { Watch } from "../observe/watch.js";
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
  /** To the servers. */
  links: readonly [Link, Link];
  watch?: Watch;
  /** Called once, when nothing more will be sent. */
  onEnd: (error?: unknown) => void;
}

export class Dealing {
  readonly session: string;
  readonly deal: string;
  private readonly options: DealingOptions;
  private readonly dealer: Dealer;
  /** The servers that get corrections. */
  private readonly receivers: readonly (0 | 1)[];
  private readonly tags: readonly [Tag, Tag];
  /** Stages that each server may be sent, in all. */
  private readonly granted: [number, number] = [0, 0];
  private stage = 0;
  private running = false;
  private cancelled = false;
  private ended = false;

  constructor(options: DealingOptions) {
    const { ring, run, setup, seeds } = options;
    this.options = options;
    this.session = options.session;
    this.deal = options.deal;
    this.receivers = run.cost.commonBytes > 0 ? [0, 1] : [1];
    const tag = (to: "server-0" | "server-1") =>
      frameTag("corrections", options.deal, run.hash, "dealer", to);
    this.tags = [tag("server-0"), tag("server-1")];
    this.dealer = Dealer.fromSeeds(ring, run.network.program, setup.value, seeds);
  }

  /** Whether this server gets corrections over this link. */
  needs(link: Link): boolean {
    return this.receivers.some((server) => this.options.links[server] === link);
  }

  /** @throws SottoError protocol when more stages are granted than a run has, or by a server that gets none. */
  grant(server: 0 | 1, stages: number): void {
    if (!this.receivers.includes(server))
      throw new SottoError("protocol", `server ${server} gets no corrections in this session`);
    const total = this.granted[server] + stages;
    const { stages: all } = this.options.run;
    if (total > all) throw new SottoError("protocol", `credits for ${total} stages; the run has ${all}`);
    this.granted[server] = total;
    void this.work();
  }

  /** Every stage has been sent. */
  get done(): boolean {
    return this.stage === this.options.run.stages;
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
      while (!this.cancelled && !this.dealer.done && this.due) {
        this.options.watch?.enter("compute");
        const frames = this.frames();
        for (const server of this.receivers) this.options.links[server].send(frames[server]);
        this.options.watch?.enter("peer");
        for (const server of this.receivers) await this.options.links[server].drained();
        if (slices.over) await slices.pause();
      }
    } catch (error) {
      failure = error;
    }
    this.running = false;
    if (failure || this.cancelled || this.dealer.done) this.end(failure);
  }

  /** Whether every receiver may be sent the next stage. */
  private get due(): boolean {
    return this.stage < this.limit;
  }

  /** Stages that every receiver may be sent, in all. */
  private get limit(): number {
    return Math.min(...this.receivers.map((server) => this.granted[server]));
  }

  /** The next stages' frames for either server, several small ones together: writing costs more than what is written. */
  private frames(): [Uint8Array, Uint8Array] {
    const { program } = this.dealer;
    const size = (stage: number, server: 0 | 1) =>
      this.receivers.includes(server) ? HEADER_BYTES + stageCorrectionBytes(program, stage, server) : 0;
    const sizes: [number, number] = [0, 0];
    let end = this.stage;
    for (; end < this.limit && sizes[0] + sizes[1] < WRITE_BYTES; end++)
      for (const server of this.receivers) sizes[server] += size(end, server);
    // every byte is written below
    const chunks: [Uint8Array, Uint8Array] = [Buffer.allocUnsafe(sizes[0]), Buffer.allocUnsafe(sizes[1])];
    let rest: readonly [Uint8Array, Uint8Array] = chunks;
    for (; this.stage < end; this.stage++) {
      const frames = rest.map((chunk, to) => chunk.subarray(0, size(this.stage, to as 0 | 1)));
      this.dealer.dealInto([frames[0]!.subarray(HEADER_BYTES), frames[1]!.subarray(HEADER_BYTES)]);
      for (const server of this.receivers) writeHeader(frames[server]!, this.stage, this.tags[server]);
      rest = [rest[0].subarray(frames[0]!.length), rest[1].subarray(frames[1]!.length)];
    }
    return chunks;
  }

  private end(error?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.dealer.close();
    this.options.setup.release();
    this.options.onEnd(error);
  }
}
