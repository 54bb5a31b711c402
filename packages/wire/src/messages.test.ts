import { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { parseControl } from "./messages.js";

/** What reading a message is refused with. */
function refusal(message: unknown): SottoError {
  try {
    parseControl(new TextEncoder().encode(JSON.stringify(message)));
  } catch (error) {
    expect(error).toBeInstanceOf(SottoError);
    return error as SottoError;
  }
  throw new Error("taken");
}

describe("a control message that is none", () => {
  const deal = {
    type: "deal",
    session: "0".repeat(32),
    setup: "0".repeat(32),
    plan: "0".repeat(64),
    sizes: {},
  };

  it("is refused by the fields that are wrong", () => {
    const { code, message } = refusal({ ...deal, session: 7, sizes: { time: -1 } });
    expect(code).toBe("protocol");
    expect(message).toMatch(/session: .*; sizes\.time: /);
  });

  it("is refused without its long keys, which may be anything", () => {
    const { message } = refusal({ ...deal, sizes: { ["deadbeef".repeat(32)]: 1 } });
    expect(message).toMatch(/sizes\.\(a long key\)/);
    expect(message).not.toContain("deadbeef");
  });

  it("is refused in a few words, whatever is wrong with it", () => {
    const sizes = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, -1]));
    expect(refusal({ ...deal, sizes }).message.length).toBeLessThan(1000);
  });
});
