import { compile, type Plan } from "@sotto/core";
import { anyModel, randomGru } from "@sotto/core/testing";
import { describe, expect, it } from "vitest";
import { checkPlan } from "./plan-check.js";

const plan = compile({
  ...randomGru({ seed: 1, hidden: 2, inputSize: 1, steps: 1 }),
  inputs: [{ name: "x", shape: [1, 1, 4], kind: "real" }],
  outputs: [{ name: "y" }],
  layers: [
    {
      op: "conv1d",
      name: "c",
      W: "C",
      stride: 1,
      dilation: 1,
      groups: 1,
      pads: [1, 0],
      inputs: ["x"],
      outputs: ["y"],
    },
  ],
  tensors: { C: { shape: [1, 1, 2], data: new Float32Array(2) } },
}).plan;

/** The plan with a field of its layer changed. */
const changed = (fields: object): unknown => ({ ...plan, layers: [{ ...plan.layers[0], ...fields }] });

describe("a plan from somebody else", () => {
  it("is taken as it is when it is one, for every kind of layer", () => {
    expect(checkPlan(plan)).toBe(plan);
    let plans = 0;
    for (let k = 0; k < 30; k++) {
      const { model, options } = anyModel(`plan ${k}`, "any");
      let made: Plan;
      try {
        made = compile(model, options).plan;
      } catch {
        continue; // does not fit
      }
      expect(checkPlan(JSON.parse(JSON.stringify(made)))).toEqual(JSON.parse(JSON.stringify(made)));
      plans++;
    }
    expect(plans).toBeGreaterThan(20);
  });

  it.each([
    { stride: 0 },
    { stride: 0.5 },
    { dilation: -1 },
    { groups: "1" },
    { pads: [-1, 0] },
    { pads: [3e9, 0] },
    { pads: [0] },
    { shape: [1, 1] },
    { op: "gru", hidden: 0 },
    { op: "gru", hidden: 2, clip: -1 },
    { op: "gru", hidden: 2, gate: { name: 3 } },
    { op: "reduce", fn: "median", axes: [0] },
    { op: "reduce", fn: "max", axes: [0.5] },
    { op: "dense", features: 2.5 },
    { op: "activation", activation: "tanh" },
    { op: "affine" },
  ])("is refused where a layer's field is none: %o", (fields) => {
    expect(() => checkPlan(changed(fields))).toThrow(/not a plan: layers\.0/);
  });

  it("is refused when it is nested so deep that its hash could not be computed", () => {
    const deep: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
    for (const value of [{ ...plan, version: deep }, { ...plan, more: deep }, changed({ more: deep })]) {
      expect(() => checkPlan(value)).toThrow(/not a plan: nested more than 32 deep/);
    }
  });
});
