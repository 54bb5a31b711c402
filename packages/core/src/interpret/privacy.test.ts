import { beforeAll, describe, expect, it } from "vitest";
import { compile } from "../plan/compile.js";
import { instantiate, type Network } from "../plan/instantiate.js";
import type { Profile } from "../plan/plan.js";
import { sizesOf } from "../plan/sizes.js";
import { Streaming } from "../plan/stream.js";
import { Ring } from "../ring/ring.js";
import { anyModel } from "../testing/layers.js";
import { type CarriedShares, lockstep, type Secrets, type View } from "../testing/lockstep.js";
import { randomGru, randomInput } from "../testing/models.js";
import { seededBytes } from "../testing/seeded.js";
import { integers, runExact, type Values } from "./plain.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const shape = { hidden: 5, inputSize: 3, steps: 3, batch: 2, head: 2 };

interface Case {
  network: Network;
  secrets: Secrets;
  expected: Values;
}

/** Two owners' models of one architecture, two clients' inputs. The first one's plan serves both. */
function secretsOf(resetAfter: boolean, layers: number, profile: Profile = "lan"): [Case, Case] {
  const models = [1, 2].map((seed) => randomGru({ ...shape, resetAfter, layers, seed }));
  // one plan: the bounds must hold for both
  const [a, b] = models.map((m) => compile(m, { range: 4, profile }));
  const plan = structuredClone(a!.plan);
  plan.tensors.forEach((t, i) => {
    t.bound = Math.max(t.bound, b!.plan.tensors[i]!.bound);
  });
  for (const [layer, bounds] of Object.entries(plan.gruBounds)) {
    for (const key of ["x", "h", "z", "r", "v", "n"] as const) {
      bounds[key] = Math.max(bounds[key], b!.plan.gruBounds[layer]![key]);
    }
  }
  const network = instantiate(plan, {});
  const words = (values: Float64Array) => BigUint64Array.from(values, (v) => BigInt.asUintN(64, BigInt(v)));
  const one = (compiled: typeof a, seed: number): Case => {
    const inputs = { x: randomInput(seed, shape.steps * shape.batch * shape.inputSize) };
    const tensors = new Map(
      plan.tensors.map((t) => [t.name, words(integers(compiled!.tensors[t.name]!, t.scale))]),
    );
    return {
      network,
      secrets: {
        tensors,
        inputs: new Map([["x", words(integers(inputs.x, network.program.inputs[0]!.scale))]]),
      },
      expected: runExact(network.program, plan, compiled!.tensors, inputs),
    };
  };
  return [one(a, 10), one(b, 20)];
}

function expectOutput(run: { outputs: BigUint64Array[] }, { network, expected }: Case): void {
  network.program.outputs.forEach((node, i) => {
    const exact = Object.values(expected)[i]!;
    run.outputs[i]!.forEach((word, k) => {
      expect(Math.abs(Number(BigInt.asIntN(node.modulus, word)) / 2 ** node.scale - exact[k]!)).toBeLessThan(
        2e-3,
      );
    });
  });
}

function expectSameView(a: View, b: View): void {
  expect(b.material).toEqual(a.material);
  expect(b.tensors).toEqual(a.tensors);
  expect(b.maskedTensors).toEqual(a.maskedTensors);
  expect(b.input).toEqual(a.input);
  expect(b.opened).toEqual(a.opened);
  expect(b.received).toEqual(a.received);
}

describe.each([
  { name: "reset after", resetAfter: true, layers: 1 },
  { name: "reset before", resetAfter: false, layers: 1 },
  { name: "two layers", resetAfter: true, layers: 2 },
  { name: "reset after, wide-area links", resetAfter: true, layers: 1, profile: "wan" as const },
  { name: "reset before, wide-area links", resetAfter: false, layers: 1, profile: "wan" as const },
])("a whole GRU, $name", ({ resetAfter, layers, profile }) => {
  for (const server of [0, 1] as const) {
    it(`server ${server} sees the same bytes for two models and inputs when masks shift by the difference`, () => {
      const [first, second] = secretsOf(resetAfter, layers, profile);
      const recorded = lockstep(ring, first.network, first.secrets, server, seededBytes("first"));
      const replayed = lockstep(
        ring,
        second.network,
        second.secrets,
        server,
        seededBytes("second"),
        recorded.view,
      );
      expectOutput(recorded, first);
      expectOutput(replayed, second);
      expect(replayed.outputs).not.toEqual(recorded.outputs);
      expectSameView(recorded.view, replayed.view);
    });

    it(`server ${server} sees other bytes when the masks do not shift: the comparison can fail`, () => {
      const [first, second] = secretsOf(resetAfter, layers, profile);
      const recorded = lockstep(ring, first.network, first.secrets, server, seededBytes("first"));
      const fresh = lockstep(ring, second.network, second.secrets, server, seededBytes("other"));
      expect(fresh.view.received).not.toEqual(recorded.view.received);
      expect(fresh.view.opened).not.toEqual(recorded.view.opened);
    });
  }
});

