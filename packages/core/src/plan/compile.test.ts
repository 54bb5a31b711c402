import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SottoError } from "../errors.js";
import { cost } from "../interpret/cost.js";
import { randomGru } from "../testing/models.js";
import { publish } from "./bounds.js";
import { compile } from "./compile.js";
import type { Layer, ModelDescription } from "./description.js";
import { instantiate } from "./instantiate.js";
import { planHash, runHash } from "./plan.js";
import { sizesOf } from "./sizes.js";

const shape = { seed: 1, hidden: 6, inputSize: 4, steps: 3 };

function failure(run: () => unknown): SottoError {
  try {
    run();
  } catch (error) {
    if (error instanceof SottoError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("precision", () => {
  it("is the finest for ordinary weights, and steps down as pre-activations grow", () => {
    const weights = (scale: number) => compile(randomGru({ ...shape, scale }), { range: 4 }).plan.precision;
    expect(weights(1)).toEqual({ operand: 14, weight: 14, gate: 14, activation: 28 });
    expect(weights(20).weight).toBe(13);
    expect(weights(60)).toEqual({ operand: 14, weight: 13, gate: 13, activation: 27 });
    expect(weights(150)).toEqual({ operand: 14, weight: 12, gate: 12, activation: 26 });
  });
});

describe("a model that does not fit", () => {
  it("is refused with the layer, the bound and what would help", () => {
    const error = failure(() => compile(randomGru({ ...shape, scale: 20000 }), { range: 4 }));
    expect(error.code).toBe("does-not-fit");
    expect(error.message).toMatch(/layer gru0: .*(--input-range|scale)/);
  });

  it("names the bound that asks for more bits than a word has", () => {
    const range = 1e4;
    const model = randomGru({ seed: 1, hidden: 128, inputSize: 3, steps: 3, resetAfter: false });
    const { data } = model.tensors.W0!;
    const rows = Array.from({ length: 3 * 128 }, (_, r) =>
      data.slice(3 * r, 3 * r + 3).reduce((sum, w) => sum + range * Math.abs(w), 0),
    );
    const { message } = failure(() => compile(model, { range }));
    const named = /layer gru0: linear needs 6\d bits, .* allow values up to (\S+) here; declare/.exec(
      message,
    );
    expect(Number(named?.[1]) / Math.max(...rows)).toBeCloseTo(1, 1);
  });

  it("may fit with a smaller input range", () => {
    const model = randomGru(shape);
    expect(failure(() => compile(model, { range: 1e6 })).code).toBe("does-not-fit");
    expect(() => compile(model, { range: 10 })).not.toThrow();
  });

  it("may have a range that is no range", () => {
    for (const range of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(failure(() => compile(randomGru(shape), { range })).message).toMatch(
        /expected a positive number/,
      );
    }
  });

  it("may have too many steps for the proven bound of its state", () => {
    const model = randomGru({ ...shape, steps: 8193 });
    expect(failure(() => compile(model)).message).toMatch(
      /8193 time steps; with states up to 1 at most 8192/,
    );
  });
});

it("an input that two embeddings look up is refused, saying what to do", () => {
  const look = (name: string): Layer => ({
    op: "embedding",
    name,
    inputs: ["t"],
    outputs: [name],
    table: "E",
  });
  const model: ModelDescription = {
    name: "twice",
    inputs: [{ name: "t", shape: [2], kind: "token" }],
    outputs: [{ name: "a" }, { name: "b" }],
    layers: [look("a"), look("b")],
    tensors: { E: { shape: [3, 1], data: Float32Array.of(1, 2, 3) } },
    constants: {},
  };
  expect(failure(() => compile(model)).message).toMatch(
    /layer b: input t is looked up twice.*an input of its own/,
  );
});

describe("bounds", () => {
  it("count the range that a client's initial state is declared to have", () => {
    const model = randomGru(shape);
    model.inputs.push({ name: "h0", shape: [1, 1, 6], kind: "real" });
    model.layers[0]!.inputs.push("h0");
    const bounds = (h0: number) => compile(model, { range: { x: 1, h0 } }).plan.gruBounds.gru0!;
    const rows = Array.from({ length: 6 }, (_, i) =>
      model.tensors.U0!.data.slice((12 + i) * 6, (13 + i) * 6).reduce((sum, u) => sum + Math.abs(u), 0),
    );
    expect(bounds(5).v).toBeGreaterThanOrEqual(5 * Math.max(...rows) * 2 ** 28);
    expect(bounds(5).v).toBeGreaterThan(4 * bounds(1).v - 2 ** 30);
    // a state below one grows to one
    expect(bounds(0.1).h).toBeGreaterThanOrEqual(2 ** 14 + 2);
  });
});

describe("a damaged description", () => {
  const broken = (change: (m: ModelDescription) => void) => {
    const model = randomGru({ ...shape, head: 2 });
    change(model);
    return failure(() => compile(model));
  };

  it("is refused, naming what is wrong", () => {
    expect(broken((m) => delete m.tensors.W0).message).toMatch(/layer gru0: the model has no tensor W0/);
    expect(broken((m) => (m.tensors.U0!.shape = [18, 5])).message).toMatch(/U0 has 5 columns, expected 6/);
    expect(broken((m) => (m.tensors.W0!.data[3] = Number.NaN)).message).toMatch(
      /W0 contains NaN or infinity/,
    );
    expect(broken((m) => (m.inputs[0]!.shape = [3, 4])).message).toMatch(
      /expected \[time, batch, features\]/,
    );
    expect(broken((m) => (m.inputs[0]!.shape = [3, 1, 5])).message).toMatch(/gru0/);
    expect(broken((m) => (m.outputs[0]!.name = "nothing")).message).toMatch(/output nothing/);
  });
});

describe("the plan", () => {
  it("holds no weight: models with the same bounds have the same plan", () => {
    const model = randomGru(shape);
    const other = randomGru(shape);
    for (const t of Object.values(other.tensors)) t.data = t.data.map((v) => -v);
    expect(compile(other).plan).toEqual(compile(model).plan);
    const text = JSON.stringify(compile(model).plan);
    for (const t of Object.values(model.tensors)) expect(text).not.toContain(String(t.data[0]));
  });

  it("survives JSON, with its hash", () => {
    const { plan } = compile(randomGru(shape));
    const copy = JSON.parse(JSON.stringify(plan));
    expect(planHash(copy)).toBe(planHash(plan));
    expect(cost(instantiate(copy, {}).program)).toEqual(cost(instantiate(plan, {}).program));
  });

  it("has another hash for any other content, and a run for any other sizes", () => {
    const { plan } = compile(randomGru(shape));
    expect(planHash({ ...plan, name: "other" })).not.toBe(planHash(plan));
    expect(runHash(plan, { batch: 1 })).not.toBe(runHash(plan, { batch: 2 }));
  });

  it("is not instantiated for a run without bounds", () => {
    const model = randomGru(shape);
    model.inputs[0]!.shape = ["time", "batch", 4];
    const { plan } = compile(model);
    expect(failure(() => instantiate(plan, { time: 5, batch: 1e9 })).message).toMatch(/at most 4194304/);
    expect(failure(() => instantiate(plan, { time: 5, batch: 0.5 })).message).toMatch(/positive integer/);
    expect(failure(() => instantiate(plan, { time: 5 })).message).toMatch(/no size given for "batch"/);
  });

  it("does not depend on the sizes of a run", () => {
    const model = randomGru(shape);
    model.inputs[0]!.shape = ["time", "batch", 4];
    const { plan } = compile(model, { sizes: { time: 7 } });
    expect(compile(model).plan).toEqual(plan);
    const rounds = (time: number) => cost(instantiate(plan, { time, batch: 2 }).program).rounds;
    expect([rounds(1), rounds(9)]).toEqual([5, 45]);
  });

  it("does not depend on how many taps of a convolution meet padding only", () => {
    const model = randomGru(shape);
    const W = { shape: [4, 2, 3], data: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)) };
    model.tensors.W = W;
    model.inputs[0]!.shape = ["batch", 2, "time"];
    const gru = model.layers.map(
      (l) => ({ ...l, inputs: l.inputs.map((i) => (i === "x" ? "c" : i)) }) as Layer,
    );
    model.layers = [
      {
        op: "conv1d",
        name: "conv",
        inputs: ["x"],
        outputs: ["a"],
        W: "W",
        stride: 2,
        dilation: 1,
        groups: 1,
        pads: [1, 1],
      },
      { op: "activation", name: "relu", inputs: ["a"], outputs: ["b"], activation: { name: "relu" } },
      { op: "transpose", name: "time first", inputs: ["b"], outputs: ["c"], perm: [2, 0, 1] },
      ...gru,
    ];
    const { plan } = compile(model);
    expect(compile(model, { sizes: { time: 16 } }).plan).toEqual(plan);
    expect(() => instantiate(plan, { time: 16, batch: 2 })).not.toThrow();
  });
});

describe("published bounds", () => {
  it("are not smaller, at most a quarter larger, and have three significant bits", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2 ** 52, noNaN: true }), (bound) => {
        const p = publish(bound);
        expect(p).toBeGreaterThanOrEqual(bound);
        if (bound > 4) expect(p).toBeLessThanOrEqual(bound * 1.25);
        let odd = p;
        while (odd > 0 && odd % 2 === 0) odd /= 2;
        expect(odd).toBeLessThan(8);
      }),
    );
  });
});

