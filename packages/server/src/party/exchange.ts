/** One set-up of a model on one server: its share of W + R goes out in pieces, the other server's comes in. */
import {
  loadTensorShares,
  type PartyModel,
  PartySetup,
  type Ring,
  SottoError,
  setupBytes,
  type TensorShares,
} from "@sotto/core";
import { dataFrame, type Frame, frameTag, type Link, type Tag } from "@sotto/wire";
import type { Model } from "./models.js";

/** Bytes in one frame, so that sessions get their turn between two of them. */
const PIECE = 2 ** 20;

export interface ExchangeOptions {
  ring: Ring;
  party: 0 | 1;
  model: Model;
  id: string;
  peer: Link;
  onDone: (model: PartyModel) => void;
  onFail: (error: unknown) => void;
  /** Something arrived. */
  onProgress: () => void;
}

export class SetupExchange {
  private readonly options: ExchangeOptions;
  private readonly incoming: Uint8Array;
  private readonly tag: Tag;
  private readonly unroute: () => void;
  private setup: PartySetup | undefined;
  private shares: TensorShares | undefined;
  private received = 0;
  private over = false;

  /** Listens at once: the other server's pieces may come before our seed. */
  constructor(options: ExchangeOptions) {
    const { party, model, id, peer } = options;
    const [us, them] =
      party === 0 ? (["server-0", "server-1"] as const) : (["server-1", "server-0"] as const);
    this.options = options;
    this.incoming = new Uint8Array(setupBytes(model.plan));
    this.tag = frameTag("setup", id, model.hash, us, them);
    this.unroute = peer.route(frameTag("setup", id, model.hash, them, us), (frame) => this.take(frame));
  }

  /** The dealer's seed of this server's part of the masks R. */
  seed(seed: Uint8Array): void {
    if (this.setup || this.over)
      throw new SottoError("protocol", `set-up ${this.options.id} has its seed already`);
    const { ring, party, model } = this.options;
    this.shares = loadTensorShares(ring, model.plan, model.share);
    this.setup = PartySetup.fromSeed(ring, model.plan, party, this.shares, seed);
    const message = this.setup.message();
    this.finish();
    void this.send(message);
  }

  /** Ends without a result; what was allocated is freed. Safe after the end. */
  cancel(): void {
    if (this.over) return;
    this.end();
    this.setup?.close();
    this.freeShares();
  }

  private async send(message: Uint8Array): Promise<void> {
    const { peer } = this.options;
    for (let at = 0, number = 0; at < message.length && peer.open; at += PIECE, number++) {
      peer.send(dataFrame(number, this.tag, message.subarray(at, at + PIECE)));
      await peer.drained();
    }
  }

  private take(frame: Frame): void {
    const { length } = this.incoming;
    const number = this.received / PIECE;
    const expected = Math.min(PIECE, length - this.received);
    if (expected === 0 || frame.number !== number || frame.payload.length !== expected) {
      const got = `piece ${frame.number} of ${frame.payload.length} bytes`;
      this.options.onFail(
        new SottoError("protocol", `set-up: expected piece ${number} of ${expected} bytes, got ${got}`),
      );
      return;
    }
    this.incoming.set(frame.payload, this.received);
    this.received += expected;
    this.options.onProgress();
    this.finish();
  }

  private finish(): void {
    if (!this.setup || this.received < this.incoming.length || this.over) return;
    this.end();
    const made = this.setup.finish(this.incoming);
    this.freeShares();
    this.options.onDone(made);
  }

  private freeShares(): void {
    for (const v of this.shares?.values() ?? []) v.free();
    this.shares = undefined;
  }

  private end(): void {
    this.over = true;
    this.unroute();
  }
}
