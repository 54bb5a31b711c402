import { beforeAll, describe, expect, it } from "vitest";
import { compile } from "../plan/compile.js";
import { instantiate } from "../plan/instantiate.js";
import { rounds } from "../program/program.js";
import { Ring } from "../ring/ring.js";
import { shareInputs } from "../share/share.js";
import { randomGru, randomInput } from "../testing/models.js";
import { seededBytes } from "../testing/seeded.js";
import { deployTogether, inferTogether } from "../testing/together.js";
import { Dealer } from "./dealer.js";
import { CorrectedMaterial, outputStream, SeedMaterial } from "./material.js";
import { Party } from "./party.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const compiled = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }), { range: 4 });
const network = instantiate(compiled.plan, {});
const inputs = { x: randomInput(1, 6) };
const refresh = () => outputStream(ring, [new Uint8Array(32), new Uint8Array(32)]);

function players() {
  const random = seededBytes("players");
  const deployment = deployTogether(ring, compiled, random);
  const seeds = [random(32), random(32)] as const;
  const dealer = Dealer.fromSeeds(ring, network.program, deployment.setup, seeds);
  const parties = [
    new Party(ring, network.program, 0, deployment.models[0], SeedMaterial.fromSeed(ring, seeds[0])),
    new Party(ring, network.program, 1, deployment.models[1], CorrectedMaterial.fromSeed(ring, seeds[1])),
  ] as const;
  return { dealer, parties, shares: shareInputs(ring, network, inputs) };
}

describe("correlated randomness", () => {
  it("serves one input: a party takes no second one", () => {
    const { parties, shares } = players();
    parties[0].begin(shares[0], refresh());
    expect(() => parties[0].begin(shares[0], refresh())).toThrow(/taken; open a new session/);
  });

  it("is dealt once: a dealer gives no stage twice, and none beyond the last", () => {
    const { dealer, parties } = players();
    const seen = new Set<string>();
    while (!dealer.done) {
      const [, words] = dealer.deal();
      seen.add(words.join());
      parties[1].prepare(words);
    }
    expect(seen.size).toBe(network.program.stages.length);
    expect(() => dealer.deal()).toThrow(/deals once/);
    expect(() => parties[1].prepare(new Uint8Array(0))).toThrow(/more corrections than stages/);
  });

  it("is not drawn for places of another size", () => {
    const { dealer } = players();
    const [a, b] = dealer.nextBytes;
    const before = ring.bytesInUse;
    const wrong = [new Uint8Array(a), new Uint8Array(b + 1)] as const;
    expect(() => dealer.dealInto(wrong)).toThrow(`places of ${a} and ${b + 1} bytes; expected ${a} and ${b}`);
    expect(ring.bytesInUse).toBe(before);
    expect(dealer.deal()[1].length).toBe(b);
  });

  it("is refused at another length before any of it is drawn", () => {
    for (const change of [-1, 1, -Infinity]) {
      const { dealer, parties } = players();
      const corrections = [];
      while (!dealer.done) corrections.push(dealer.deal()[1]);
      const stage = corrections.findIndex((words) => words.length > 0);
      for (let s = 0; s < stage; s++) parties[1].prepare(corrections[s]!);
      const wrong = new Uint8Array(Math.max(0, corrections[stage]!.length + change));
      const before = ring.bytesInUse;
      expect(() => parties[1].prepare(wrong)).toThrow(
        new RegExp(`stage ${stage}: ${corrections[stage]!.length} bytes expected, got ${wrong.length}`),
      );
      expect(ring.bytesInUse).toBe(before);
    }
  });

  it("must be there: no stage is computed without it", () => {
    const { parties, shares } = players();
    parties[0].begin(shares[0], refresh());
    expect(() => parties[0].message()).toThrow(/no correlated randomness yet/);
  });

  it("must have the length that the plan says, to the byte", () => {
    const { dealer, parties } = players();
    const { length } = dealer.deal()[1];
    expect(length).toBeGreaterThan(0);
    for (const wrong of [length - 1, length + 1]) {
      expect(() => players().parties[1].prepare(new Uint8Array(wrong))).toThrow(/expected/);
    }
    expect(() => parties[0].prepare(new Uint8Array(8))).toThrow(/stage 0: 0 bytes expected, got 8/);
  });
});

describe("rounds", () => {
  it("come one after the other, with messages of the length that the plan says", () => {
    const { dealer, parties, shares } = players();
    while (!dealer.done) {
      dealer.deal().forEach((words, i) => {
        parties[i]!.prepare(words);
      });
    }
    expect(() => parties[0].message()).toThrow(/no message is due/);
    expect(() => parties[0].begin(shares[0].subarray(1), refresh())).toThrow(/input share of/);
    parties[1].begin(shares[1], refresh());
    expect(() => parties[1].accept(new Uint8Array(0))).toThrow(/no message is expected/);
    const message = parties[1].message();
    expect(() => parties[1].message()).toThrow(/no message is due/);
    expect(() => parties[1].accept(message.subarray(1))).toThrow(/round 1: \d+ bytes expected/);
    expect(() => parties[1].result()).toThrow(/no result after round 1 of/);
    expect(rounds(network.program)).toBe(10);
  });
});

describe("what a run leaves", () => {
  it("is two runs of one input with nothing in common but the result", () => {
    const deployment = deployTogether(ring, compiled, seededBytes("d"));
    const [a, b] = ["a", "b"].map((s) => inferTogether(ring, network, deployment, inputs, seededBytes(s)));
    a!.transcript.messages.forEach((pair, round) => {
      expect(pair[0]).not.toEqual(b!.transcript.messages[round]![0]);
      expect(pair[1]).not.toEqual(b!.transcript.messages[round]![1]);
    });
    expect(a!.transcript.inputShares[1]).not.toEqual(b!.transcript.inputShares[1]);
    a!.outputs.h0!.data.forEach((v, i) => {
      expect(Math.abs(v - b!.outputs.h0!.data[i]!)).toBeLessThan(0.001);
    });
  });

  it("is corrections that are uniform: they carry no trace of what they correct", () => {
    const deployment = deployTogether(ring, compiled, seededBytes("d"));
    const counts = new Float64Array(256);
    let n = 0;
    for (let run = 0; run < 100; run++) {
      const { transcript } = inferTogether(ring, network, deployment, inputs, seededBytes(`run ${run}`));
      for (const [, words] of transcript.corrections) {
        for (const byte of words) counts[byte]!++;
        n += words.length;
      }
    }
    // the last byte of a packed vector may be partly filled: leave room for those
    const chi = counts.reduce((sum, c) => sum + (c - n / 256) ** 2 / (n / 256), 0);
    expect(n).toBeGreaterThan(100_000);
    expect(chi).toBeLessThan(400);
  });
});