describe("sizes", () => {
  const plan = { inputs: [{ name: "x", shape: ["time", "batch", 4], kind: "real" as const }] };
  it("follow from the inputs' shapes", () => {
    expect(sizesOf(plan, { x: { shape: [5, 2, 4] } })).toEqual({ time: 5, batch: 2 });
  });
  it("are refused where shapes do not fit, naming the input and both shapes", () => {
    expect(failure(() => sizesOf(plan, { x: { shape: [5, 2, 3] } })).message).toMatch(
      /input x has shape \[5, 2, 3\], expected \[time, batch, 4\]/,
    );
    expect(failure(() => sizesOf(plan, { x: { shape: [5, 4] } })).message).toMatch(/has shape/);
    expect(failure(() => sizesOf(plan, {})).message).toMatch(/x .*is missing/);
    expect(failure(() => sizesOf(plan, { x: { shape: [5, 2, 4] }, y: { shape: [1] } })).message).toMatch(
      /no input y; its inputs: x/,
    );
  });
});

describe("a plan", () => {
  it("is the same whatever sizes it is compiled for", () => {
    const model = randomGru({ seed: 5, hidden: 3, inputSize: 2, steps: 1, layers: 1 });
    const [gru] = model.layers;
    const two = (x: string, name: string, W: string) =>
      [false, true].map(
        (reverse) =>
          ({
            ...gru!,
            name: `${name}${reverse}`,
            inputs: [x],
            outputs: [`${name}${reverse}`, ""],
            reverse,
            W,
          }) as Layer,
      );
    const wide = { shape: [9, 6], data: Float32Array.from({ length: 54 }, (_, i) => Math.sin(i)) };
    const stacked: ModelDescription = {
      ...model,
      inputs: [{ name: "x", shape: ["time", 1, 2], kind: "real" }],
      outputs: [{ name: "mean" }],
      layers: [
        ...two("x", "a", gru!.op === "gru" ? gru!.W : ""),
        { op: "concat", name: "both", inputs: ["afalse", "atrue"], outputs: ["both"], axis: 3 },
        { op: "squeeze", name: "flat", inputs: ["both", "axis1"], outputs: ["flat"] },
        ...two("flat", "b", "wide"),
        { op: "concat", name: "ends", inputs: ["bfalse", "btrue"], outputs: ["ends"], axis: 3 },
        {
          op: "reduce",
          name: "mean",
          inputs: ["ends"],
          outputs: ["mean"],
          fn: "mean",
          axes: [0],
          keepDims: false,
        },
      ],
      tensors: { ...model.tensors, wide },
    };
    const hashes = [1, 2, 5, 40].map((time) => planHash(compile(stacked, { sizes: { time } }).plan));
    expect(new Set(hashes).size).toBe(1);
  });
});
