/**
 * Ids that must not come again. Memory is bounded: the oldest are forgotten. Nothing secret depends on it, since
 * every session gets randomness of its own; it turns a repeated request into a clear error.
 */
export class Seen {
  private readonly ids = new Set<string>();
  private readonly capacity: number;

  constructor(capacity = 100_000) {
    this.capacity = capacity;
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  /** @returns false when the id was there already. */
  add(id: string): boolean {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (this.ids.size > this.capacity) {
      for (const oldest of this.ids) {
        this.ids.delete(oldest);
        break;
      }
    }
    return true;
  }
}
