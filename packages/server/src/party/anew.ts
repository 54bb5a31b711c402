/** Set-ups that another party does not know any more: when they are made anew. Later each time, where it goes on like that. */
import { Backoff } from "@sotto/wire";
import type { Model } from "./models.js";

const BACKOFF = { firstMs: 100, maxMs: 10_000 };
/** What has been known for so long begins from the first delay. */
const CALM_MS = 60_000;

interface Dropped {
  model: Model;
  backoff: Backoff;
  /** performance.now() at the last time. */
  at: number;
  timer: NodeJS.Timeout | undefined;
}

export class Anew {
  /** By the model's name. */
  private readonly dropped = new Map<string, Dropped>();
  private readonly again: () => void;

  /** @param again called when it is time for one of them. */
  constructor(again: () => void) {
    this.again = again;
  }

  later(model: Model): void {
    const now = performance.now();
    const before = this.dropped.get(model.name);
    clearTimeout(before?.timer);
    const calm = !before || now - before.at > CALM_MS;
    const entry: Dropped = {
      ...{ model, at: now, timer: undefined },
      backoff: calm ? new Backoff(BACKOFF) : before.backoff,
    };
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      this.again();
    }, entry.backoff.next());
    this.dropped.set(model.name, entry);
  }

  /** Whether its time has not come. */
  waits(model: Model): boolean {
    const entry = this.dropped.get(model.name);
    return entry?.timer !== undefined && entry.model === model;
  }

  removed(name: string): void {
    clearTimeout(this.dropped.get(name)?.timer);
    this.dropped.delete(name);
  }

  close(): void {
    for (const name of [...this.dropped.keys()]) this.removed(name);
  }
}
