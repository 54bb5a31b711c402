/** What one client may ask of a server: how often, how much at once, how long. */
import { type Sizes, SottoError } from "@sotto/core";
import { z } from "zod";

const fields = {
  /** Requests a minute, on average. */
  requestsPerMinute: z.number().min(0.1).max(1e9),
  /** Requests at once, after a pause. */
  burst: z.number().int().min(1).max(1e9),
  /** Inferences and streams at the same time. */
  concurrent: z.number().int().min(1).max(1e9),
  /** Largest of a request's sizes: time steps, sequences of a batch, and other sizes that a model leaves open. */
  maxSize: z.number().int().min(1).max(1e9),
  /** The same for sizes of these names. */
  maxSizes: z.record(z.string(), z.number().int().min(1)),
};

/** What a token states of its own. */
export const ownLimits = z.strictObject(fields).partial();

/** What holds for every client for which nothing else is stated. */
export const clientLimits = z.strictObject({
  requestsPerMinute: fields.requestsPerMinute.default(6000),
  burst: fields.burst.default(200),
  concurrent: fields.concurrent.default(32),
  maxSize: fields.maxSize.default(4096),
  maxSizes: fields.maxSizes.default({}),
});

export type ClientLimits = z.output<typeof clientLimits>;

const BUSY_RETRY_MS = 1000;
const MINUTE_MS = 60_000;
/** Clients remembered; one that has not asked for so long that its bucket is full again is like a new one. */
const MAX_CLIENTS = 10_000;

/** A client as limits see it. */
export interface Limited {
  name: string;
  /** Tells it from clients of the same name that show something else. */
  key: string;
  limits: ClientLimits;
}

interface Usage {
  /** Requests left in the bucket at `at`. */
  tokens: number;
  /** Milliseconds. */
  at: number;
  running: number;
}

export class Limiter {
  private readonly clients = new Map<string, Usage>();
  private readonly now: () => number;

  /** @param now milliseconds of a clock that does not go backwards. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** Counts one request. @throws SottoError busy naming the limit, and when the next one is allowed. */
  request({ name, key, limits }: Limited): void {
    const usage = this.usage(key, limits);
    const perMs = limits.requestsPerMinute / MINUTE_MS;
    const now = this.now();
    usage.tokens = Math.min(limits.burst, usage.tokens + (now - usage.at) * perMs);
    usage.at = now;
    if (usage.tokens < 1) {
      throw new SottoError(
        "busy",
        `client ${name}: more than ${limits.requestsPerMinute} requests a minute (limit requestsPerMinute); slow down`,
        { retryAfterMs: (1 - usage.tokens) / perMs },
      );
    }
    usage.tokens--;
  }

  /**
   * Begins an inference or a stream. @returns what ends it; calling that twice does no harm.
   * @throws SottoError busy naming the limit.
   */
  begin({ name, key, limits }: Limited): () => void {
    const usage = this.usage(key, limits);
    if (usage.running >= limits.concurrent) {
      throw new SottoError(
        "busy",
        `client ${name}: ${usage.running} sessions run already (limit concurrent: ${limits.concurrent})`,
        { retryAfterMs: BUSY_RETRY_MS },
      );
    }
    usage.running++;
    let over = false;
    return () => {
      if (!over) usage.running--;
      over = true;
    };
  }

  private usage(key: string, limits: ClientLimits): Usage {
    const known = this.clients.get(key);
    const usage = known ?? { tokens: limits.burst, at: this.now(), running: 0 };
    // the most recent comes last
    this.clients.delete(key);
    this.clients.set(key, usage);
    if (this.clients.size > MAX_CLIENTS) this.forget();
    return usage;
  }

  private forget(): void {
    for (const [key, { running }] of this.clients) {
      if (running > 0) continue;
      this.clients.delete(key);
      return;
    }
  }
}

/**
 * Sizes are public, and a program is built for them: they are limited before that.
 * @throws SottoError forbidden naming the size and the limit.
 */
export function checkSizes({ name: client, limits }: Limited, sizes: Sizes): void {
  for (const [name, size] of Object.entries(sizes)) {
    const own = Object.hasOwn(limits.maxSizes, name) ? limits.maxSizes[name] : undefined;
    const most = own ?? limits.maxSize;
    if (size <= most) continue;
    const limit = own === undefined ? "maxSize" : `maxSizes.${name}`;
    throw new SottoError(
      "forbidden",
      `client ${client}: size ${name} = ${size} exceeds ${most} (limit ${limit}); send shorter sequences or smaller batches`,
    );
  }
}
