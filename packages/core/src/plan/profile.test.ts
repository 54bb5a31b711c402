import { expect, it } from "vitest";
import { randomGru } from "../testing/models.js";
import { compile } from "./compile.js";
import { fasterProfile } from "./profile.js";

it("is the one for wide-area links where round trips are long, and for small work sooner", () => {
  const choice = (hidden: number, roundTripMs: number) =>
    fasterProfile(compile(randomGru({ seed: 1, hidden, inputSize: 4, steps: 3 })).plan, {}, roundTripMs);
  expect([0.1, 1, 80].map((ms) => choice(64, ms))).toEqual(["lan", "lan", "wan"]);
  expect([choice(256, 6), choice(4, 6)]).toEqual(["lan", "wan"]);
});

it("is the ordinary one where the other saves no round", () => {
  const { plan } = compile(randomGru({ seed: 1, hidden: 4, inputSize: 4, steps: 3 }));
  // nothing to look up
  expect(fasterProfile({ ...plan, layers: [], outputs: [] }, {}, 1000)).toBe("lan");
});
