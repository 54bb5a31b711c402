import { describe, expect, it } from "vitest";
import { randomGru } from "../testing/models.js";
import { compile } from "./compile.js";
import type { ModelInput } from "./description.js";
import { instantiate } from "./instantiate.js";
import { leastNumbers, lengthsOf, sizesOf } from "./sizes.js";

const x: ModelInput = { name: "x", shape: ["batch", "time", 2], kind: "real" };
const lengths: ModelInput = { name: "n", shape: ["batch"], kind: "length" };
const mask = (edge: "start" | "end"): ModelInput => ({
  name: edge,
  shape: ["batch"],
  kind: "length",
  mask: { input: "t", value: 0, edge },
});
const t: ModelInput = { name: "t", shape: ["batch", "time"], kind: "token" };

describe("sizes of a run", () => {
  it("tell how many numbers a client shares at least", () => {
    const plan = { inputs: [x, t, lengths, mask("end")] };
    expect(leastNumbers(plan, { batch: 3, time: 1e6 })).toBe(3e6 * 2 + 3e6);
    expect(() => leastNumbers(plan, { batch: 3 })).toThrow(/input x: no size given for "time"/);
  });

  it("are refused before anything is made for each of too many time steps", () => {
    const model = randomGru({ seed: 1, hidden: 2, inputSize: 1, steps: 2 });
    model.inputs[0]!.shape = ["time", 1, 1];
    const { plan } = compile(model);
    // without bounds nothing can be recorded of the layer
    const bare = { ...plan, gruBounds: {} };
    expect(() => instantiate(bare, { time: 3 })).toThrow(/no bounds for layer/);
    expect(() => instantiate(bare, { time: 1e6 })).toThrow(
      /1000000 time steps; .* at most 8192 are proven safe/,
    );
  });
});

describe("lengths of a batch's sequences", () => {
  it("are sizes of the run, by row", () => {
    const plan = { inputs: [x, lengths] };
    const sizes = sizesOf(plan, { x: { shape: [3, 4, 2] }, n: { shape: [3], data: [4, 1, 0] } });
    expect(sizes).toEqual({ batch: 3, time: 4, "n[0]": 4, "n[1]": 1, "n[2]": 0 });
    expect(lengthsOf(lengths, sizes)).toEqual([4, 1, 0]);
    expect(lengthsOf(lengths, { batch: 2 })).toEqual([undefined, undefined]);
  });

  it("are whole numbers, or refused", () => {
    for (const data of [
      [1.5, 1],
      [-1, 2],
      [Number.NaN, 1],
    ])
      expect(() =>
        sizesOf({ inputs: [x, lengths] }, { x: { shape: [2, 4, 2] }, n: { shape: [2], data } }),
      ).toThrow(/input n: element 0 .*whole number/);
  });

  it("are found by the client where they follow from padding", () => {
    const plan = { inputs: [t, mask("start"), mask("end")] };
    const data = [0, 0, 3, 4, 5, 1, 0, 0, 0, 0, 0, 0];
    const sizes = sizesOf(plan, { t: { shape: [3, 4], data } });
    expect(lengthsOf(plan.inputs[1]!, sizes)).toEqual([2, 0, 0]);
    expect(lengthsOf(plan.inputs[2]!, sizes)).toEqual([4, 2, 0]);
  });

  it("are refused where there is padding between the steps", () => {
    const plan = { inputs: [t, mask("end")] };
    expect(() => sizesOf(plan, { t: { shape: [1, 4], data: [1, 0, 2, 0] } })).toThrow(
      /input t: sequence 0 has padding \(0\) between its steps/,
    );
  });

  it("of masked reals count a step as padding if every number of it is", () => {
    const masked: ModelInput = { ...mask("end"), mask: { input: "x", value: -1, edge: "end" } };
    const data = [-1, 0, -1, -1, 5, 5, -1, -1];
    expect(() => sizesOf({ inputs: [x, masked] }, { x: { shape: [1, 4, 2], data } })).toThrow(
      /between its steps/,
    );
    data.splice(2, 2, 0, -1);
    expect(sizesOf({ inputs: [x, masked] }, { x: { shape: [1, 4, 2], data } })).toMatchObject({
      "end[0]": 3,
    });
  });

  it("are not asked of the user where the client finds them", () => {
    const plan = { inputs: [t, mask("end")] };
    expect(() => sizesOf(plan, { t: { shape: [1, 1], data: [1] }, end: { shape: [1], data: [1] } })).toThrow(
      /no input end; its inputs: t/,
    );
  });
});
