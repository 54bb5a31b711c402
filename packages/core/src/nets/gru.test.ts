import { beforeAll, describe, expect, it } from "vitest";
import { cost } from "../interpret/cost.js";
import { runClear, runExact, type Values } from "../interpret/plain.js";
import { compile } from "../plan/compile.js";
import { instantiate } from "../plan/instantiate.js";
import type { Profile } from "../plan/plan.js";
import { Ring } from "../ring/ring.js";
import { prepareInputs } from "../share/share.js";
import { type RandomGru, randomGru, randomInput } from "../testing/models.js";
import { seededBytes, seededUniform } from "../testing/seeded.js";
import { deployTogether, inferTogether } from "../testing/together.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const FRAME = 16;

function run({ profile, ...options }: Case, range = 4) {
  const compiled = compile(randomGru(options), { range, profile });
  const network = instantiate(compiled.plan, {});
  const { steps, batch = 1, inputSize, seed } = options;
  const inputs = { x: randomInput(`${seed} input`, steps * batch * inputSize, range) };
  const deployment = deployTogether(ring, compiled, seededBytes(`${seed} deploy`));
  const { outputs } = inferTogether(ring, network, deployment, inputs, seededBytes(`${seed} run`));
  const values: Values = Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data]));
  deployment.setup.free();
  for (const model of deployment.models) model.free();
  return {
    network,
    values,
    clear: runClear(network.program, compiled.tensors, inputs),
    exact: runExact(network.program, compiled.plan, compiled.tensors, inputs),
  };
}

function largestError(a: Values, b: Values): number {
  let worst = 0;
  for (const [name, values] of Object.entries(a)) {
    values.forEach((v, i) => {
      worst = Math.max(worst, Math.abs(v - b[name]![i]!));
    });
  }
  return worst;
}

const random = seededUniform("models");
type Case = RandomGru & { profile?: Profile };

const models: Case[] = Array.from({ length: process.env.SOTTO_LONG ? 100 : 12 }, (_, i) => ({
  seed: i,
  hidden: 1 + Math.floor(random() * 64),
  inputSize: 1 + Math.floor(random() * 40),
  steps: 1 + Math.floor(random() * 50),
  batch: random() < 0.3 ? 1 + Math.floor(random() * 3) : 1,
  resetAfter: i % 2 === 0,
  head: random() < 0.5 ? 1 + Math.floor(random() * 5) : undefined,
  layers: random() < 0.25 ? 2 : 1,
  profile: i % 4 < 2 ? "lan" : "wan",
}));
models.push(
  { seed: "largest", hidden: 64, inputSize: 40, steps: 50, resetAfter: true, profile: "wan" },
  { seed: "largest", hidden: 64, inputSize: 40, steps: 50, resetAfter: false },
);

describe("a private GRU", () => {
  it.each(models)(
    "H $hidden, I $inputSize, T $steps, batch $batch, reset after $resetAfter, $layers layers, head $head, $profile: within 0.002 of float",
    (options) => {
      const { values, clear, exact } = run(options);
      expect(largestError(clear, values)).toBeLessThan(0.002);
      expect(largestError(exact, values)).toBeLessThan(0.001);
    },
  );

  it("leaves no memory behind", () => {
    const options = { seed: 1, hidden: 8, inputSize: 4, steps: 5, head: 2 };
    run(options);
    const before = ring.bytesInUse;
    run(options);
    expect(ring.bytesInUse).toBe(before);
  });
});

describe("inputs of any range", () => {
  it.each([1e-6, 1e-3, 0.03, 1, 8, 250, 5000, 1e6])("|x| <= %d: within 0.001 of float", (range) => {
    const model = randomGru({ seed: `range ${range}`, hidden: 24, inputSize: 10, steps: 12 });
    // input weights for such inputs: pre-activations are what they are for normalised ones
    const W = model.tensors.W0!;
    model.tensors.W0 = { shape: W.shape, data: W.data.map((w) => (w * 4) / range) };
    const compiled = compile(model, { range });
    const network = instantiate(compiled.plan, {});
    const data = randomInput(range, 12 * 10).map((v) => (v * range) / 4);
    // extreme ones are shared in units of their range
    const inputs = prepareInputs(network, { x: { shape: [12, 1, 10], data } }, compiled.publicTensors);
    const deployment = deployTogether(ring, compiled, seededBytes("deploy"));
    const { outputs } = inferTogether(ring, network, deployment, inputs, seededBytes("run"));
    const clear = runClear(network.program, compiled.tensors, inputs);
    outputs.Y0!.data.forEach((v, i) => {
      expect(Math.abs(v - clear.Y0![i]!)).toBeLessThan(0.001);
    });
  });
});

