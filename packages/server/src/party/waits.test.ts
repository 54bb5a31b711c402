import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Patience, type Standing, waitOf } from "./waits.js";

const limits = { timeoutMs: 50_000, roundTimeoutMs: 20_000, joinTimeoutMs: 12_000 };
const rounds = { round: 818, count: 12501, starved: false };
const standing: Standing = {
  session: "s",
  index: 0,
  corrected: false,
  peer: "server 1",
  dealer: "the dealer",
  asked: true,
  dealt: true,
  greeted: true,
  rounds,
  stage: 900,
};

describe("a session that waits", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Milliseconds until it gives up, and what it says. */
  function patience(change: Partial<Standing>): [number, string] {
    let message = "";
    const end = (error: Error) => {
      message ||= error.message;
    };
    const patience = new Patience(limits, () => waitOf({ ...standing, ...change }), end);
    vi.advanceTimersByTime(10_000);
    patience.renew();
    let ms = 0;
    for (; message === "" && ms < 100_000; ms += 1000) vi.advanceTimersByTime(1000);
    patience.end();
    return [ms, message];
  }

  it("asks once whether the request has come to server 0, where it waits for that", () => {
    const askedAt = (change: Partial<Standing>) => {
      const at: number[] = [];
      let ms = 0;
      const of = { ...standing, rounds: undefined, ...change };
      const patience = new Patience(
        limits,
        () => waitOf(of),
        () => {},
        () => at.push(ms + 1000),
      );
      for (; ms < 60_000; ms += 1000) vi.advanceTimersByTime(1000);
      patience.end();
      return at;
    };
    expect(askedAt({ index: 1, dealt: false })).toEqual([12_000]);
    expect(askedAt({ index: 0, dealt: false })).toEqual([]);
    expect(askedAt({ index: 1 })).toEqual([]);
  });

  it("names who is silent, and a dealer that silences server 1 before server 0 names server 1", () => {
    const starved = { ...rounds, starved: true };
    const cases: [Partial<Standing>, number, RegExp][] = [
      [{}, 20_000, /^server 1 has been silent for 20 s in round 818 of 12501$/],
      [{ rounds: starved }, 50_000, /this server's own randomness of stage 818/],
      [
        { corrected: true, rounds: starved },
        15_000,
        /^the dealer has been silent for 15 s .*stage 818 of 12501$/,
      ],
      [
        { index: 1, corrected: true, rounds: starved },
        15_000,
        /^the dealer has been silent for 15 s .*stage 818 of 12501$/,
      ],
      [{ dealt: false }, 15_000, /^the dealer has been silent for 15 s when asked/],
      [{ index: 1, corrected: true, greeted: false, rounds: undefined }, 15_000, /^the dealer .* stage 900$/],
      [{ rounds: undefined }, 50_000, /waited 50000 ms for server 1 to join/],
      [{ asked: false }, 12_000, /waited 12000 ms for the client's request/],
      [{ pooled: true }, 20_000, /^server 1 has been silent for 20 s in round 818/],
      [
        { pooled: true, rounds: { ...rounds, round: 1 } },
        50_000,
        /waited 50000 ms for server 1 to join; the client's/,
      ],
    ];
    for (const [change, ms, message] of cases) {
      expect(patience(change)).toEqual([ms, expect.stringMatching(message)]);
    }
  });
});
