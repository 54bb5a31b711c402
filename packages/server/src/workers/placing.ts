/** Which worker serves a request: at server 0 the front chooses, at server 1 it waits until a worker says that it does. */
import { randomInt } from "node:crypto";
import { SottoError } from "@sotto/core";
import { type Entry, FairQueue } from "../party/admission/fair-queue.js";
import type { Forwarder } from "./forward.js";
import { begun, type Worker } from "./messages.js";
import type { Bus } from "./nats.js";
import { BEGUN, type Registry } from "./registry.js";

/** Sessions that have begun and whose half may be on its way. */
const REMEMBERED = 20_000;

/** Of each of server 0's workers, whose queues decide for both servers: what one of those holds has room here. */
export interface PlacingLimits {
  maxSessions: number;
  queueLength: number;
  queueBytes: number;
  maxStreams: number;
  sessionTimeoutMs: number;
}

export interface PlacingOptions {
  party: 0 | 1;
  nats: Pick<Bus, "up" | "need" | "onChange" | "subscribe">;
  registry: Pick<Registry, "live" | "find">;
  forwarder: Pick<Forwarder, "busy">;
  limits: PlacingLimits;
}

export interface Wanted {
  model: string;
  plan: string;
  /** Of the client's half, which waits here. */
  bytes: number;
  /** Who asks: clients take turns. */
  client: string;
}

interface Half extends Entry {
  settle: (worker: string | SottoError) => void;
}

const AGAIN_MS = 1000;

export class Placing {
  private readonly options: PlacingOptions;
  private readonly begun = new Map<string, string>();
  private readonly halves: FairQueue<Half>;

  constructor(options: PlacingOptions) {
    this.options = options;
    const { party, nats, limits } = options;
    const workers = () => this.leaders;
    this.halves = new FairQueue({
      get places() {
        return (limits.queueLength + limits.maxSessions + limits.maxStreams) * workers();
      },
      get bytes() {
        return limits.queueBytes * workers();
      },
    });
    if (party === 0) return;
    nats.subscribe(BEGUN, begun, ({ session, worker }) => {
      const half = this.halves.get(session);
      if (half) return half.settle(worker);
      this.begun.set(session, worker);
      if (this.begun.size > REMEMBERED) this.begun.delete(this.begun.keys().next().value!);
    });
    nats.onChange(() => {
      if (nats.up) return;
      const away = new SottoError("unreachable", "server 1: its NATS has gone; try again");
      for (const half of this.halves.empty()) half.settle(away);
    });
  }

  /** Any worker, for what all of them know. @throws SottoError unreachable */
  any(model?: string): Worker {
    const { registry, nats } = this.options;
    nats.need();
    const { live } = registry;
    const ready = live.filter((w) => (model === undefined ? true : w.ready[model]));
    const able = ready.length > 0 ? ready : live.filter((w) => Object.keys(w.ready).length > 0);
    return this.leastBusy(able.length > 0 ? able : live);
  }

  /** All that a session could be given to, now or soon. @throws SottoError unreachable */
  all(): Worker[] {
    const { registry, nats, party } = this.options;
    nats.need();
    const linked = registry.live.filter((w) => w.lanes > 0);
    if (linked.length > 0) return linked;
    throw new SottoError(
      "unreachable",
      `server ${party}: none of its workers is linked to server ${1 - party}`,
    );
  }

  /**
   * For a session, or a stream by its first chunk's.
   * @throws (rejects with) SottoError unreachable: no worker, no room, NATS away, or server 0 has begun no such session.
   */
  async of(session: string, wanted: Wanted, signal?: AbortSignal): Promise<Worker> {
    const { model, plan } = wanted;
    const { party, nats, registry } = this.options;
    nats.need();
    if (party === 0) {
      const ready = registry.live.filter((w) => w.ready[model]?.includes(plan));
      return ready.length > 0 ? this.leastBusy(ready) : this.any(model);
    }
    const id = this.begun.get(session) ?? (await this.wait(session, wanted, signal));
    this.begun.delete(session);
    const worker = registry.find(id);
    if (worker) return worker;
    throw new SottoError("unreachable", "server 1: the session's worker has gone; try again");
  }

  private leastBusy(workers: readonly Worker[]): Worker {
    const { forwarder, party } = this.options;
    if (workers.length === 0) {
      throw new SottoError("unreachable", `server ${party}: none of its workers answers; try again`);
    }
    const least = Math.min(...workers.map((w) => forwarder.busy(w)));
    const best = workers.filter((w) => forwarder.busy(w) === least);
    return best[randomInt(best.length)]!;
  }

  /** How many workers server 0 has: each of ours is linked to those of its version. */
  private get leaders(): number {
    const most = new Map<string, number>();
    for (const { version, lanes } of this.options.registry.live) {
      most.set(version, Math.max(lanes, most.get(version) ?? 0));
    }
    return Math.max(
      1,
      [...most.values()].reduce((sum, n) => sum + n, 0),
    );
  }

  /** Waits until server 0 has begun the session, as one server alone does (admission/turns.ts). */
  private wait(session: string, { bytes, client }: Wanted, signal?: AbortSignal): Promise<string> {
    const ms = this.options.limits.sessionTimeoutMs;
    return new Promise((resolve, reject) => {
      if (this.halves.get(session)) {
        reject(new SottoError("conflict", `session ${session} waits here already; draw a new session id`));
        return;
      }
      const settle = (worker: string | SottoError) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", gone);
        this.halves.remove(session);
        if (typeof worker === "string") resolve(worker);
        else reject(worker);
      };
      const gone = () => settle(new SottoError("unreachable", "the client has closed its request"));
      const late = `server 1: server 0 has not begun the session within ${ms} ms; try again`;
      const timer = setTimeout(() => settle(new SottoError("unreachable", late)), ms);
      signal?.addEventListener("abort", gone);
      for (const out of this.halves.add({ id: session, client, bytes, settle })) out.settle(full());
      if (signal?.aborted) gone();
    });
  }
}

function full(): SottoError {
  return new SottoError(
    "unreachable",
    "server 1 is busy, and there is no room for another request of this client (limits.queueLength, " +
      "limits.queueBytes); try again",
    { retryAfterMs: AGAIN_MS },
  );
}
