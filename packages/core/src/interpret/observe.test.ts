import { describe, expect, it } from "vitest";
import { SottoError } from "../errors.js";
import { compile } from "../plan/compile.js";
import type { ModelDescription } from "../plan/description.js";
import { instantiate } from "../plan/instantiate.js";
import { sizesOf } from "../plan/sizes.js";
import { prepareInputs } from "../share/share.js";
import { anyModel } from "../testing/layers.js";
import { observeClear } from "./observe.js";
import { runClear } from "./plain.js";

function observe({ model, options, inputs }: ReturnType<typeof anyModel>) {
  const sizes = sizesOf(model, inputs);
  const { plan, tensors, publicTensors } = compile(model, { ...options, sizes });
  const network = instantiate(plan, sizes);
  const values = prepareInputs(network, inputs, publicTensors, { outside: "keep" });
  return {
    ...observeClear(network, tensors, values),
    plain: runClear(network.program, tensors, values),
    plan,
  };
}

/** undefined for a model whose random weights are too large. */
function fitting<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof SottoError && error.code === "does-not-fit") return undefined;
    throw error;
  }
}

describe("what a clear run reaches", () => {
  it("is within what is proven, for inputs within their ranges", () => {
    const met = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const seen = fitting(() => observe(anyModel(`observe ${seed}`, seed % 2 ? "any" : "ordinary")));
      if (!seen) continue;
      const { observations, outputs, plain, plan } = seen;
      expect(outputs).toEqual(plain);
      const limited = observations.some((o) => o.limit !== undefined && o.observed > o.limit);
      for (const o of observations) {
        met.add(o.what);
        expect(plan.layers.map((l) => l.name)).toContain(o.layer);
        // what was not clipped here may be more than is proven where it is
        if (!limited)
          expect(o.observed, `${seed}: ${o.layer} ${o.what}`).toBeLessThanOrEqual(o.proven * 1.0001);
      }
      for (const layer of plan.layers) {
        const whats = observations.filter((o) => o.layer === layer.name).map((o) => o.what);
        if (layer.op === "gru" && whats.length > 0) {
          expect(whats).toEqual(expect.arrayContaining(["z", "r", "n", "state"]));
        }
      }
    }
    expect([...met].sort()).toEqual(["candidate", "input", "n", "output", "r", "state", "z"]);
  });

  it("is the largest value itself, under the layers' own names", () => {
    const { observations } = observe({
      model: chain,
      options: { range: 2 },
      inputs: { x: { shape: [1, 2], data: [1, -2] } },
    });
    expect(observations).toEqual([
      { layer: "first", what: "output", proven: expect.closeTo(6, 2), observed: 5 },
      { layer: "relu", what: "input", fn: "relu", proven: expect.closeTo(6, 2), observed: 5 },
      { layer: "last", what: "output", proven: expect.any(Number), observed: 3.75 },
    ]);
  });

  it("is seen beyond a limit, where a private run clips", () => {
    const { observations } = observe({
      model: growing,
      options: { range: 3, stateBound: 2 },
      inputs: { x: { shape: [1, 1, 1], data: [3] } },
    });
    // z = r = sigmoid(0): half of the candidate, which is 3
    expect(observations.map(({ what, limit, observed }) => ({ what, limit, observed }))).toEqual([
      { what: "z", limit: undefined, observed: 0 },
      { what: "r", limit: undefined, observed: 0 },
      { what: "n", limit: undefined, observed: 3 },
      { what: "candidate", limit: 2, observed: 3 },
      { what: "state", limit: 2, observed: 1.5 },
    ]);
  });
});

const tensor = (shape: number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) });

/** y = relu(x A) B: 1, -2 gives -3, 5, then 5 * -0.75. */
const chain: ModelDescription = {
  name: "chain",
  inputs: [{ name: "x", shape: [1, 2], kind: "real" }],
  outputs: [{ name: "y" }],
  layers: [
    { op: "dense", name: "first", inputs: ["x"], outputs: ["a"], A: "A" },
    { op: "activation", name: "relu", inputs: ["a"], outputs: ["b"], activation: { name: "relu" } },
    { op: "dense", name: "last", inputs: ["b"], outputs: ["y"], A: "B" },
  ],
  tensors: { A: tensor([2, 2], 1, 2, 1, -2), B: tensor([1, 2], 1, -0.75) },
  constants: {},
};

/** A GRU with the candidate relu(x). */
const growing: ModelDescription = {
  name: "growing",
  inputs: [{ name: "x", shape: [1, 1, 1], kind: "real" }],
  outputs: [{ name: "h" }],
  layers: [
    {
      op: "gru",
      name: "gru",
      inputs: ["x"],
      outputs: ["", "h"],
      hidden: 1,
      resetAfter: true,
      W: "W",
      U: "U",
      candidate: { name: "relu" },
    },
  ],
  tensors: { W: tensor([3, 1], 0, 0, 1), U: tensor([3, 1], 0, 0, 0) },
  constants: {},
};
