/** One deadline for a whole command, so that nothing can hang whatever the parties do. */
import { SottoError } from "@sotto/core";

/** Runs `work` under a signal that fires, and fails, after `seconds`. */
export async function withDeadline<T>(
  seconds: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    // setTimeout takes 31 bits of milliseconds
    timer = setTimeout(
      () => {
        const error = new SottoError("timeout", `${what} took longer than ${seconds} s`);
        reject(error);
        controller.abort(error);
      },
      Math.min(seconds * 1000, 2 ** 31 - 1),
    );
  });
  try {
    return await Promise.race([work(controller.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
}
