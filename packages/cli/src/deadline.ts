/** One deadline for a whole command, so that nothing can hang whatever the parties do. */
import { SottoError } from "@sotto/core";

/** So long work has to end in its own words, which may say who was waited for. */
const LAST_WORDS_MS = 1000;

/** Runs `work` under a signal that fires after `seconds`, and fails then, however long the work goes on. */
export async function withDeadline<T>(
  seconds: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const { signal } = controller;
  const expired = new Promise<never>((_, reject) => {
    // setTimeout takes 31 bits of milliseconds
    timer = setTimeout(
      () => {
        const error = new SottoError("timeout", `${what} took longer than ${seconds} s`);
        controller.abort(error);
        timer = setTimeout(() => reject(error), LAST_WORDS_MS);
      },
      Math.min(seconds * 1000, 2 ** 31 - 1),
    );
  });
  try {
    return await Promise.race([work(signal), expired]);
  } catch (error) {
    // what was cut off may complain of that in many ways
    const said = error instanceof SottoError && error.code === "timeout";
    throw signal.aborted && !said ? signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}
