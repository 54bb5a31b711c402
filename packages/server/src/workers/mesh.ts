/**
 * Links to every worker of another party: one address of it is configured, and each worker tells where the others are.
 * Only those of this process's own version are used.
 */
import { SottoError } from "@sotto/core";
import {
  asSottoError,
  Backoff,
  type Greeting,
  greet,
  type Link,
  type Role,
  type WorkerAddress,
} from "@sotto/wire";
import { type Address, dial, type Identity, keepConnected } from "@sotto/wire/node";
import type { Logger } from "../log.js";
import { CONNECT_TIMEOUT_MS } from "../parties.js";

const BACKOFF = { firstMs: 100, maxMs: 1000 };

export interface MeshOptions {
  /** Any worker of the other party. */
  address: Address;
  remote: Role;
  identity: Identity;
  self: Greeting;
  version: string;
  log: Logger;
  /** To be used from now on. Its messages come to onControl, but for those that the mesh takes. */
  onLink: (link: Link) => void;
  /** There is no link at all now: why. */
  onNone: (error: SottoError) => void;
}

export class Mesh {
  private readonly options: MeshOptions;
  private readonly links = new Map<string, Link>();
  private readonly dialled = new Map<string, () => void>();
  private readonly gone = new Set<string>();
  private listed: readonly WorkerAddress[] = [];
  private readonly giveUp = new AbortController();
  private readonly backoff = new Backoff(BACKOFF);
  private timer: NodeJS.Timeout | undefined;

  constructor(options: MeshOptions) {
    this.options = options;
    void this.seek();
  }

  get open(): readonly Link[] {
    return [...this.links.values()];
  }

  /** What a worker of the other party has said. */
  learn(workers: readonly WorkerAddress[]): void {
    const { version } = this.options;
    this.listed = workers.filter((w) => w.version === version && !this.gone.has(w.id));
    for (const worker of this.listed) {
      if (!this.links.has(worker.id) && !this.dialled.has(worker.id)) this.keep(worker);
    }
    for (const [id, stop] of this.dialled) {
      // what still runs over a link of one that leaves goes on
      if (this.links.has(id) || this.isListed(id)) continue;
      stop();
      this.dialled.delete(id);
    }
  }

  close(): void {
    this.giveUp.abort();
    clearTimeout(this.timer);
    for (const stop of this.dialled.values()) stop();
    for (const link of this.links.values()) link.close();
  }

  private isListed(id: string): boolean {
    return this.listed.some((w) => w.id === id);
  }

  private keep({ id, host, port }: WorkerAddress): void {
    const { identity, self, remote } = this.options;
    const stop = keepConnected({
      ...{ address: { host, port }, identity, self, remote, connectTimeoutMs: CONNECT_TIMEOUT_MS },
      onLink: (link) => this.greeted(link, id),
      onDown: () => {
        if (this.isListed(id)) return;
        stop();
        this.dialled.delete(id);
      },
    });
    this.dialled.set(id, stop);
  }

  /** A new link is used once its worker has said which workers there are, and with that its own version. */
  private greeted(link: Link, expected?: string): void {
    link.onControl = (message) => {
      if (message.type !== "workers") return;
      const id = link.remoteBoot;
      const own = message.workers.find((w) => w.id === id);
      if (expected && id !== expected) {
        // it has been restarted, and will not come back as what it was
        this.gone.add(expected);
        link.drop(other(expected));
        this.learn(message.workers);
        return;
      }
      if (this.giveUp.signal.aborted || own?.version !== this.options.version || this.links.has(id)) {
        link.close();
        this.learn(message.workers);
        return;
      }
      this.links.set(id, link);
      this.backoff.reset();
      this.options.onLink(link);
      const take = link.onControl;
      link.onControl = (m, bytes) => (m.type === "workers" ? this.learn(m.workers) : take(m, bytes));
      link.onClose((error) => {
        this.links.delete(id);
        if (this.giveUp.signal.aborted) return;
        const worker = this.listed.find((w) => w.id === id);
        if (worker && !this.dialled.has(id)) this.keep(worker);
        if (this.links.size > 0) return;
        this.options.onNone(error);
        this.seekLater();
      });
      this.learn(message.workers);
    };
  }

  /** While there is no link: asks at the configured address. */
  private async seek(): Promise<void> {
    const { address, identity, remote, self } = this.options;
    const { signal } = this.giveUp;
    if (signal.aborted || this.links.size > 0) return;
    try {
      const channel = await dial(address, identity, remote, CONNECT_TIMEOUT_MS, { signal });
      await greet(channel, self, remote, CONNECT_TIMEOUT_MS, (link) => {
        this.greeted(link);
        link.onClose(() => this.seekLater());
      });
    } catch (error) {
      if (signal.aborted) return;
      this.options.onNone(asSottoError(error));
      this.seekLater();
    }
  }

  private seekLater(): void {
    clearTimeout(this.timer);
    if (this.giveUp.signal.aborted || this.links.size > 0) return;
    this.timer = setTimeout(() => void this.seek(), this.backoff.next());
  }
}

function other(id: string): SottoError {
  return new SottoError("conflict", `another process than worker ${id} answers at its address`);
}
