import { randomGru } from "@sotto/core/testing";
import { expect, it } from "vitest";
import { compileFor } from "./profile.js";

const model = randomGru({ seed: 1, hidden: 8, inputSize: 4, steps: 5 });

it("is that of the measured line, if none is stated", () => {
  const profile = (roundTripMs: number | undefined, stated?: "lan" | "wan") =>
    compileFor(model, stated ? { profile: stated } : {}, roundTripMs).plan.profile;
  expect(profile(undefined)).toBe("lan");
  expect(profile(0.1)).toBe("lan");
  expect(profile(80)).toBe("wan");
  expect(profile(80, "lan")).toBe("lan");
  expect(profile(0.1, "wan")).toBe("wan");
});
