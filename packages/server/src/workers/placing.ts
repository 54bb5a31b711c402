/** Which worker serves a request: at server 0 the front chooses, at server 1 it waits until a worker says that it does. */
import { randomInt } from "node:crypto";
import { SottoError } from "@sotto/core";
import type { Forwarder } from "./forward.js";
import type { Nats } from "./nats.js";
import { BEGUN, type Begun, type Registry, type Worker } from "./registry.js";

/** Sessions that have begun and whose half may be on its way. */
const REMEMBERED = 20_000;

export interface PlacingOptions {
  party: 0 | 1;
  nats: Nats;
  registry: Registry;
  forwarder: Forwarder;
  /** Requests that wait at server 1, and how long. */
  waiting: { length: number; bytes: number; ms: number };
}

interface Waiter {
  bytes: number;
  settle: (worker: string | SottoError) => void;
}

export class Placing {
  private readonly options: PlacingOptions;
  private readonly begun = new Map<string, string>();
  private readonly waiters = new Map<string, Waiter>();

  constructor(options: PlacingOptions) {
    this.options = options;
    const { party, nats } = options;
    if (party === 0) return;
    nats.subscribe<Begun>(BEGUN, ({ session, worker }) => {
      const waiter = this.waiters.get(session);
      if (waiter) return waiter.settle(worker);
      this.begun.set(session, worker);
      if (this.begun.size > REMEMBERED) this.begun.delete(this.begun.keys().next().value!);
    });
    nats.onChange(() => {
      if (nats.up) return;
      const away = new SottoError("unreachable", "server 1: its NATS has gone; try again");
      for (const waiter of [...this.waiters.values()]) waiter.settle(away);
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
   * @param bytes of the client's half, which waits here.
   * @throws (rejects with) SottoError unreachable: no worker, no room, NATS away, or server 0 has begun no such session.
   */
  async of(
    session: string,
    { model, plan, bytes }: { model: string; plan: string; bytes: number },
    signal?: AbortSignal,
  ): Promise<Worker> {
    const { party, nats, registry } = this.options;
    nats.need();
    if (party === 0) {
      const ready = registry.live.filter((w) => w.ready[model]?.includes(plan));
      return ready.length > 0 ? this.leastBusy(ready) : this.any(model);
    }
    const id = this.begun.get(session) ?? (await this.wait(session, bytes, signal));
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

  private wait(session: string, bytes: number, signal?: AbortSignal): Promise<string> {
    const { length, bytes: most, ms } = this.options.waiting;
    let held = bytes;
    for (const waiter of this.waiters.values()) held += waiter.bytes;
    if (this.waiters.size >= length || (held > most && this.waiters.size > 0) || this.waiters.has(session)) {
      const why = this.waiters.has(session)
        ? "the session waits here already"
        : "no room for another request";
      throw new SottoError(
        "unreachable",
        `server 1: ${why} (limits.queueLength, limits.queueBytes); try again`,
      );
    }
    return new Promise((resolve, reject) => {
      const settle = (worker: string | SottoError) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", gone);
        this.waiters.delete(session);
        if (typeof worker === "string") resolve(worker);
        else reject(worker);
      };
      const gone = () => settle(new SottoError("unreachable", "the client has closed its request"));
      const late = `server 1: server 0 has not begun the session within ${ms} ms; try again`;
      const timer = setTimeout(() => settle(new SottoError("unreachable", late)), ms);
      this.waiters.set(session, { bytes, settle });
      signal?.addEventListener("abort", gone);
      if (signal?.aborted) gone();
    });
  }
}
