/** A simulated link's arithmetic: when what is sent now arrives. */

export interface LinkSpec {
  /** Milliseconds both ways together. */
  roundTripMs: number;
  /** Bits a second in each direction. */
  bitsPerSecond: number;
}

/** One direction: pieces leave one after the other at the link's rate, and arrive after half a round trip. */
export class Schedule {
  private readonly oneWayMs: number;
  private readonly bytesPerMs: number;
  private free = 0;

  /** @param ownMs what the relay itself adds to a round trip, which the delay then leaves out. */
  constructor({ roundTripMs, bitsPerSecond }: LinkSpec, ownMs = 0) {
    this.oneWayMs = Math.max(0, roundTripMs - ownMs) / 2;
    this.bytesPerMs = bitsPerSecond / 8000;
  }

  /** When a piece that came at `now` has arrived whole, in milliseconds of the same clock. */
  arrival(now: number, bytes: number): number {
    this.free = Math.max(now, this.free) + bytes / this.bytesPerMs;
    return this.free + this.oneWayMs;
  }

  /** Bytes that may be on their way: those that fit into the delay, and as much again in queues at least. */
  get capacity(): number {
    return 2 ** 20 + 2 * this.oneWayMs * this.bytesPerMs;
  }
}
