import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { interpret, runOnnx, uniform } from "../../testing/index.js";
import { type CellModel, writeCell } from "../../testing/random-cell.js";
import { importOnnx } from "../import.js";

const RUNS = process.env.SOTTO_LONG ? 2000 : 30;

const cell: fc.Arbitrary<CellModel> = fc.record({
  seed: fc.integer({ min: 0, max: 1_000_000 }),
  opset: fc.constantFrom(11, 13, 17),
  steps: fc.integer({ min: 1, max: 4 }),
  batch: fc.constantFrom(1, 2, "batch" as const),
  inputs: fc.integer({ min: 1, max: 4 }),
  hidden: fc.integer({ min: 2, max: 4 }),
  resetAfter: fc.boolean(),
  bias: fc.boolean(),
  initial: fc.constantFrom("zero", "zeros", "constant", "input"),
  layout: fc.constantFrom("packed", "single", "joined"),
  projected: fc.boolean(),
  steps_: fc.constantFrom("gather", "slice", "split"),
  outputs: fc.constantFrom("last", "all", "both"),
});

describe("a cell written out", () => {
  it("is one GRU in whatever way it is written, and means the same", async () => {
    await fc.assert(
      fc.asyncProperty(cell, async (random) => {
        const spec = { ...random, projected: random.projected && random.layout !== "joined" };
        const bytes = writeCell(spec);
        const model = importOnnx(bytes);
        expect(model.layers.filter((l) => l.op === "gru")).toHaveLength(1);
        const views = ["gru", "transpose", "slice", "squeeze", "unsqueeze", "concat", "identity"];
        expect(views).toEqual(expect.arrayContaining(model.layers.map((l) => l.op)));
        const next = uniform(spec.seed);
        const feeds = Object.fromEntries(
          model.inputs.map(({ name, shape }) => {
            const sizes = shape.map((d) => (typeof d === "number" ? d : 2));
            const data = Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, () => Math.fround(next()));
            return [name, { shape: sizes, data }];
          }),
        );
        const [expected, found] = [await runOnnx(bytes, feeds), interpret(model, feeds)];
        for (const [name, { shape, data }] of Object.entries(expected)) {
          expect(found[name]!.shape).toEqual(shape);
          expect(Math.max(...data.map((v, i) => Math.abs(v - found[name]!.data[i]!)))).toBeLessThan(1e-5);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
