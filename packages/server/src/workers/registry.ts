/** A party's live workers, as each of them and the front know them: every one says each second that it is there. */
import type { WorkerAddress } from "@sotto/wire";
import type { Nats } from "./nats.js";

const BEAT_MS = 1000;
/** Beats that may be late before a worker counts as gone. */
const LATE_MS = 6000;

/** Server 1's workers to its front: a session has begun here. */
export const BEGUN = "begun";
export interface Begun {
  session: string;
  worker: string;
}

export interface Worker {
  /** Its `boot`. */
  id: string;
  version: string;
  /** Where other parties reach it. */
  host: string;
  port: number;
  /** Port of its API, for the front; 0 where it has none. */
  api: number;
  /** Hashes of the plans that a session may use now, by model. */
  ready: Record<string, string[]>;
  /** Workers of the other server that it is linked to. */
  lanes: number;
  /** It takes no new session. */
  leaving: boolean;
}

export class Registry {
  private readonly nats: Nats;
  private readonly self: (() => Worker) | undefined;
  private readonly heard = new Map<string, { worker: Worker; at: number }>();
  private readonly timer: NodeJS.Timeout;
  private told = "";
  /** The list has changed, or what a worker says of itself. */
  onChange: () => void = () => {};

  /** @param self of a worker; a front only listens. */
  constructor(nats: Nats, self?: () => Worker) {
    this.nats = nats;
    this.self = self;
    nats.subscribe<Worker>("worker", (worker) => {
      this.heard.set(worker.id, { worker, at: performance.now() });
      this.look();
    });
    nats.subscribe<string>("worker-gone", (id) => {
      this.forget(id);
    });
    nats.subscribe("who", () => this.beat());
    // while NATS was away nobody was heard
    nats.onChange(() => {
      for (const entry of this.heard.values()) entry.at = performance.now();
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
