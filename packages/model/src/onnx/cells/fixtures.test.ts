import { describe, expect, it } from "vitest";
import { evaluate, fixture, fixtureNames, interpret, runOnnx, uniform } from "../../testing/index.js";
import { importOnnx } from "../import.js";

const OPS: Record<string, RegExp> = {
  "cell-backwards": /^transpose slice gru squeeze dense$/,
  "cell-scripted-11": /^gru squeeze dense$/,
  "cell-scripted-16": /^gru squeeze dense$/,
  "cell-scripted-fixed": /^gru squeeze dense$/,
  "cell-scripted-two-layers": /^transpose gru squeeze squeeze unsqueeze gru squeeze$/,
  "cell-scripted-list": /^transpose gru squeeze( squeeze)? transpose( identity)?$/,
  "cell-single": /^unsqueeze unsqueeze gru squeeze dense$/,
  "cell-split": /^transpose gru squeeze identity$/,
  "cell-two-layers": /^transpose gru squeeze gru squeeze transpose$/,
};
const names = fixtureNames().filter((name) => name.startsWith("cell-"));

describe("cells that PyTorch wrote", () => {
  it.each(names)("%s is a GRU and means what ONNX Runtime computes", async (name) => {
    const bytes = fixture(name);
    const model = importOnnx(bytes);
    const ops = model.layers.map((layer) => layer.op).join(" ");
    expect(ops).toMatch(OPS[name] ?? /^transpose gru squeeze (dense|transpose)$|^transpose gru squeeze$/);
    const open = model.inputs.some((i) => i.shape.some((d) => typeof d === "string"));
    for (const size of open ? [1, 3, 4] : [3]) {
      const random = uniform(size);
      const feeds = Object.fromEntries(
        model.inputs.map(({ name, shape }) => {
          const sizes = shape.map((d) => (typeof d === "number" ? d : size));
          const data = Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, () => Math.fround(random()));
          return [name, { shape: sizes, data }];
        }),
      );
      const expected = await runOnnx(bytes, feeds);
      for (const found of [interpret(model, feeds), evaluate(model, feeds)])
        for (const [output, { shape, data }] of Object.entries(expected)) {
          expect(found[output]!.shape).toEqual(shape);
          const worst = Math.max(...data.map((v, i) => Math.abs(v - found[output]!.data[i]!)));
          expect(worst).toBeLessThan(1e-5);
        }
    }
  });
});
