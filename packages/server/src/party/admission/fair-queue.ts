/**
 * Requests that wait, with a bounded number of places and bytes. Clients take turns, whoever has how many waiting; and
 * when there is no room, it is the client with the most of it that makes room, from its newest request on.
 */

export interface Entry {
  /** Session id. */
  id: string;
  /** Who takes turns with others. */
  client: string;
  /** Memory that it takes while it waits. */
  bytes: number;
}

export interface Room {
  places: number;
  /** One request alone may be larger. */
  bytes: number;
}

export class FairQueue<E extends Entry> {
  private readonly room: Room;
  /** In the order of turns. None is empty. */
  private readonly clients = new Map<string, Map<string, E>>();
  private readonly entries = new Map<string, E>();
  private bytes = 0;

  constructor(room: Room) {
    this.room = room;
  }

  get size(): number {
    return this.entries.size;
  }

  get(id: string): E | undefined {
    return this.entries.get(id);
  }

  /** @returns those for which there is no room, the new one perhaps among them. They are out. */
  add(entry: E): E[] {
    const own = this.clients.get(entry.client) ?? new Map<string, E>();
    this.clients.set(entry.client, own);
    own.set(entry.id, entry);
    this.entries.set(entry.id, entry);
    this.bytes += entry.bytes;
    const out: E[] = [];
    while (this.size > this.room.places || (this.bytes > this.room.bytes && this.size > 1)) {
      const last = [...this.heaviest(entry.client).values()].at(-1)!;
      this.remove(last.id);
      out.push(last);
    }
    return out;
  }

  /** The next one in turn, which is out; undefined when nobody waits. */
  next(): E | undefined {
    for (const [client, own] of this.clients) {
      const [first] = own.values();
      this.remove(first!.id);
      // whoever was served comes last
      if (this.clients.delete(client)) this.clients.set(client, own);
      return first;
    }
    return undefined;
  }

  remove(id: string): E | undefined {
    const entry = this.entries.get(id);
    if (!entry) return undefined;
    this.entries.delete(id);
    this.bytes -= entry.bytes;
    const own = this.clients.get(entry.client);
    own?.delete(id);
    if (own?.size === 0) this.clients.delete(entry.client);
    return entry;
  }

  /** Everything that waits, which is out. */
  empty(): E[] {
    const all = [...this.entries.values()];
    this.entries.clear();
    this.clients.clear();
    this.bytes = 0;
    return all;
  }

  /** The requests of the client with the most room, in places or bytes; of the newcomer's where they are equal. */
  private heaviest(newcomer: string): Map<string, E> {
    const { places, bytes } = this.room;
    const weight = (own: Map<string, E>) => {
      let sum = 0;
      for (const entry of own.values()) sum += entry.bytes;
      return Math.max(own.size / Math.max(1, places), sum / Math.max(1, bytes));
    };
    let found = this.clients.get(newcomer) ?? new Map<string, E>();
    let most = weight(found);
    for (const own of this.clients.values()) {
      const w = weight(own);
      if (w > most) [found, most] = [own, w];
    }
    return found;
  }
}
