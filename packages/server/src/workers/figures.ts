/** Metrics of all workers of a party, asked for over its NATS and added up. */
import {
  AggregatorRegistry,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from "prom-client";
import type { Logger } from "../log.js";
import { figures as figuresOf, nothing } from "./messages.js";
import { type Nats, receive } from "./nats.js";

const SUBJECT = "figures";
const ANSWER_MS = 1000;

type Figures = MetricObjectWithValues<MetricValue<string>>[];

/** A worker's part. */
export function answerForMetrics(nats: Nats, registry: Registry): void {
  nats.subscribe(SUBJECT, nothing, (_nothing, message) => {
    void registry.getMetricsAsJSON().then((figures) => message.respond(JSON.stringify(figures)));
  });
}

/** What a front shows: sums over the workers, but for what cannot be added up. */
export class AllFigures {
  readonly contentType = "text/plain; version=0.0.4; charset=utf-8" as const;
  private readonly nats: Nats;
  private readonly own: Registry;
  private readonly workers: () => number;
  private readonly log: Logger;

  /**
   * @param own the front's.
   * @param workers how many should answer.
   */
  constructor(nats: Nats, own: Registry, workers: () => number, log: Logger) {
    this.nats = nats;
    this.own = own;
    this.workers = workers;
    this.log = log;
  }

  async metrics(): Promise<string> {
    return (await this.sum()).metrics();
  }

  async getMetricsAsJSON() {
    return (await this.sum()).getMetricsAsJSON();
  }

  private async sum(): Promise<Registry> {
    this.nats.need();
    const all: Figures[] = [(await this.own.getMetricsAsJSON()) as Figures];
    const expected = this.workers();
    if (expected > 0) {
      const { connection } = this.nats;
      const answers = await connection.requestMany(this.nats.subject(SUBJECT), undefined, {
        strategy: "count",
        maxMessages: expected,
        maxWait: ANSWER_MS,
      });
      for await (const answer of answers) {
        receive(figuresOf, answer, this.log, (figures) => all.push(figures as never));
      }
    }
    return AggregatorRegistry.aggregate(all as never) as Registry;
  }
}
