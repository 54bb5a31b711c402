import { describe, expect, it } from "vitest";
import { failureLevel } from "./leader.js";

describe("a set-up that fails", () => {
  it("is no reason to warn while a deployment may be on its way to both servers", () => {
    for (const code of ["not-found", "plan-mismatch"] as const) {
      expect([failureLevel(code, 0), failureLevel(code, 60_000)]).toEqual(["info", "warn"]);
    }
    expect(failureLevel("timeout", 0)).toBe("warn");
  });

  it("is no reason to warn when another party leaves, however long that takes", () => {
    expect(failureLevel("unreachable", 60_000)).toBe("info");
  });
});
