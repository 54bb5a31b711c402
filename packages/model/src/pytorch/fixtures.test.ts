import type { Constant, ModelDescription } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { importOnnx } from "../onnx/import.js";
import { evaluate, pytorchFile, pytorchFixture, pytorchFixtures } from "../testing/index.js";
import { importPytorch } from "./import.js";

function expectSame(
  model: ModelDescription,
  fixture: { inputs: Record<string, Constant>; outputs: Record<string, Constant> },
): void {
  const found = evaluate(model, fixture.inputs);
  expect(Object.keys(found).sort()).toEqual(Object.keys(fixture.outputs).sort());
  for (const [name, { shape, data }] of Object.entries(fixture.outputs)) {
    expect(found[name]!.shape).toEqual(shape);
    const worst = Math.max(...data.map((v, i) => Math.abs(v - found[name]!.data[i]!)));
    expect(worst).toBeLessThan(1e-5);
  }
}

/** Wired by a JSON configuration; null: without any. */
function check(name: string, config: object | null): ModelDescription {
  const text = config ? JSON.stringify(config) : undefined;
  const model = importPytorch(pytorchFile(name), { config: text });
  expectSame(model, pytorchFixture(name));
  return model;
}

const ops = (model: ModelDescription) => model.layers.map((layer) => layer.op).join(" ");

describe("nn.GRU means what PyTorch computes", () => {
  const grus = pytorchFixtures().filter((f) => f.name.startsWith("gru-"));
  it.each(grus.map((f) => f.name))("%s", (name) => {
    const fixture = pytorchFixture(name);
    check(name, { layers: [{ gru: "", batch_first: !name.includes("time") }] });
    expectSame(importPytorch(pytorchFile(name), { config: fixture.print }), fixture);
    if (!name.includes("time")) check(name, null);
  });

  it("all of 24", () => expect(grus).toHaveLength(24));
});

describe("what is taken of a GRU", () => {
  const TAKES = ["last_state", "last_step", "first_step", "all", "mean", "max", "sum"];
  for (const end of ["", "-both"])
    it.each(TAKES)(`%s${end}`, (take) => {
      const name = `head-${take.replace("_", "-")}${end}`;
      const layers = [{ gru: "gru", batch_first: true }, { take }, { linear: "fc" }];
      check(name, { layers });
      const { print } = pytorchFixture(name);
      const config = `${print}\ntake: ${take}\n`;
      expectSame(importPytorch(pytorchFile(name), { config }), pytorchFixture(name));
    });

  it("h[0], the first layer's last state", () => {
    const layers = [{ gru: "gru", batch_first: true }, { take: "h[0]" }, { linear: "fc" }];
    const model = check("head-row", { layers });
    // nobody needs the second layer
    expect(ops(model)).toBe("transpose gru squeeze dense");
    expect(Object.keys(model.tensors)).toHaveLength(6);
  });

  it("the last state, where nothing is said", () => {
    check("head-last-state-both", null);
    check("head-last-state-both", { layers: [{ gru: "gru", batch_first: true }, { linear: "fc" }] });
    expectSame(
      importPytorch(pytorchFile("head-last-state-both"), {
        config: pytorchFixture("head-last-state-both").print,
      }),
      pytorchFixture("head-last-state-both"),
    );
  });
});