describe("cost", () => {
  const network = ({ profile, ...options }: Case) =>
    instantiate(compile(randomGru(options), { range: 4, profile }).plan, {});
  const base = { seed: 3, hidden: 32, inputSize: 16, steps: 20 };

  it("is five rounds a step for reset after, six for reset before, one more for a dense layer", () => {
    expect(cost(network({ ...base, resetAfter: true }).program).rounds).toBe(100);
    expect(cost(network({ ...base, resetAfter: false }).program).rounds).toBe(120);
    expect(cost(network({ ...base, resetAfter: true, head: 3 }).program).rounds).toBe(101);
  });

  it("is three rounds a step, or four for reset before, in the profile for wide-area links", () => {
    const wan = { ...base, profile: "wan" as const };
    expect(cost(network({ ...wan, resetAfter: true }).program).rounds).toBe(60);
    expect(cost(network({ ...wan, resetAfter: false }).program).rounds).toBe(80);
    expect(cost(network({ ...wan, resetAfter: true, head: 3 }).program).rounds).toBe(61);
    // what a server would expand at once is too much
    expect(cost(network({ ...wan, batch: 2048, steps: 2 }).program).rounds).toBe(10);
  });

  it("adds no rounds for a batch, and five for a second layer", () => {
    expect(cost(network({ ...base, batch: 7 }).program).rounds).toBe(100);
    expect(cost(network({ ...base, layers: 2 }).program).rounds).toBe(105);
  });

  it.each([
    { resetAfter: true, hidden: 16 },
    { resetAfter: true, hidden: 64 },
    { resetAfter: true, hidden: 128 },
    { resetAfter: false, hidden: 64 },
  ])(
    "opens at most 100 bytes per hidden unit and step, frames included: H $hidden, reset after $resetAfter",
    (o) => {
      const { openingBytes, rounds } = cost(network({ ...base, ...o }).program);
      expect((openingBytes + rounds * FRAME) / (o.hidden * base.steps)).toBeLessThanOrEqual(100);
    },
  );
});

describe("thousands of steps at the edges of the bounds", () => {
  // one step from states of exactly -1 and 1, inputs at the ends of the range, weights all at one size,
  // so that pre-activations reach the proven bounds; a wrap-around would be off by far more than a place
  const [hidden, inputSize, batch] = [4, 3, 100];
  // each combination of signs, size, range and state is met in 60
  const NETWORKS = process.env.SOTTO_LONG ? 600 : 60;
  const signs = (seed: string, n: number, size: number) => {
    const uniform = seededUniform(seed);
    return Float32Array.from({ length: n }, () => (uniform() < 0.5 ? -size : size));
  };

  it.each([true, false])("are none of them off, reset after %s", (resetAfter) => {
    let steps = 0;
    for (let k = 0; k < NETWORKS; k++) {
      const seed = `edge ${k} ${resetAfter}`;
      const size = [0.25, 1, 2, 4][k % 4]!;
      const range = [1, 4, 8][k % 3]!;
      // a client's initial state may be larger than any state that a GRU reaches
      const state = k % 5 === 0 ? 6 : 1;
      const model = randomGru({ seed, hidden, inputSize, steps: 1, batch, resetAfter });
      for (const [name, t] of Object.entries(model.tensors)) {
        // every other network has rows of one sign: the sums reach their bounds
        const data = signs(`${seed} ${name}`, t.data.length, size);
        if (k % 2) data.fill(k % 4 === 1 ? size : -size);
        model.tensors[name] = { shape: t.shape, data };
      }
      model.inputs.push({ name: "h0", shape: [1, batch, hidden], kind: "real" });
      model.layers[0]!.inputs.push("h0");
      const compiled = compile(model, { range: { x: range, h0: state } });
      const network = instantiate(compiled.plan, {});
      const inputs: Values = {
        x: Float64Array.from(signs(`${seed} x`, batch * inputSize, range)),
        h0: Float64Array.from(signs(`${seed} h`, batch * hidden, state)),
      };
      // whole rows of one sign too, both of the input and of the state
      for (let b = 0; b < batch; b += 2) {
        inputs.x!.fill(b % 4 ? range : -range, b * inputSize, (b + 1) * inputSize);
        inputs.h0!.fill(b % 4 ? state : -state, b * hidden, (b + 1) * hidden);
      }
      const deployment = deployTogether(ring, compiled, seededBytes(`${seed} deploy`));
      const { outputs } = inferTogether(ring, network, deployment, inputs, seededBytes(`${seed} run`));
      const exact = runExact(network.program, compiled.plan, compiled.tensors, inputs);
      outputs.h0!.data.forEach((h, i) => {
        expect(Math.abs(h - exact.h0![i]!)).toBeLessThan(0.002 * state);
        expect(Math.abs(h)).toBeLessThanOrEqual(state + 2 ** -28);
      });
      steps += batch;
      deployment.setup.free();
      for (const m of deployment.models) m.free();
    }
    expect(steps).toBe(NETWORKS * batch);
  });
});
