import type { Constant, ModelDescription } from "@sotto/core";
import { describe, expect, it } from "vitest";
import {
  evaluate,
  fixture,
  fixtureNames,
  interpret,
  makeGruModel,
  runOnnx,
  uniform,
} from "../testing/index.js";
import { importOnnx } from "./import.js";

/** Random values for all inputs; sizes that the file leaves open become what `open` says. */
function sample(
  model: ModelDescription,
  open: number,
): Record<string, Constant & { type: "float32" | "int64" }> {
  const random = uniform(3);
  const whole = (n: number) => Math.floor(((random() + 1) / 2) * n);
  const steps = model.inputs.find((i) => i.kind === "real")?.shape[1];
  const longest = typeof steps === "number" ? steps : open + 1;
  const feeds = model.inputs.map(({ name, shape, kind }) => {
    const sizes = shape.map((d) => (typeof d === "number" ? d : d === "time" ? open + 1 : open));
    const draw = {
      real: () => Math.fround(random()),
      token: () => whole(11),
      length: () => 1 + whole(longest),
    }[kind];
    const data = Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, draw);
    // Padded outputs are as long as the longest sequence.
    if (kind === "length") data[data.length - 1] = longest;
    return [name, { shape: sizes, data, type: kind === "real" ? "float32" : "int64" }] as const;
  });
  return Object.fromEntries(feeds);
}

async function expectSame(bytes: Uint8Array, open = 3): Promise<ModelDescription> {
  const model = importOnnx(bytes);
  const feeds = sample(model, open);
  const expected = await runOnnx(bytes, feeds);
  for (const found of [interpret(model, feeds), evaluate(model, feeds, { range: 1 })]) {
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, { shape, data }] of Object.entries(expected)) {
      expect(found[name]!.shape).toEqual(shape);
      const worst = Math.max(...data.map((v, i) => Math.abs(v - found[name]!.data[i]!)));
      expect(worst).toBeLessThan(1e-5);
    }
  }
  return model;
}

const ops = (model: ModelDescription) => model.layers.map((layer) => layer.op).join(" ");

describe("models that PyTorch wrote", () => {
  it.each(fixtureNames())("%s means what ONNX Runtime computes", async (name) => {
    // PyTorch's exporter fixes the batch of packed sequences' zero state.
    await expectSame(fixture(name), name.startsWith("packed") ? 2 : 3);
  });

  it.each([1, 4])("open sizes may be %d", async (open) => {
    for (const name of ["sequence", "two-layers", "text", "explicit-zeros"])
      await expectSame(fixture(name), open);
  });

  it("leaves out what makes a zero state", () => {
    expect(ops(importOnnx(fixture("explicit-zeros-two-layers")))).toBe(
      "transpose gru squeeze gru squeeze transpose gather dense",
    );
    expect(ops(importOnnx(fixture("last")))).toBe("transpose gru squeeze transpose gather dense");
  });

  it("folds the weights' reordering", () => {
    const model = importOnnx(fixture("unfolded"));
    expect(ops(model)).toMatch(/^transpose gru squeeze transpose (slice squeeze|gather) dense$/);
    expect(Object.values(model.tensors).map((t) => t.shape.join("x"))).toEqual([
      "18x3",
      "18x6",
      "18",
      "18",
      "4x6",
      "4",
    ]);
  });

  it("fuses the bias, passes the shape arithmetic on", () => {
    const model = importOnnx(fixture("deep"));
    expect(ops(model)).toBe(
      "dense activation transpose gru squeeze transpose reshape dense activation dense shape gather unsqueeze concat reshape",
    );
    expect(model.inputs).toEqual([{ name: "x", shape: ["batch", 5, 3], kind: "real" }]);
    const first = model.layers[0]!;
    expect(first.op === "dense" && first.b !== undefined).toBe(true);
  });

  it("takes tokens and an embedding", () => {
    const model = importOnnx(fixture("text"));
    expect(model.inputs).toEqual([{ name: "tokens", shape: ["batch", "time"], kind: "token" }]);
    expect(ops(model)).toBe("embedding transpose gru squeeze dense activation");
  });

  it("takes the initial state as an input", () => {
    const model = importOnnx(fixture("stateful"));
    expect(model.inputs.map((i) => i.name)).toEqual(["x", "h0"]);
    expect(model.outputs).toEqual([{ name: "y" }, { name: "h" }]);
    expect(ops(model)).toBe("slice gru squeeze slice gru squeeze concat");
  });

  it("is deterministic and keeps names", () => {
    const model = importOnnx(fixture("last"), { name: "mine" });
    expect(model).toEqual(importOnnx(fixture("last"), { name: "mine" }));
    expect(model.name).toBe("mine");
    expect(model.layers[1]).toMatchObject({ name: "/gru/GRU", W: "/gru/GRU.W", hidden: 6, resetAfter: true });
  });
});

describe("models that we write", () => {
  const spec = { hidden: 5, inputSize: 3 };
  for (const resetAfter of [true, false])
    for (const bias of [true, false])
      for (const opset of [7, 12, 13, 17, 22])
        it(`resetAfter ${resetAfter}, bias ${bias}, opset ${opset}`, async () => {
          await expectSame(makeGruModel({ ...spec, resetAfter, bias, opset }));
          const head = { outputs: 2, end: "Softmax" } as const;
          await expectSame(makeGruModel({ ...spec, resetAfter, bias, opset, head, initialState: true }));
        });

  it("has the sizes that were asked for", () => {
    const model = importOnnx(makeGruModel({ ...spec, resetAfter: false, steps: 7, batch: 2 }));
    expect(model.inputs).toEqual([{ name: "x", shape: [7, 2, 3], kind: "real" }]);
    expect(model.layers).toMatchObject([{ op: "gru", resetAfter: false, outputs: ["y", "y_h"] }]);
  });
});
