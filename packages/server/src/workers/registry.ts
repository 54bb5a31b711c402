/** A party's live workers, as each of them and the front know them: every one says each second that it is there. */
import type { WorkerAddress } from "@sotto/wire";
import { anyId, nothing, type Worker, workerState } from "./messages.js";
import type { Bus } from "./nats.js";

const BEAT_MS = 1000;
/** Beats that may be late before a worker counts as gone. */
const LATE_MS = 6000;
/** By then every worker has been heard, since the beginning or since NATS was away. */
const SETTLED_MS = 2 * BEAT_MS;

/** Server 1's workers to its front: a session has begun there (messages.ts). */
export const BEGUN = "begun";

export class Registry {
  private readonly nats: Bus;
  private readonly self: (() => Worker) | undefined;
  private readonly heard = new Map<string, { worker: Worker; at: number }>();
  private readonly timer: NodeJS.Timeout;
  private told = "";
  private since = performance.now();
  /** The list has changed, or what a worker says of itself. */
  onChange: () => void = () => {};

  /** @param self of a worker; a front only listens. */
  constructor(nats: Bus, self?: () => Worker) {
    this.nats = nats;
    this.self = self;
    nats.subscribe("worker", workerState, (worker) => {
      this.heard.set(worker.id, { worker, at: performance.now() });
      this.look();
    });
    nats.subscribe("worker-gone", anyId, (id) => {
      this.forget(id);
    });
    nats.subscribe("who", nothing, () => this.beat());
    // while NATS was away nobody was heard
    nats.onChange(() => {
      this.since = performance.now();
      for (const entry of this.heard.values()) entry.at = this.since;
      this.beat();
    });
    this.timer = setInterval(() => this.beat(), BEAT_MS);
    nats.publish("who", null);
    this.beat();
  }

  /** Says now how this worker is. */
  beat(): void {
    if (this.self) this.nats.publish("worker", this.self());
    if (!this.nats.up) return;
    const now = performance.now();
    for (const [id, { at }] of this.heard) if (now - at > LATE_MS) this.heard.delete(id);
    this.look();
  }

  /** A worker that could not be reached: until it is heard again. */
  forget(id: string): void {
    if (this.heard.delete(id)) this.look();
  }

  /** Those that are alive and take sessions, by what they said last. */
  get live(): Worker[] {
    return [...this.heard.values()].map(({ worker }) => worker).filter((w) => !w.leaving);
  }

  /** One that may be leaving. */
  find(id: string): Worker | undefined {
    return this.heard.get(id)?.worker;
  }

  /** The other workers of this one's version, with those that are leaving; undefined while some may not have been heard. */
  get others(): string[] | undefined {
    const self = this.self?.();
    if (performance.now() - this.since < SETTLED_MS) return undefined;
    const all = [...this.heard.values()].map(({ worker }) => worker);
    return all.filter((w) => w.id !== self?.id && w.version === self?.version).map((w) => w.id);
  }

  /** For other parties: this worker is always among them, until it leaves. */
  get addresses(): WorkerAddress[] {
    const self = this.self?.();
    const others = this.live.filter((w) => w.id !== self?.id);
    const all = self && !self.leaving ? [self, ...others] : others;
    return all.map(({ id, host, port, version }) => ({ id, host, port, version }));
  }

  close(): void {
    clearInterval(this.timer);
    if (this.self) this.nats.publish("worker-gone", this.self().id);
  }

  private look(): void {
    const now = JSON.stringify([...this.heard].sort().map(([, { worker }]) => worker));
    if (now === this.told) return;
    this.told = now;
    this.onChange();
  }
}
