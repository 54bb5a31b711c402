/** How long to wait before the next attempt: exponentially longer, with jitter, up to a bound. */

export interface BackoffLimits {
  firstMs: number;
  maxMs: number;
}

export class Backoff {
  private readonly limits: BackoffLimits;
  private readonly random: () => number;
  private delay: number;

  /** @param random uniform from 0 to 1; nothing secret hangs on it. */
  constructor(limits: BackoffLimits, random: () => number = Math.random) {
    this.limits = limits;
    this.random = random;
    this.delay = limits.firstMs;
  }

  /**
   * Milliseconds, half to one and a half times the delay: those who failed together do not come back in step.
   * @param maxMs another bound on the delays to come.
   */
  next(maxMs = this.limits.maxMs): number {
    const wait = this.delay * (0.5 + this.random());
    this.delay = Math.min(this.delay * 2, maxMs);
    return wait;
  }

  /** It has worked. */
  reset(): void {
    this.delay = this.limits.firstMs;
  }
}