describe("modules", () => {
  it.each([
    "text",
    "deep",
    "norm",
    "conv",
    "stack",
    "activations",
    "pool-avg",
    "pool-max",
    "windows-avg",
    "windows-max",
  ])("%s, as printed", (name) => {
    const fixture = pytorchFixture(name);
    expectSame(importPytorch(pytorchFile(name), { config: fixture.print }), fixture);
  });

  it("an embedding", () => {
    const model = check("text", null);
    expect(model.inputs).toEqual([{ name: "tokens", shape: ["batch", "time"], kind: "token" }]);
    check("text", {
      layers: [{ embedding: "embedding" }, { gru: "gru", batch_first: true }, { linear: "fc" }],
    });
  });

  it("linear layers with activations", () => {
    const layers = [
      { linear: "before" },
      "tanh",
      { gru: "gru", batch_first: true },
      { take: "last_state" },
      { dropout: 0.3 },
      { linear: "head.1" },
      { relu: {} },
      { linear: "head.3" },
      { softmax: { axis: -1 } },
    ];
    const model = check("deep", { inputs: { x: ["batch", "time", 3] }, layers });
    expect(ops(model)).toBe("dense activation transpose gru squeeze dense activation dense softmax");
  });

  it("GRUCell, run over time", () => {
    check("cell", { layers: [{ gru_cell: "cell" }, { linear: "fc" }] });
    const fixture = pytorchFixture("cell");
    expectSame(importPytorch(pytorchFile("cell"), { config: fixture.print }), fixture);
  });

  it("Flatten, which needs the sizes", () => {
    const layers = [
      { gru: "gru", batch_first: true },
      { take: "all" },
      "flatten",
      { linear: "fc" },
      { log_softmax: 1 },
    ];
    check("flat", { inputs: { x: ["batch", 5, 3] }, layers });
  });

  it("a trained initial state", () => {
    check("trained-state", { layers: [{ gru: "gru", batch_first: true, initial: "h0" }, { linear: "fc" }] });
  });

  it("axes that are exchanged", () => {
    const { inputs, outputs } = pytorchFixture("gru-1");
    const layers = [{ gru: "", batch_first: true }, { take: "all" }, { transpose: [1, 2] }];
    const model = importPytorch(pytorchFile("gru-1"), { config: JSON.stringify({ layers }) });
    const [B, T, H] = outputs.y!.shape as [number, number, number];
    const data = outputs.y!.data.map((_, i) => {
      const [b, h, t] = [Math.floor(i / (H * T)), Math.floor(i / T) % H, i % T];
      return outputs.y!.data[(b * T + t) * H + h]!;
    });
    expectSame(model, { inputs, outputs: { y: { shape: [B, H, T], data } } });
  });

  it("any order of axes that the input is given", () => {
    const layers = [{ gru: "gru", batch_first: true }, { linear: "fc" }];
    const { inputs, outputs } = pytorchFixture("head-last-state");
    const config = JSON.stringify({ inputs: { z: ["time", 3, "batch"] }, output: "logits", layers });
    const model = importPytorch(pytorchFile("head-last-state"), { config });
    const [B, T, I] = [2, 5, 3];
    const data = Array.from({ length: B * T * I }, (_, i) => {
      const [t, k, b] = [Math.floor(i / (I * B)), Math.floor(i / B) % I, i % B];
      return inputs.x!.data[(b * T + t) * I + k]!;
    });
    expectSame(model, { inputs: { z: { shape: [T, I, B], data } }, outputs: { logits: outputs.y! } });
  });

  it.each(["half", "bfloat", "double"])("weights in %s precision", (name) => {
    check(name, null);
  });
});

it("the export to ONNX in docs/pytorch.md gives what PyTorch computes", () => {
  expectSame(importOnnx(pytorchFile("exported.onnx")), pytorchFixture("exported"));
});

describe("sequences of different lengths mean what packed sequences do", () => {
  const layers = (take: string) => [
    { embedding: "embedding" },
    { gru: "gru", batch_first: true },
    { take },
    { linear: "fc" },
  ];
  it.each([
    ["lengths-state", "last_state"],
    ["lengths-mean", "mean"],
    ["lengths-all", "all"],
  ])("%s", (name, take) => {
    const { inputs, outputs } = pytorchFixture(name);
    const config = (lengths: unknown) => JSON.stringify({ lengths, layers: layers(take) });
    const given = importPytorch(pytorchFile(name), { config: config("n") });
    expect(given.inputs[1]).toEqual({ name: "n", shape: ["batch"], kind: "length" });
    expectSame(given, { inputs: { ...inputs, n: { shape: [3], data: [3, 1, 5] } }, outputs });
    const found = importPytorch(pytorchFile(name), { config: config({ padding: 0 }) });
    expect(found.inputs[1]!.mask).toEqual({ input: "tokens", value: 0, edge: "end" });
    expectSame(found, { inputs, outputs });
  });
});
