import { SottoError } from "@sotto/core";
import { expect, it } from "vitest";
import { SessionIds } from "./session-ids.js";

const reason = (what: string) => new SottoError("unreachable", what);

it("an id serves one session", () => {
  const ids = new SessionIds();
  ids.checkNew("a");
  ids.take("a");
  expect(() => ids.checkNew("a")).toThrow(/session a was opened before; a session id serves one input/);
  expect(() => ids.checkNew("a", "draw a new stream id")).toThrow(/draw a new stream id/);
  expect([ids.isTaken("a"), ids.isOver("a"), ids.isOver("b")]).toEqual([true, true, false]);
});

it("a request that comes after its session's end hears the reason once, and its id is used then", () => {
  const ids = new SessionIds();
  ids.ended("a", reason("the dealer was lost"));
  expect([ids.isTaken("a"), ids.isOver("a")]).toEqual([false, true]);
  expect(ids.reason("a")?.message).toMatch(/the dealer was lost/);
  expect(() => ids.take("a")).toThrow(/the dealer was lost/);
  expect(() => ids.checkNew("a")).toThrow(/was opened before/);
});

it("keeps the last thousand reasons, and no more", () => {
  const ids = new SessionIds();
  for (let i = 0; i <= 1000; i++) ids.ended(`${i}`, reason(`${i}`));
  expect(ids.reason("0")).toBeUndefined();
  expect(ids.reason("1")?.message).toBe("1");
  expect(ids.reason("1000")?.message).toBe("1000");
});
