/** The rounds of two servers over channels in memory, and frames that should not be there. */
import {
  CorrectedMaterial,
  Dealer,
  instantiate,
  outputStream,
  Party,
  Ring,
  reconstruct,
  rounds as roundsOf,
  SeedMaterial,
  shareInputs,
  systemRandom,
} from "@sotto/core";
import { deployTogether } from "@sotto/core/testing";
import { dataFrame, type Frame, greet, type Link, memoryPair } from "@sotto/wire";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { newId } from "../parties.js";
import { largestError, testModel } from "../testing/models.js";
import { Rounds } from "./rounds.js";

const model = testModel(2);
const network = instantiate(model.compiled.plan, {});
const total = roundsOf(network.program);
const TAGS = [1n, 2n] as const;

describe("rounds", () => {
  let ring: Ring;
  let deployment: ReturnType<typeof deployTogether>;
  beforeAll(async () => {
    ring = await Ring.create();
    deployment = deployTogether(ring, model.compiled, systemRandom);
  });

  /** Two parties with an input each; `stages` prepared at first. */
  function parties(stages = Number.POSITIVE_INFINITY) {
    const seeds = [systemRandom(32), systemRandom(32)] as const;
    const dealer = Dealer.fromSeeds(ring, network.program, deployment.setup, seeds);
    const a = new Party(
      ring,
      network.program,
      0,
      deployment.models[0],
      SeedMaterial.fromSeed(ring, seeds[0]),
    );
    const b = new Party(
      ring,
      network.program,
      1,
      deployment.models[1],
      CorrectedMaterial.fromSeed(ring, seeds[1]),
    );
    const prepare = () => {
      const [toA, toB] = dealer.deal();
      a.prepare(toA);
      b.prepare(toB);
    };
    for (let s = 0; s < stages && !dealer.done; s++) prepare();
    const shares = shareInputs(ring, network, { x: model.input(1).x!.data });
    const refresh = () => outputStream(ring, [seeds[0], seeds[1]]);
    a.begin(shares[0], refresh());
    b.begin(shares[1], refresh());
    return { pair: [a, b] as const, prepare, left: () => !dealer.done };
  }

  async function links(): Promise<[Link, Link]> {
    const [a, b] = memoryPair();
    return Promise.all([
      greet(a, { role: "server-0", boot: newId() }, "server-1", 500, () => {}),
      greet(b, { role: "server-1", boot: newId() }, "server-0", 500, () => {}),
    ]);
  }

  function run(party: Party, link: Link, index: 0 | 1, tamper: (frame: Frame) => Frame[] = (f) => [f]) {
    let settle: [(share: Uint8Array) => void, (error: unknown) => void];
    const result = new Promise<Uint8Array>((resolve, reject) => {
      settle = [resolve, reject];
    });
    const rounds: Rounds = new Rounds({
      party,
      link,
      tag: TAGS[index],
      other: `server ${1 - index}`,
      onStarved: () => {},
      onRound: () => {},
      onResult: (share) => settle[0](share),
      onFail: (error) => settle[1](error),
    });
    link.route(TAGS[1 - index]!, (frame) => {
      for (const f of tamper(frame)) rounds.take(f);
    });
    return { rounds, result };
  }

  it.each([Number.POSITIVE_INFINITY, 1])(
    "give the result, with %d stages prepared before they start",
    async (stages) => {
      const { pair, prepare, left } = parties(stages);
      const [linkA, linkB] = await links();
      const [a, b] = [run(pair[0], linkA, 0), run(pair[1], linkB, 1)];
      a.rounds.start();
      b.rounds.start();
      while (left()) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        prepare();
        a.rounds.prepared();
        b.rounds.prepared();
      }
      const outputs = reconstruct(ring, network, [await a.result, await b.result]);
      expect(largestError(outputs, model.expected(1))).toBeLessThan(0.002);
      expect([a.rounds.round, a.rounds.sentBytes]).toEqual([total, b.rounds.sentBytes]);
    },
  );

  it("compute what they can of a stage that is prepared while they wait, and not before they began", async () => {
    const { pair, prepare, left } = parties(1);
    const [linkA, linkB] = await links();
    const ahead = vi.spyOn(pair[0], "whileWaiting");
    const [a, b] = [run(pair[0], linkA, 0), run(pair[1], linkB, 1)];
    a.rounds.prepared();
    expect(ahead).toHaveBeenCalledTimes(0);
    a.rounds.start();
    // its message is out, and the second stage is not prepared
    expect([a.rounds.round, ahead.mock.calls.length]).toEqual([1, 1]);
    const before = ring.bytesInUse;
    prepare();
    const prepared = ring.bytesInUse;
    expect(prepared).toBeGreaterThan(before);
    a.rounds.prepared();
    expect([a.rounds.round, ahead.mock.calls.length]).toEqual([1, 2]);
    // something has been computed of it
    expect(ring.bytesInUse).not.toBe(prepared);
    b.rounds.start();
    while (left()) {
      prepare();
      a.rounds.prepared();
      b.rounds.prepared();
    }
    const outputs = reconstruct(ring, network, [await a.result, await b.result]);
    expect(largestError(outputs, model.expected(1))).toBeLessThan(0.002);
  });

  const at = (round: number, change: (f: Frame) => Frame[]) => (f: Frame) =>
    f.number === round ? change(f) : [f];

  it.each<[string, (frame: Frame) => Frame[], RegExp]>([
    ["a wrong number", at(3, (f) => [{ ...f, number: 7 }]), /sent a message of round 7; expected round 3/],
    ["a round again", at(3, (f) => [f, f]), /sent a message of round 3; expected (round 4|nothing)/],
    [
      "a short payload",
      at(2, (f) => [{ ...f, payload: f.payload.subarray(1) }]),
      /round 2: \d+ bytes expected, got \d+/,
    ],
    [
      "a long payload",
      at(2, (f) => [{ ...f, payload: new Uint8Array(f.payload.length + 1) }]),
      /round 2: \d+ bytes/,
    ],
    [
      "one round more",
      at(total, (f) => [
        { ...f, number: total },
        { ...f, number: total + 1 },
      ]),
      /^ended$/,
    ],
  ])("end with %s", async (_what, tamper, message) => {
    const { pair } = parties();
    const [linkA, linkB] = await links();
    const [a, b] = [run(pair[0], linkA, 0, tamper), run(pair[1], linkB, 1)];
    a.rounds.start();
    b.rounds.start();
    b.result.catch(() => {});
    // what comes after the end is nobody's any more
    await expect(a.result.then(() => Promise.reject(new Error("ended")))).rejects.toThrow(message);
  });

  it("refuse a second message before the first is due", async () => {
    const { pair } = parties();
    const [linkA] = await links();
    const { rounds, result } = run(pair[0], linkA, 0);
    const early = dataFrame(1, TAGS[1], new Uint8Array(4)).subarray(16);
    rounds.take({ number: 1, tag: TAGS[1], payload: early });
    rounds.take({ number: 2, tag: TAGS[1], payload: early });
    await expect(result).rejects.toThrow(/round 2; expected nothing before our own message/);
  });
});
