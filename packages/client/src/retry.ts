/** Trying again where that is safe: always as if for the first time, never beyond the caller's deadline. */
import type { SottoError } from "@sotto/core";
import { asSottoError, Backoff } from "@sotto/wire";
import type { Deadline } from "./cluster.js";

export interface RetryOptions {
  /** How often a failed call is tried again; default 4, 0 for never. */
  retries?: number;
  /** First pause between two attempts, in milliseconds; doubled each time, with jitter; default 100. */
  backoffMs?: number;
}

export interface Retry {
  /** The attempt that comes, from 2. */
  attempt: number;
  afterMs: number;
  /** Why the one before failed. */
  error: SottoError;
}

const RETRIES = 4;
const BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;

/**
 * Errors that a fresh attempt may not meet: a party that is away or busy, a limit for now, a session that was
 * overtaken by a restart or a deployment.
 */
export function isPassing(error: SottoError): boolean {
  return error.code === "unreachable" || error.code === "busy" || error.code === "conflict";
}

/**
 * @param work one attempt, with everything in it fresh.
 * @throws what the last attempt threw: when it is no passing error, there have been enough attempts, or the next one
 * would begin after the deadline.
 */
export async function withRetries<T>(
  options: RetryOptions,
  deadline: Omit<Deadline, "silent">,
  work: (attempt: number) => Promise<T>,
  onRetry: (retry: Retry) => void = () => {},
  passing: (error: SottoError) => boolean = isPassing,
): Promise<T> {
  const { signal } = deadline;
  const retries = options.retries ?? RETRIES;
  const backoff = new Backoff({ firstMs: options.backoffMs ?? BACKOFF_MS, maxMs: MAX_BACKOFF_MS });
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (cause) {
      if (signal.aborted) throw cause;
      const error = asSottoError(cause);
      deadline.last = error;
      const afterMs = Math.max(backoff.next(), error.retryAfterMs ?? 0);
      if (attempt > retries || !passing(error) || performance.now() + afterMs >= deadline.endsAt) throw error;
      onRetry({ attempt: attempt + 1, afterMs, error });
      await pause(afterMs, signal);
    }
  }
}

/** @throws the signal's reason when it aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  });
}
