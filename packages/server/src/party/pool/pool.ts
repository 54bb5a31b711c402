/**
 * Which correlated randomness is prepared ahead, and for what: bookkeeping alone. An entry is taken once: it leaves the
 * pool with the take, there is no way to put it back, and an id never comes again.
 */
import { SottoError } from "@sotto/core";
import { Seen } from "../../seen.js";

/** Kinds of request that entries are kept for: the ones that were asked for last. */
const MAX_KINDS = 8;

/** What a request and an entry must have in common. */
export interface Kind {
  setUp: string;
  /** Sizes in a fixed order, as text. */
  sizes: string;
}

interface Entry<T> {
  kind: string;
  setUp: string;
  item: T;
  ready: boolean;
}

export class Pool<T> {
  /** Entries for each kind. */
  readonly depth: number;
  private readonly maxKinds: number;
  /** In the order in which they were added. */
  private readonly entries = new Map<string, Entry<T>>();
  /** What was asked for, the last one last. */
  private readonly wanted = new Map<string, Kind>();
  private readonly seen = new Seen();

  constructor(depth: number, maxKinds = MAX_KINDS) {
    this.depth = depth;
    this.maxKinds = maxKinds;
  }

  /** Entries, ready or not. */
  get size(): number {
    return this.entries.size;
  }

  /** Entries that there may be. */
  get capacity(): number {
    return this.depth * this.maxKinds;
  }

  /** A kind was asked for, and may be again. @returns the entries for which there is no room any more, taken out. */
  want(kind: Kind): T[] {
    const key = keyOf(kind);
    this.wanted.delete(key);
    this.wanted.set(key, kind);
    if (this.wanted.size <= this.maxKinds) return [];
    const oldest = this.wanted.keys().next().value!;
    this.wanted.delete(oldest);
    return this.takeAll((entry) => entry.kind === oldest);
  }

  /** What was asked for last and has fewer entries than it should. */
  get missing(): Kind | undefined {
    const counts = new Map<string, number>();
    for (const { kind } of this.entries.values()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    const short = [...this.wanted].filter(([key]) => (counts.get(key) ?? 0) < this.depth);
    return short.at(-1)?.[1];
  }

  /** An entry that is being prepared. @throws SottoError conflict for an id that was here before. */
  add(id: string, kind: Kind, item: T): void {
    if (!this.seen.add(id))
      throw new SottoError("conflict", `pool entry ${id} was there before; draw a new id`);
    this.entries.set(id, { kind: keyOf(kind), setUp: kind.setUp, item, ready: false });
  }

  /** An entry is prepared as far as it is going to be before it is used. */
  ready(id: string): void {
    const entry = this.entries.get(id);
    if (entry) entry.ready = true;
  }

  /** The oldest entry that is ready for a kind. */
  take(kind: Kind): T | undefined {
    const key = keyOf(kind);
    for (const [id, entry] of this.entries) if (entry.ready && entry.kind === key) return this.takeId(id);
    return undefined;
  }

  /** This entry, ready or not. */
  takeId(id: string): T | undefined {
    const entry = this.entries.get(id);
    this.entries.delete(id);
    return entry?.item;
  }

  /** A set-up is not used for anything new. @returns its entries, taken out. */
  forget(setUp: string): T[] {
    for (const [key, kind] of this.wanted) if (kind.setUp === setUp) this.wanted.delete(key);
    return this.takeAll((entry) => entry.setUp === setUp);
  }

  /** Every entry, taken out; nothing is wanted any more. */
  empty(): T[] {
    this.wanted.clear();
    return this.takeAll(() => true);
  }

  /** Entries that are ready. */
  get prepared(): T[] {
    return [...this.entries.values()].filter((e) => e.ready).map((e) => e.item);
  }

  private takeAll(which: (entry: Entry<T>) => boolean): T[] {
    const ids = [...this.entries].filter(([, entry]) => which(entry)).map(([id]) => id);
    return ids.map((id) => this.takeId(id)!);
  }
}

function keyOf({ setUp, sizes }: Kind): string {
  return `${setUp} ${sizes}`;
}
