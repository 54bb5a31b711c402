import { describe, expect, it } from "vitest";
import { runClear } from "../../interpret/plain.js";
import { applyPending } from "../../share/pending.js";
import { compile } from "../compile.js";
import type { Layer, ModelDescription } from "../description.js";
import { instantiate } from "../instantiate.js";
import { Streaming } from "../stream.js";

/** Layers on x, whose elements then are the logits. */
function model(shape: number[], layers: Partial<Layer>[], constants: Record<string, number[]> = {}) {
  const names = ["x", ...layers.map((_, i) => `v${i + 1}`)];
  return {
    name: "ends",
    inputs: [{ name: "x", shape, kind: "real" }],
    outputs: [{ name: names.at(-1)! }],
    layers: layers.map((l, i) => ({
      ...l,
      name: `l${i + 1}`,
      inputs: [names[i]!, ...(l.inputs ?? [])],
      outputs: [names[i + 1]!],
    })) as Layer[],
    tensors: {},
    constants: Object.fromEntries(
      Object.entries(constants).map(([n, data]) => [n, { shape: [data.length], data }]),
    ),
  } satisfies ModelDescription;
}

/** What is revealed to the client, and what it makes of it. */
function run(description: ModelDescription, x: number[]) {
  const { plan, tensors } = compile(description);
  const network = instantiate(plan, {});
  const [output] = network.outputs;
  const revealed = runClear(network.program, tensors, { x: Float64Array.from(x) })[output!.name]!;
  return { shape: output!.shape, revealed: [...revealed], result: [...applyPending(output!, revealed)] };
}

function softmax(x: number[]): number[] {
  const e = x.map(Math.exp);
  return e.map((v) => v / e.reduce((a, b) => a + b, 0));
}

const closeTo = (values: readonly (number | undefined)[]) => values.map((v) => expect.closeTo(v!, 12));

const LOGITS = [0, 1, 2, 3, -1, -4, 0.5, 2.5, 1.5, -2, 3.5, 0.25];

describe("what is taken of a softmax", () => {
  it("is computed of the logits of its groups, and no others are revealed", () => {
    const of = model(
      [2, 2, 3],
      [
        { op: "softmax", axis: -1 },
        { op: "slice", inputs: ["from", "to", "axis"] },
      ],
      {
        from: [1],
        to: [2],
        axis: [1],
      },
    );
    const { shape, revealed, result } = run(of, LOGITS);
    expect(shape).toEqual([2, 1, 3]);
    expect(revealed).toEqual([3, -1, -4, -2, 3.5, 0.25]);
    expect(result).toEqual(closeTo([...softmax([3, -1, -4]), ...softmax([-2, 3.5, 0.25])]));
  });

  it("may be one of a group, along any axis, moved, and repeated", () => {
    const of = model(
      [2, 2, 3],
      [
        { op: "softmax", axis: 1 },
        { op: "transpose", perm: [1, 2, 0] },
        { op: "gather", axis: 0, inputs: ["twice"] },
        { op: "slice", inputs: ["from", "to", "axis"] },
      ],
      { twice: [1, 1], from: [2], to: [3], axis: [1] },
    );
    const { shape, revealed, result } = run(of, LOGITS);
    expect(shape).toEqual([2, 1, 2]);
    expect(revealed).toEqual([2, -4, 1.5, 0.25]);
    const one = [softmax([2, -4])[1], softmax([1.5, 0.25])[1]];
    expect(result).toEqual(closeTo([...one, ...one]));
  });

  it("is not joined with anything", () => {
    const of = model(
      [2, 3],
      [
        { op: "softmax", axis: 1 },
        { op: "concat", axis: 0, inputs: ["x"] },
      ],
    );
    expect(() => compile(of)).toThrow(/layer l2: softmax before another layer; it is supported at the end/);
  });
});

describe("argmax", () => {
  it("is the first of the largest, along any axis", () => {
    const last = model([2, 3], [{ op: "argMax", axis: -1, keepDims: true }]);
    expect(run(last, [1, 3, 3, 2, 0, 1])).toMatchObject({ shape: [2, 1], result: [1, 0] });
    const first = model([2, 3], [{ op: "argMax", axis: 0, keepDims: false }]);
    expect(run(first, [1, 3, 0, 2, 0, 0])).toMatchObject({ shape: [3], result: [1, 0, 0] });
  });

  it("needs no softmax and no sigmoid before it", () => {
    for (const before of [
      { op: "softmax", axis: -1 },
      { op: "activation", activation: { name: "sigmoid" } },
    ] as Partial<Layer>[]) {
      const of = model([4, 3], [before, { op: "argMax", axis: 1, keepDims: false }]);
      const { revealed, result } = run(of, LOGITS);
      expect(revealed).toEqual(LOGITS);
      expect(result).toEqual([2, 0, 1, 1]);
    }
    const relu = model(
      [1, 3],
      [
        { op: "activation", activation: { name: "relu" } },
        { op: "argMax", axis: 1, keepDims: false },
      ],
    );
    // all equal after the function
    expect(run(relu, [-3, -2, -1]).result).toEqual([0]);
  });

  it("of a part of a softmax reveals that part; across several it is refused", () => {
    const part = (axis: number) =>
      model(
        [4, 3],
        [
          { op: "softmax", axis: 1 },
          { op: "slice", inputs: ["from", "to", "axis"] },
          { op: "argMax", axis, keepDims: false },
        ],
        { from: [1], to: [3], axis: [1] },
      );
    expect(run(part(1), LOGITS)).toMatchObject({
      revealed: LOGITS.filter((_, i) => i % 3),
      result: [1, 0, 0, 0],
    });
    expect(() => compile(part(0))).toThrow(/layer l3: argmax over results of several softmaxes/);
  });
});

describe("in a stream", () => {
  it("each step has its own label", () => {
    const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape[0]! * shape[1]!) });
    const of = model(
      [5, 1, 2],
      [
        { op: "gru", hidden: 3, resetAfter: true, W: "W", U: "U", inputs: [] } as Partial<Layer>,
        { op: "softmax", axis: -1 },
        { op: "argMax", axis: -1, keepDims: false },
        { op: "squeeze", inputs: ["one"] },
      ],
      { one: [1] },
    );
    const { plan } = compile({ ...of, tensors: { W: zeros(9, 2), U: zeros(9, 3) } });
    expect([...new Streaming(plan, { sizes: {}, steps: 2 }).outputAxes]).toEqual([["v4", 0]]);
  });
});
