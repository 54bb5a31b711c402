/**
 * The dealer's work queue: a JetStream stream of the deals that are asked for, from which workers take as many as they
 * have room for. A deal is acknowledged when its randomness has been sent completely; what a worker that died has left goes
 * to another one, which draws everything anew (Desk.deal).
 */
import {
  AckPolicy,
  type ConsumerMessages,
  type JsMsg,
  jetstreamManager,
  RetentionPolicy,
} from "@nats-io/jetstream";
import { SottoError } from "@sotto/core";
import { asSottoError, Backoff } from "@sotto/wire";
import type { DealJob } from "../dealer/group.js";
import type { Logger } from "../log.js";
import type { Nats } from "./nats.js";

/** Deals at the same time; more are left to other workers. A deal goes on for as long as a stream's client thinks. */
const MAX_RUNNING = 256;
/** Deals that were taken and have not begun: as few as keep a worker busy. */
const TAKEN = 2;
/** A worker that says nothing about a deal for so long is dead. */
const ACK_WAIT_MS = 5000;
const WORKING_MS = 1500;
/** A client has given up by then. */
const MAX_AGE_MS = 60_000;
const PUBLISH_MS = 2000;
/** For another worker to be linked to the servers that this one is not. */
const AGAIN_MS = 100;
const RETRY = { firstMs: 200, maxMs: 2000 };
const NANOS = 1_000_000;

export interface DealsOptions {
  nats: Nats;
  /** Deals go to workers of the version that they were asked of. */
  version: string;
  log: Logger;
  /** Resolves when nothing more will be sent. */
  work: (job: DealJob) => Promise<void>;
}

export class Deals {
  private readonly options: DealsOptions;
  private readonly stream: string;
  private readonly subject: string;
  private readonly consumer: string;
  private readonly running = new Set<Promise<void>>();
  private messages: ConsumerMessages | undefined;
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
  async enqueue(job: DealJob): Promise<void> {
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
    await this.messages?.close();
  }

  private async follow(): Promise<void> {
    const { nats, log } = this.options;
    const backoff = new Backoff(RETRY);
    while (!this.stopped && !nats.connection.isClosed()) {
      try {
        nats.need();
        await this.take();
        backoff.reset();
      } catch (error) {
        if (this.stopped) return;
        log.info({ reason: (error as Error).message }, "the queue of deals does not answer; trying again");
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, backoff.next()));
    }
  }

  private async take(): Promise<void> {
    const { nats } = this.options;
    const manager = await jetstreamManager(nats.connection);
    await manager.streams.add({
      name: this.stream,
      subjects: [nats.subject("deal.*")],
      retention: RetentionPolicy.Workqueue,
      max_age: MAX_AGE_MS * NANOS,
    });
    await manager.consumers.add(this.stream, {
      durable_name: this.consumer,
      filter_subject: this.subject,
      ack_policy: AckPolicy.Explicit,
      ack_wait: ACK_WAIT_MS * NANOS,
      max_ack_pending: -1,
    });
    const consumer = await nats.js.consumers.get(this.stream, this.consumer);
    this.messages = await consumer.consume({
      max_messages: TAKEN,
      expires: 5000,
      // when NATS has lost it, take() makes it anew
      abort_on_missing_resource: true,
    });
    for await (const message of this.messages) {
      const done: Promise<void> = this.serve(message).finally(() => this.running.delete(done));
      this.running.add(done);
      if (this.running.size >= MAX_RUNNING) await Promise.race(this.running);
      // what is being dealt comes first: another worker may be idle
      else await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async serve(message: JsMsg): Promise<void> {
    const { work, log } = this.options;
    const timer = setInterval(() => message.working(), WORKING_MS);
    try {
      const job = message.json<DealJob>();
      if (message.info.deliveryCount > 1) {
        log.info({ session: job.session, delivery: message.info.deliveryCount }, "deal delivered again");
      }
      await work(job);
      message.ack();
    } catch (error) {
      const { code, message: reason } = asSottoError(error);
      log.info({ code, reason }, "deal not taken");
      if (code === "unreachable") message.nak(AGAIN_MS);
      else message.term();
    } finally {
      clearInterval(timer);
    }
  }
}
