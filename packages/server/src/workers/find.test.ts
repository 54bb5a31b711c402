import type { SottoError } from "@sotto/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type * as z from "zod/mini";
import { newId } from "../parties.js";
import { SetUpFinder } from "./find.js";
import type { setUpKnown } from "./messages.js";

type Answer = z.output<typeof setUpKnown>;

describe("a set-up that a dealer's worker does not know", () => {
  const [a, b] = [newId(), newId()];
  let answer: (answer: Answer) => void;
  let questions: string[];
  let others: string[] | undefined;
  let finder: SetUpFinder;
  beforeEach(() => {
    vi.useFakeTimers();
    questions = [];
    others = [a, b];
    const ask = (name: string, _schema: unknown, take: (value: never) => void) => {
      questions.push(name);
      answer = (given) => take(given as never);
      return () => {};
    };
    finder = new SetUpFinder({ nats: { need: () => {}, ask }, others: () => others, ms: 1000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const shared = { plan: {} as never, seeds: ["", ""], pair: [a, b] } as Answer["shared"];
  /** What the search has come to by now. */
  async function outcome(search: Promise<unknown>): Promise<unknown> {
    const settled = search.catch((error: SottoError) => error.code);
    await vi.advanceTimersByTimeAsync(0);
    return Promise.race([settled, Promise.resolve("nothing yet")]);
  }

  it("is known to nobody once each other worker has said so, and not before", async () => {
    const search = finder.find("s");
    answer({ worker: a, shared: null });
    answer({ worker: newId(), shared: null });
    expect(await outcome(search)).toBe("nothing yet");
    answer({ worker: b, shared: null });
    expect(await search).toBe(undefined);
  });

  it("is found with the first one that knows it", async () => {
    const search = finder.find("s");
    answer({ worker: b, shared });
    expect(await search).toEqual(shared);
  });

  it("may be known still while one of them is silent", async () => {
    const search = finder.find("s");
    const caught = search.catch((error: SottoError) => error.code);
    answer({ worker: a, shared: null });
    await vi.advanceTimersByTimeAsync(1000);
    expect(await caught).toBe("unreachable");
  });

  it("may be known to one that was not heard yet, and to nobody where there is no other worker", async () => {
    others = undefined;
    const early = finder.find("s").catch((error: SottoError) => error.code);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await early).toBe("unreachable");
    others = [];
    expect(await finder.find("s")).toBe(undefined);
  });

  it("is asked for once, whoever needs it", async () => {
    const both = [finder.find("s"), finder.find("s")];
    answer({ worker: a, shared });
    expect(await Promise.all(both)).toEqual([shared, shared]);
    expect(questions).toEqual(["setup.s"]);
  });
});
