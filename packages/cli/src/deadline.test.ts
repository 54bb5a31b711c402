/** The end of a command that takes too long, and what its user reads. */
import { SottoError } from "@sotto/core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { withDeadline } from "./deadline.js";
import { report } from "./errors.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What is written once work that ends so, when it is cut off, has been cut off. */
async function written(cutOff: (reason: Error) => Error | undefined): Promise<string> {
  const work = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => {
        const error = cutOff(signal.reason);
        if (error) setTimeout(() => reject(error), 10);
      });
    });
  const ended = withDeadline(3, "the inference", work).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(10_000);
  let text = "";
  report(await ended, "infer", (more) => {
    text += more;
  });
  return text;
}

it("has the work's own words of who was waited for, with a hint to look there", async () => {
  const text = await written((reason) => {
    return new SottoError("timeout", `${reason.message}; server 1 (https://b) has not answered`);
  });
  expect(text).toMatch(
    /^sotto: the inference took longer than 3 s; server 1 \(https:\/\/b\) has not answered\n/,
  );
  expect(text).toMatch(/hint: is that server up/);
});

it.each([
  ["ends in another error", () => new Error("aborted")],
  ["does not end", () => undefined],
])("is that of the deadline where the work %s", async (_, cutOff) => {
  const text = await written(cutOff);
  expect(text).toMatch(/^sotto: the inference took longer than 3 s\n {2}hint: raise --timeout, or look/);
});
