import { SottoError } from "@sotto/core";
import { expect, it } from "vitest";
import { bytes, plainly } from "./words.js";

it("tells a stream that stood still from servers that are slow", () => {
  const idle =
    "server 0: stream ab: no step for 300000 ms, so its state was wiped (limits.streamIdleMs); open a new stream";
  expect(plainly(new SottoError("timeout", idle))).toEqual({
    text: expect.stringMatching(/stands still for 5 minutes: .* Try again, from the beginning/),
    detail: idle,
  });
  expect(plainly(new SottoError("timeout", "server 0: no answer")).text).toMatch(/took too long/);
});

it("keeps a number and its unit on one line", () => {
  expect([999, 1500, 1e6].map(bytes)).toEqual(["999\u00a0B", "1.5\u00a0kB", "1.0\u00a0MB"]);
});
