import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { operation } from "../ops/index.js";
import type { Draw } from "../ops/operation.js";
import { compile } from "../plan/compile.js";
import { instantiate } from "../plan/instantiate.js";
import type { Node } from "../program/nodes.js";
import { roundBytes, rounds } from "../program/program.js";
import { stageNodes } from "../program/schedule.js";
import { Stream } from "../random/stream.js";
import { systemRandom } from "../random/system.js";
import { packedBytes } from "../ring/packed.js";
import { Ring } from "../ring/ring.js";
import { loadTensorShares, reconstruct, type Shares, shareInputs, shareTensors } from "../share/share.js";
import { randomGru, randomInput } from "../testing/models.js";
import { seededBytes } from "../testing/seeded.js";
import { Dealer } from "./dealer.js";
import { CorrectedMaterial, outputStream, SeedMaterial } from "./material.js";
import { Party } from "./party.js";
import { DealerSetup, PartySetup } from "./setup.js";

// The real classes, with everything secret held fixed: only seeds and nonces are fresh, each from the system.

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(["lan", "wan"] as const)("profile %s", (profile) => {
  const compiled = compile(randomGru({ seed: 1, hidden: 3, inputSize: 2, steps: 2, head: 2 }), {
    range: 4,
    profile,
  });
  const { plan } = compiled;
  const network = instantiate(plan, {});
  const { program } = network;
  const inputs = { x: randomInput(1, 4) };

  interface Fixed {
    sessions?: Shares;
    nonces?: Shares;
  }

  /** One deployment and one inference; shares of model and input are the same in every call. */
  function run(fixed: Fixed = {}) {
    const setupSeeds = fixed.sessions ?? ([systemRandom(32), systemRandom(32)] as Shares);
    const seeds = fixed.sessions ?? ([systemRandom(32), systemRandom(32)] as Shares);
    const nonces = fixed.nonces ?? ([systemRandom(32), systemRandom(32)] as Shares);
    const shares = shareTensors(ring, plan, compiled.tensors, seededBytes("model"));
    const tensors = shares.map((s) => loadTensorShares(ring, plan, s));
    const setups = [0, 1].map((i) =>
      PartySetup.fromSeed(ring, plan, i as 0 | 1, tensors[i]!, setupSeeds[i as 0 | 1]),
    ) as [PartySetup, PartySetup];
    const setupMessages: Shares = [setups[0].message(), setups[1].message()];
    const models = [setups[0].finish(setupMessages[1]), setups[1].finish(setupMessages[0])] as const;
    const dealer = Dealer.fromSeeds(ring, program, DealerSetup.fromSeeds(ring, plan, setupSeeds), seeds);
    const parties = [
      new Party(ring, program, 0, models[0], SeedMaterial.fromSeed(ring, seeds[0])),
      new Party(ring, program, 1, models[1], CorrectedMaterial.fromSeed(ring, seeds[1])),
    ] as const;
    const corrections: Uint8Array[] = [];
    while (!dealer.done) {
      const dealt = dealer.deal();
      corrections.push(...dealt);
      parties.forEach((party, i) => {
        party.prepare(dealt[i]!);
      });
    }
    const input = shareInputs(ring, network, inputs, seededBytes("input"));
    parties.forEach((party, i) => {
      party.begin(input[i]!, outputStream(ring, nonces));
    });
    const messages: Uint8Array[] = [];
    for (let round = 1; round <= rounds(program); round++) {
      const [a, b] = [parties[0].message(), parties[1].message()];
      messages.push(a, b);
      parties[0].accept(b);
      parties[1].accept(a);
    }
    const outputs: Shares = [parties[0].result(), parties[1].result()];
    for (const player of [...parties, dealer, ...models]) "close" in player ? player.close() : player.free();
    return { setupMessages, corrections, messages, outputs };
  }

  /** Which bits of a message carry words: a packed vector's last byte may be partly filled. */
  function filled(vectors: { n: number; bits: number }[]): boolean[] {
    return vectors.flatMap(({ n, bits }) =>
      Array.from({ length: packedBytes(n, bits) * 8 }, (_, i) => i < n * bits),
    );
  }

  const positive = (draws: readonly Draw[]) => draws.filter((d) => d.bits > 0);

  /** Corrections of point vectors: of the last two words of each tree's, which hold four times 32 bits, few are used. */
  function filledCommon(node: Node): boolean[] {
    const draws = operation(node).common?.(node, program) ?? [];
    const bits = filled(positive(draws));
    if (node.op !== "lookup") return bits;
    // the last one is the salt
    const end = draws[0]!.n - 1;
    const words = end / Math.ceil(program.nodes[node.x]!.length / 4);
    const levels = (words - 2) / 8;
    return bits.map((is, at) => {
      const word = Math.floor(at / 64);
      const unused = word < end && word % words >= words - 2 && at % 32 >= 2 * levels;
      return is && !unused;
    });
  }

  function filledBits(): { messages: boolean[]; corrections: boolean[]; outputs: boolean[] } {
    const openings = program.stages.map((s) => s.openings.map((n) => ({ n: n.length, bits: n.modulus })));
    const corrections = program.stages.flatMap((s) => {
      const nodes = stageNodes(s);
      const common = nodes.map((n) => filledCommon(n));
      const whole = nodes.map((n, i) => [...filled(positive(operation(n).draws(n, program))), ...common[i]!]);
      return [...common.flat(), ...whole.flat()];
    });
    return {
      messages: openings.flatMap((o) => [...filled(o), ...filled(o)]),
      corrections,
      outputs: filled(program.outputs.map((n) => ({ n: n.length, bits: n.modulus }))),
    };
  }

  /** Counts ones by bit position over runs, and expects each to be one half, to within six deviations. */
  function expectUnbiased(samples: Uint8Array[][], wanted: boolean[]): void {
    const ones = new Float64Array(wanted.length);
    for (const parts of samples) {
      let at = 0;
      for (const part of parts) {
        for (const byte of part) for (let bit = 0; bit < 8; bit++) ones[at++]! += (byte >> bit) & 1;
      }
      expect(at).toBe(wanted.length);
    }
    const n = samples.length;
    const biased = ones.filter((count, i) => wanted[i] && Math.abs(count - n / 2) > 6 * Math.sqrt(n / 4));
    expect(biased.length).toBe(0);
  }

  describe("with model, input and their shares fixed", () => {
    const runs = Array.from({ length: 200 }, () => ({}));

    it("every bit that crosses the wire is unbiased: set-up, rounds, corrections", () => {
      const all = runs.map(() => run());
      const bits = filledBits();
      expect(bits.messages.length).toBe(
        2 *
          8 *
          Array.from({ length: rounds(program) }, (_, r) => roundBytes(program, r + 1)).reduce(
            (a, b) => a + b,
            0,
          ),
      );
      const whole = (parts: Uint8Array[]) =>
        new Array<boolean>(8 * parts.reduce((n, p) => n + p.length, 0)).fill(true);
      expectUnbiased(
        all.map((r) => r.setupMessages),
        whole(all[0]!.setupMessages),
      );
      expectUnbiased(
        all.map((r) => r.messages),
        bits.messages,
      );
      expectUnbiased(
        all.map((r) => r.corrections),
        bits.corrections,
      );
    });

    it("the client's output shares are fresh even for who knows all that the dealer knows", () => {
      const sessions: Shares = [systemRandom(32), systemRandom(32)];
      const all = runs.map(() => run({ sessions }));
      // the rounds are determined by the dealer's seeds, the output's shares are not
      expect(all[0]!.messages).toEqual(all[1]!.messages);
      for (const server of [0, 1] as const) {
        expectUnbiased(
          all.map((r) => [r.outputs[server]]),
          filledBits().outputs,
        );
      }
      const values = all.map((r) => [...reconstruct(ring, network, r.outputs).y!.data].join());
      expect(new Set(values).size).toBe(1);
    });
  });

  describe("streams", () => {
    it("give each word to the two who must share it, and to nobody else: over domains, parties and sessions", () => {
      const holders = new Map<bigint, number>();
      const words = Stream.prototype.words;
      vi.spyOn(Stream.prototype, "words").mockImplementation(function (this: Stream, n: number) {
        const v = words.call(this, n);
        for (const word of ring.words(v)) holders.set(word, (holders.get(word) ?? 0) + 1);
        return v;
      });
      for (let session = 0; session < 3; session++) run();
      expect(holders.size).toBeGreaterThan(1000);
      // a server and the dealer, or (the output's refreshing) the two servers
      expect(new Set(holders.values())).toEqual(new Set([2]));
    });
  });
});