describe.each(["lan", "wan"] as const)("a stream, %s", (profile) => {
  it.each([0, 1] as const)(
    "server %i sees and keeps the same bytes in every chunk for any two models and inputs",
    (server) => {
      const { plan } = compile(randomGru({ ...shape, layers: profile === "lan" ? 2 : 1, seed: 1 }), {
        profile,
      });
      const stream = new Streaming(plan, { sizes: {}, steps: 1 });
      let [first, second]: (CarriedShares | undefined)[] = [];
      for (const [c, kind] of (["start", "continue", "renew", "continue"] as const).entries()) {
        const network = stream.chunk(kind);
        const secrets = ["a", "b"].map((name) => anySecrets(network, `${name} ${c}`));
        const a = lockstep(ring, network, secrets[0]!, server, seededBytes(`first ${c}`), undefined, first);
        const b = lockstep(ring, network, secrets[1]!, server, seededBytes(`second ${c}`), a.view, second);
        expectSameView(a.view, b.view);
        expect(b.carried[server]).toEqual(a.carried[server]);
        expect(b.carried[1 - server]).not.toEqual(a.carried[1 - server]);
        expect(`${b.outputs}`).not.toBe(`${a.outputs}`);
        [first, second] = [a.carried, b.carried];
      }
    },
  );
});

/** Any weights and inputs whatever, as words: what a server sees must not depend on them even out of bounds. */
function anySecrets({ plan, program }: Network, seed: string): Secrets {
  const random = seededBytes(seed);
  const words = (n: number) => new BigUint64Array(random(8 * n).slice().buffer);
  return {
    tensors: new Map(plan.tensors.map((t) => [t.name, words(t.rows * t.cols)])),
    inputs: new Map(program.inputs.map((n) => [n.op === "input" ? n.name : "", words(n.length)])),
  };
}

describe("models with every kind of layer", () => {
  const MODELS = process.env.SOTTO_LONG ? 300 : 24;
  it.each([0, 1] as const)(
    `server %i sees the same bytes for any two models and inputs, in ${MODELS} models`,
    (server) => {
      let [compared, runs] = [0, 0];
      for (let k = 0; runs < MODELS; k++) {
        const { model, options, inputs } = anyModel(`view ${k}`, k % 2 ? "any" : "ordinary");
        let network: Network;
        try {
          const { plan } = compile(model, options);
          network = instantiate(plan, sizesOf(plan, inputs));
        } catch {
          continue; // does not fit, see every-layer.test.ts
        }
        runs++;
        const first = lockstep(ring, network, anySecrets(network, `a ${k}`), server, seededBytes("first"));
        const second = anySecrets(network, `b ${k}`);
        const replayed = lockstep(ring, network, second, server, seededBytes("second"), first.view);
        expectSameView(first.view, replayed.view);
        if (`${replayed.outputs}` !== `${first.outputs}`) compared++;
      }
      expect(compared).toBeGreaterThan(0.8 * MODELS);
    },
  );
});

describe("openings of one secret under fresh masks", () => {
  it("are uniform in every bit and every byte", () => {
    const [{ network, secrets }] = secretsOf(true, 1);
    const opens = network.program.stages.flatMap((s) => s.openings);
    const runs = process.env.SOTTO_LONG ? 1000 : 100;
    const ones = opens.map((n) => new Float64Array(n.modulus));
    const counts = new Float64Array(256);
    let bytes = 0;
    for (let run = 0; run < runs; run++) {
      const { view } = lockstep(ring, network, secrets, 0, seededBytes(`run ${run}`));
      view.opened.forEach((words, i) => {
        const { modulus } = opens[i]!;
        for (const word of words) {
          for (let bit = 0; bit < modulus; bit++) ones[i]![bit]! += Number((word >> BigInt(bit)) & 1n);
          for (let at = 0; at + 8 <= modulus; at += 8) {
            counts[Number((word >> BigInt(at)) & 255n)]!++;
            bytes++;
          }
        }
      });
    }
    // chi-square with 255 degrees of freedom: mean 255, deviation 22.6; 6 deviations
    const expected = bytes / 256;
    const chi = counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
    expect(chi).toBeLessThan(255 + 6 * Math.sqrt(510));
    // every single bit of every opening: within 6 deviations of one half
    opens.forEach((node, i) => {
      const n = runs * node.length;
      for (const count of ones[i]!) expect(Math.abs(count - n / 2)).toBeLessThan(6 * Math.sqrt(n / 4));
    });
  });
});
