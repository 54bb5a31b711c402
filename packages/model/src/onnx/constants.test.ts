import { describe, expect, it } from "vitest";
import {
  evaluate,
  fixture,
  GraphWriter,
  interpret,
  interpretations,
  runOnnx,
  uniform,
} from "../testing/index.js";
import { importOnnx } from "./import.js";

/** x [2, time, 3] and what is made of it, compared with ONNX Runtime. @returns the description. */
async function expectSame(build: (g: GraphWriter) => string) {
  const g = new GraphWriter(13, uniform(4));
  g.input("x", [2, "time", 3]);
  g.output(build(g));
  const model = importOnnx(g.bytes());
  const feeds = { x: { shape: [2, 4, 3], data: Array.from({ length: 24 }, (_, i) => Math.sin(i)) } };
  const [expected] = Object.values(await runOnnx(g.bytes(), feeds));
  for (const found of [interpret(model, feeds), evaluate(model, feeds)]) {
    const [y] = Object.values(found);
    expect(y!.shape).toEqual(expected!.shape);
    expected!.data.forEach((v, i) => {
      expect(y!.data[i]).toBeCloseTo(v, 4);
    });
  }
  return model;
}

describe("constants among private values", () => {
  it("are secret where they are not zero, on either side", async () => {
    const model = await expectSame((g) =>
      g.node("Concat", [g.weights([2, 1, 3], 1), "x", g.weights([2, 2, 3], 1)], { axis: 1 }),
    );
    expect(Object.values(model.tensors).map((t) => t.shape)).toEqual([
      [2, 1, 3],
      [2, 2, 3],
    ]);
    expect(Object.values(model.constants).every((c) => c.data.every(Number.isInteger))).toBe(true);
  });

  it("are computed with like any other value", async () => {
    await expectSame((g) =>
      g.node("MatMul", [
        g.node("Concat", [g.weights([2, 1, 3], 1), g.node("Tanh", ["x"])], { axis: 1 }),
        g.weights([3, 4], 1),
      ]),
    );
  });

  it("are zeros of Pad along the time, before and after", async () => {
    const pads = (g: GraphWriter) => g.constant("pads", [6], [0, 2, 0, 0, 1, 0], "int64");
    const model = await expectSame((g) => g.node("Tanh", [g.node("Pad", ["x", pads(g)])]));
    expect(model.tensors).toEqual({});
  });

  it.each(["zeros", "shifted", "started", "padded"])(
    "%s: a decoder in integers, as servers run it",
    (fed) => {
      const model = importOnnx(fixture(`decoder-${fed}`));
      const x = { shape: [2, 6, 3], data: Array.from({ length: 36 }, (_, i) => Math.sin(i)) };
      const { clear, exact } = interpretations(model, { x });
      const [reals, integers] = [clear().y!, exact().y!];
      integers.data.forEach((v, i) => {
        expect(Math.abs(v - reals.data[i]!)).toBeLessThan(0.002);
      });
    },
  );

  it("keep a decoder's zeros out of the weights", () => {
    const zeros = importOnnx(fixture("decoder-zeros"));
    const started = importOnnx(fixture("decoder-started"));
    expect(Object.keys(started.tensors)).toHaveLength(Object.keys(zeros.tensors).length + 1);
  });
});
