import { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import {
  evaluate,
  type Feed,
  GraphWriter,
  interpret,
  type NodeSpec,
  runOnnx,
  uniform,
} from "../testing/index.js";
import { importOnnx } from "./import.js";

type Attributes = NodeSpec["attributes"];
/** Inputs from sequence_lens on. */
type More = (g: GraphWriter) => string[];

const [T, B, I, H] = [4, 2, 3, 2];
const x: Feed = {
  shape: [T, B, I],
  data: Array.from({ length: T * B * I }, (_, i) => Math.fround(Math.sin(i))),
};

/** A model of x [T, batch, I] with one GRU, whose outputs are y and y_h. */
function write(
  attributes: Attributes = {},
  more: More = () => [],
  batch: number | string = "batch",
): Uint8Array {
  const g = new GraphWriter(14, uniform(2));
  const D = attributes?.direction === "bidirectional" ? 2 : 1;
  g.input("x", [T, batch, I]);
  const inputs = ["x", g.weights([D, 3 * H, I], 1), g.weights([D, 3 * H, H], 1), "", ...more(g)];
  for (const y of g.nodes("GRU", inputs, 2, { hidden_size: H, ...attributes })) g.output(y);
  return g.bytes();
}

async function expectSame(bytes: Uint8Array, feeds: Record<string, Feed> = {}) {
  const model = importOnnx(bytes);
  const given = { x, ...feeds };
  const expected = Object.values(await runOnnx(bytes, given));
  const plain = Object.entries(given).map(([n, f]) => [n, { shape: f.shape, data: Array.from(f.data) }]);
  const values = Object.fromEntries(plain);
  for (const meaning of [interpret(model, values), evaluate(model, values, { range: 1, stateBound: 4 })]) {
    const found = Object.values(meaning);
    expected.forEach(({ shape, data }, k) => {
      expect(found[k]!.shape).toEqual(shape);
      data.forEach((v, i) => {
        expect(found[k]!.data[i]).toBeCloseTo(v, 5);
      });
    });
  }
  return model;
}

function failure(bytes: Uint8Array): string {
  try {
    importOnnx(bytes);
  } catch (error) {
    if (error instanceof SottoError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "it was imported";
}

const ops = (model: { layers: { op: string }[] }) => model.layers.map((l) => l.op).join(" ");
const lengths = (g: GraphWriter, ...data: number[]) => g.constant("lengths", [data.length], data, "int32");

describe("directions", () => {
  it("are layers of their own", async () => {
    const model = await expectSame(write({ direction: "bidirectional", linear_before_reset: 1 }));
    expect(model.layers).toMatchObject([
      { op: "gru", name: "gru2.forward", resetAfter: true },
      { op: "gru", name: "gru2.reverse", resetAfter: true, reverse: true },
      { op: "concat", axis: 1 },
      { op: "concat", axis: 0 },
    ]);
    expect(ops(await expectSame(write({ direction: "reverse" })))).toBe("gru");
  });
});

describe("lengths", () => {
  it("may be zero: then the last state is zero as well, whatever the first was", async () => {
    for (const data of [
      [0, 3],
      [2, 0],
      [0, 0],
    ])
      for (const direction of ["forward", "reverse", "bidirectional"]) {
        const D = direction === "bidirectional" ? 2 : 1;
        const bytes = write({ direction }, (g) => [
          g.input("l", ["batch"], "int32"),
          g.weights([D, B, H], 1),
        ]);
        await expectSame(bytes, { l: { shape: [B], data, type: "int32" } });
      }
  });

  it("may be an input of whole numbers", async () => {
    const more: More = (g) => [g.node("Cast", [g.input("n", ["batch"], "int64")], { to: 6 })];
    const n: Feed = { shape: [B], data: [2, 4], type: "int64" };
    const model = await expectSame(write({ direction: "bidirectional" }, more), { n });
    expect(model.inputs[1]).toEqual({ name: "n", shape: ["batch"], kind: "length" });
    expect(model.layers[0]!.inputs).toEqual(["x", "", "n"]);
  });

  it("may be constants, and are left out where they are all steps", async () => {
    const some = await expectSame(write({ direction: "reverse" }, (g) => [lengths(g, 3, 1)], B));
    expect(some.layers[0]!.inputs).toEqual(["x", "", "lengths"]);
    expect(some.constants.lengths).toEqual({ shape: [2], data: [3, 1] });
    const all = await expectSame(write({}, (g) => [lengths(g, T, T)]));
    expect(all.layers[0]!.inputs).toEqual(["x"]);
  });

  it("are left out where they are made from the number of steps", async () => {
    const more: More = (g) => {
      const shape = g.node("Shape", ["x"]);
      const [one, two, zero] = [1, 2, 0].map((v) => g.constant(`c${v}`, [1], [v], "int64")) as [
        string,
        string,
        string,
      ];
      const [steps, batch] = [g.node("Slice", [shape, zero, one]), g.node("Slice", [shape, one, two])];
      return [g.node("Cast", [g.node("Expand", [steps, batch])], { to: 6 })];
    };
    expect(ops(await expectSame(write({}, more)))).toBe("gru");
  });

  /** The states of a GRU with lengths, [batch, T, H], and what is made of them and of the lengths. */
  function packed(build: (g: GraphWriter, states: string) => string): Uint8Array {
    const g = new GraphWriter(14, uniform(2));
    g.input("x", [T, "batch", I]);
    g.input("n", ["batch"], "int32");
    const inputs = ["x", g.weights([1, 3 * H, I], 1), g.weights([1, 3 * H, H], 1), "", "n"];
    const [Y] = g.nodes("GRU", inputs, 1, { hidden_size: H });
    const squeezed = g.node("Squeeze", [Y!, g.constant("one", [1], [1], "int64")]);
    g.output(build(g, g.node("Transpose", [squeezed], { perm: [1, 0, 2] })));
    return g.bytes();
  }
  const column = (g: GraphWriter) =>
    g.node("Cast", [g.node("Unsqueeze", ["n", g.constant("axis", [1], [1], "int64")])], { to: 1 });
  const sum = (g: GraphWriter, y: string, axis = 1) => g.reduce("ReduceSum", y, [axis], 0);

  it("divide a sum over the states: the mean over the true length", async () => {
    const n: Feed = { shape: [B], data: [2, 4], type: "int32" };
    for (const build of [
      (g: GraphWriter, y: string) => g.node("Div", [sum(g, y), column(g)]),
      (g: GraphWriter, y: string) => g.node("Div", [sum(g, g.node("Relu", [y]), -2), column(g)]),
      (g: GraphWriter, y: string) =>
        g.node("Div", [sum(g, g.node("Transpose", [y], { perm: [1, 0, 2] }), 0), column(g)]),
    ]) {
      const model = await expectSame(packed(build), { n });
      expect(model.layers.at(-1)).toMatchObject({ op: "reduce", fn: "mean", axes: [1] });
      expect(model.layers.at(-1)!.inputs[1]).toBe("n");
    }
  });

  it.each<[string, (g: GraphWriter, states: string) => string, RegExp]>([
    [
      "what is not 0 in the padding",
      (g, y) => g.node("Div", [sum(g, g.node("Sigmoid", [y])), column(g)]),
      /\(Div\).*divides a sum by "n", the lengths of sequences.*adds? something for the padding/,
    ],
    [
      "a sum over another axis",
      (g, y) => g.node("Div", [sum(g, y, 2), column(g)]),
      /\(Div\).*divides a sum by "n", the lengths of sequences/,
    ],
    [
      "other arithmetic",
      (g, y) => g.node("Mul", [sum(g, y), column(g)]),
      /\(Mul\).*it uses "n", the lengths of sequences, for something else/,
    ],
    [
      "masks",
      (g, y) => {
        const mask = g.node("Less", [g.constant("steps", [T], [0, 1, 2, 3]), column(g)]);
        return g.node("Mul", [g.node("ReduceMax", [y], { axes: [2], keepdims: 0 }), mask]);
      },
      /\(Less\).*it uses "n", the lengths of sequences, for something else.*h\[-1\]/,
    ],
    [
      "a look-up",
      (g, y) => g.node("Add", [sum(g, y), g.node("Gather", [g.weights([5, H], 1), "n"])]),
      /\(Gather\).*it uses "n", the lengths of sequences, for something else/,
    ],
  ])("are refused for %s, naming them as the cause", (_, build, message) => {
    expect(failure(packed(build))).toMatch(message);
  });
});

describe("the initial state", () => {
  const state = (shape: number[]) => (g: GraphWriter) => ["", g.weights(shape, 1)];
  it.each([
    ["one for all", (g: GraphWriter) => ["", g.constant("h0", [1, B, H], [1, 2, 1, 2])], [1, H]],
    ["one for each sequence", state([1, B, H]), [B, H]],
    ["of ones", (g: GraphWriter) => ["", g.constant("h0", [1, B, H], [1, 1, 1, 1])], [1, H]],
  ])("may be constant: %s", async (_, more, shape) => {
    const model = await expectSame(write({}, more));
    const layer = model.layers[0]!;
    expect(layer.op === "gru" && model.tensors[layer.initial!]!.shape).toEqual(shape);
  });

  it("may be learned and expanded to any batch", async () => {
    const more: More = (g) => {
      const [one, two] = [1, 2].map((v) => g.constant(`c${v}`, [1], [v], "int64")) as [string, string];
      const batch = g.node("Slice", [g.node("Shape", ["x"]), one, two]);
      const shape = g.node("Concat", [two, batch, g.constant("size", [1], [H], "int64")], { axis: 0 });
      return ["", g.node("Expand", [g.weights([2, 1, H], 1), shape])];
    };
    const model = await expectSame(write({ direction: "bidirectional" }, more));
    expect(ops(model)).toBe("gru gru concat concat");
    for (const layer of model.layers.slice(0, 2))
      expect(layer.op === "gru" && model.tensors[layer.initial!]!.shape).toEqual([1, H]);
  });

  it("is read for each direction", async () => {
    const model = await expectSame(write({ direction: "bidirectional" }, state([2, B, H])));
    expect(ops(model)).toBe("gru gru concat concat");
    const h0: Feed = { shape: [2, B, H], data: Array.from({ length: 2 * B * H }, (_, i) => i / 8) };
    const input: More = (g) => ["", g.input("h0", [2, "batch", H])];
    expect(ops(await expectSame(write({ direction: "bidirectional" }, input), { h0 }))).toBe(
      "slice gru slice gru concat concat",
    );
  });
});

describe("functions", () => {
  it("take their parameters in order, from those that have them", async () => {
    const activations = ["Tanh", "LeakyRelu", "HARDSIGMOID", "scaledtanh"];
    const attributes = {
      direction: "bidirectional",
      activations,
      activation_alpha: { floats: [0.3, 0.25, 1.5] },
      activation_beta: { floats: [0.4, 0.6] },
    };
    const model = await expectSame(write(attributes));
    expect(model.layers).toMatchObject([
      { gate: { name: "tanh" }, candidate: { name: "leakyRelu", alpha: Math.fround(0.3) } },
      {
        gate: { name: "hardSigmoid", alpha: 0.25, beta: Math.fround(0.4) },
        candidate: { name: "scaledTanh", alpha: 1.5, beta: Math.fround(0.6) },
      },
      {},
      {},
    ]);
  });

  it.each([0, 1])("are limited after the bias, linear_before_reset %d", async (reset) => {
    const model = await expectSame(write({ clip: { float: 0.25 }, linear_before_reset: reset }));
    expect(model.layers[0]).toMatchObject({ clip: 0.25 });
  });
});

describe("layout 1", () => {
  // ONNX Runtime does not have it, so the same network is compared with the batch in the middle.
  it.each(["forward", "bidirectional"])("has the batch first, %s", (direction) => {
    const plain = interpret(importOnnx(write({ direction })), {
      x: { shape: x.shape, data: Array.from(x.data) },
    });
    const turned = new GraphWriter(14, uniform(2));
    const D = direction === "bidirectional" ? 2 : 1;
    turned.input("x", ["batch", T, I]);
    const inputs = ["x", turned.weights([D, 3 * H, I], 1), turned.weights([D, 3 * H, H], 1)];
    for (const y of turned.nodes("GRU", inputs, 2, { direction, hidden_size: H, layout: 1 }))
      turned.output(y);
    const data = Array.from({ length: T * B * I }, (_, i) => {
      const [b, t, k] = [Math.floor(i / (T * I)), Math.floor(i / I) % T, i % I];
      return x.data[(t * B + b) * I + k]!;
    });
    const [y, h] = Object.values(interpret(importOnnx(turned.bytes()), { x: { shape: [B, T, I], data } }));
    const [y0, h0] = Object.values(plain);
    expect([y!.shape, h!.shape]).toEqual([
      [B, T, D, H],
      [B, D, H],
    ]);
    y!.data.forEach((v, i) => {
      const [b, t, d, k] = [
        Math.floor(i / (T * D * H)),
        Math.floor(i / (D * H)) % T,
        Math.floor(i / H) % D,
        i % H,
      ];
      expect(v).toBe(y0!.data[((t * D + d) * B + b) * H + k]);
    });
    h!.data.forEach((v, i) => {
      const [b, d, k] = [Math.floor(i / (D * H)), Math.floor(i / H) % D, i % H];
      expect(v).toBe(h0!.data[(d * B + b) * H + k]);
    });
  });
});
