/** How long to wait before the next attempt to connect: exponentially longer, with jitter, up to a bound. */
import type { ErrorCode } from "@sotto/core";

const FIRST_MS = 50;
const MAX_MS = 1000;
/** After a refusal because our place is taken, which may last. */
const MAX_TAKEN_MS = 5000;

export class Backoff {
  private delay = FIRST_MS;
  private readonly random: () => number;

  /** @param random uniform from 0 to 1; nothing secret hangs on it. */
  constructor(random: () => number = Math.random) {
    this.random = random;
  }

  /** Milliseconds, half to one and a half times the delay: parties that lost the same peer do not come back in step. */
  next(code: ErrorCode): number {
    const wait = this.delay * (0.5 + this.random());
    this.delay = Math.min(this.delay * 2, code === "conflict" ? MAX_TAKEN_MS : MAX_MS);
    return wait;
  }

  /** A connection has lived. */
  reset(): void {
    this.delay = FIRST_MS;
  }
}
