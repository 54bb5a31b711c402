/**
 * The dealer's work queue: a JetStream stream of the deals that are asked for, from which workers take as many as they
 * have room for, one at a time: none waits at a worker while another one is idle. A deal is acknowledged when its randomness
 * has been sent completely; what a worker that died has left goes to another one, which draws everything anew (Desk.deal).
 */
import { AckPolicy, type Consumer, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { SottoError } from "@sotto/core";
import { asSottoError, Backoff } from "@sotto/wire";
import { DealtAlready, type QueuedDeal } from "../dealer/group.js";
import type { Logger } from "../log.js";
import { dealJob } from "./messages.js";
import { type Nats, parse } from "./nats.js";

/** Deals at the same time; more are left to other workers. A deal goes on for as long as a stream's client thinks. */
const MAX_RUNNING = 256;
/** A worker that says nothing about a deal for so long is dead. */
const ACK_WAIT_MS = 5000;
const WORKING_MS = 1500;
/** A client has given up by then. */
const MAX_AGE_MS = 60_000;
/** How long a worker waits for a deal before it asks again. */
const ASK_MS = 5000;
const PUBLISH_MS = 2000;
/** For another worker to take what this one cannot, such as a deal for servers that it is not linked to. */
const AGAIN_MS = 100;
/** After so many it is told that nobody does. */
const DELIVERIES = 20;
const RETRY = { firstMs: 200, maxMs: 2000 };
const NANOS = 1_000_000;

/** What is used of JetStream's. */
export interface Delivery {
  readonly data: Uint8Array;
  readonly info: { readonly deliveryCount: number };
  working(): void;
  ack(): void;
  nak(ms: number): void;
  term(): void;
}

/** At most one deal of the queue; closing it gives the question up. */
export type Ask = () => Promise<AsyncIterable<Delivery> & { close(): Promise<unknown> }>;

export interface DealsOptions {
  nats: Nats;
  /** Deals go to workers of the version that they were asked of. */
  version: string;
  log: Logger;
  /** Resolves when nothing more will be sent. @throws (rejects with) SottoError unreachable: another worker should. */
  work: (job: QueuedDeal) => Promise<void>;
  /** Nobody deals for it: the servers that wait are to know. */
  refuse: (job: QueuedDeal, error: SottoError) => void;
  /** Deals at the same time. */
  most?: number;
}

export class Deals {
  private readonly options: DealsOptions;
  private readonly stream: string;
  private readonly subject: string;
  private readonly consumer: string;
  private readonly running = new Set<Promise<void>>();
  private asking: { close(): Promise<unknown> } | undefined;
  private stopped = false;

  constructor(options: DealsOptions) {
    const { nats, version } = options;
    this.options = options;
    this.stream = `${nats.prefix}-deals`;
    // a part of a subject has no dots
    this.consumer = `v-${version.replace(/[^A-Za-z0-9]/g, "_")}`;
    this.subject = nats.subject(`deal.${this.consumer}`);
  }

  /** @throws (rejects with) SottoError unreachable */
  async enqueue(job: QueuedDeal): Promise<void> {
    const { nats } = this.options;
    nats.need();
    try {
      await nats.js.publish(this.subject, JSON.stringify(job), { timeout: PUBLISH_MS });
    } catch (cause) {
      const why = (cause as Error).message;
      throw new SottoError("unreachable", `the dealer's queue does not answer: ${why}; try again`, { cause });
    }
  }

  /** Takes deals until stop(), also after NATS has been away. */
  start(): void {
    void this.follow();
  }

  /** Takes no further ones. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.asking?.close();
  }

  private async follow(): Promise<void> {
    const { nats, log } = this.options;
    const backoff = new Backoff(RETRY);
    while (!this.stopped && !nats.connection.isClosed()) {
      try {
        nats.need();
        const consumer = await this.queue();
        await this.take(() => consumer.fetch({ max_messages: 1, expires: ASK_MS }));
        backoff.reset();
      } catch (error) {
        if (this.stopped) return;
        log.info({ reason: (error as Error).message }, "the queue of deals does not answer; trying again");
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, backoff.next()));
    }
  }

  /** @throws when NATS does not answer. */
  private async queue(): Promise<Consumer> {
    const { nats } = this.options;
    const manager = await jetstreamManager(nats.connection);
    await manager.streams.info(this.stream).catch(() =>
      manager.streams.add({
        name: this.stream,
        subjects: [nats.subject("deal.*")],
        retention: RetentionPolicy.Workqueue,
        max_age: MAX_AGE_MS * NANOS,
        num_replicas: nats.replicas,
      }),
    );
    await nats.copy(this.stream);
    await manager.consumers.add(this.stream, {
      durable_name: this.consumer,
      filter_subject: this.subject,
      ack_policy: AckPolicy.Explicit,
      ack_wait: ACK_WAIT_MS * NANOS,
      max_ack_pending: -1,
    });
    return nats.js.consumers.get(this.stream, this.consumer);
  }

  /**
   * @internal Takes one deal after the other, and asks for the next one only while there is room for it.
   * @throws when the queue does not answer.
   */
  async take(ask: Ask): Promise<void> {
    const { most = MAX_RUNNING } = this.options;
    while (!this.stopped) {
      while (this.running.size >= most) await Promise.race(this.running);
      if (this.stopped) return;
      const messages = await ask();
      this.asking = messages;
      for await (const message of messages) {
        // what came while we were told to stop is another worker's
        if (this.stopped) message.nak(0);
        else this.begin(message);
      }
      this.asking = undefined;
      // what is being dealt comes first: another worker may be idle
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private begin(message: Delivery): void {
    const done: Promise<void> = this.serve(message).finally(() => this.running.delete(done));
    this.running.add(done);
  }

  private async serve(message: Delivery): Promise<void> {
    const { work, refuse, log } = this.options;
    const { deliveryCount } = message.info;
    // while NATS is away, or closed, a deal goes on all the same: if it is delivered again, the servers refuse the copy
    const say = (verdict: () => void) => {
      try {
        verdict();
      } catch (error) {
        log.debug({ reason: (error as Error).message }, "NATS was not told of a deal");
      }
    };
    const timer = setInterval(() => say(() => message.working()), WORKING_MS);
    let job: QueuedDeal | undefined;
    try {
      job = parse(dealJob, message.data);
      const { session } = job;
      if (deliveryCount > 1) log.info({ session, delivery: deliveryCount }, "deal delivered again");
      await work(job);
      say(() => message.ack());
    } catch (cause) {
      const error = asSottoError(cause);
      const { code, message: reason } = error;
      log.info({ session: job?.session, code, reason }, "deal not taken");
      if (code === "unreachable" && deliveryCount < DELIVERIES) return say(() => message.nak(AGAIN_MS));
      say(() => message.term());
      // a copy of what this worker deals, or has dealt, for: that goes on
      if (job && !(cause instanceof DealtAlready)) refuse(job, error);
    } finally {
      clearInterval(timer);
    }
  }
}
