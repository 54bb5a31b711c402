import { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import {
  evaluate,
  type NodeSpec,
  type OnnxModel,
  runOnnx,
  type TensorSpec,
  writeOnnx,
} from "../testing/index.js";
import { importOnnx } from "./import.js";

const ints = (...data: number[]): TensorSpec => ({ shape: [data.length], data, type: "int64" });
const reals = (shape: number[], f = (i: number) => Math.sin(i + 1)): TensorSpec => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => f(i)),
});

/** A model x [2, 3] -> y of some nodes. */
function model(
  nodes: NodeSpec[],
  initialisers: Record<string, TensorSpec> = {},
  more: Partial<OnnxModel> = {},
) {
  const inputs = [{ name: "x", shape: [2, 3] }];
  return writeOnnx({ inputs, outputs: [{ name: "y", shape: [2, 2] }], nodes, initialisers, ...more });
}

async function expectSame(bytes: Uint8Array, shape = [2, 3]): Promise<string> {
  const description = importOnnx(bytes);
  const x = { shape, data: Array.from(reals(shape, (i) => Math.fround(Math.cos(i))).data) };
  const [expected, found] = [(await runOnnx(bytes, { x })).y!, evaluate(description, { x }).y!];
  expect(found.shape).toEqual(expected.shape);
  expected.data.forEach((v, i) => {
    expect(found.data[i]).toBeCloseTo(v, 5);
  });
  return description.layers.map((l) => l.op).join(" ");
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

describe("dense layers", () => {
  const A = reals([3, 2]);
  it("reads Gemm's factors and orientation", async () => {
    const node = { op: "Gemm", inputs: ["x", "A", "b"], outputs: ["y"] };
    const attributes = { alpha: { float: 0.5 }, beta: { float: 3 } };
    for (const b of [reals([2]), reals([1]), reals([]), reals([1, 2])]) {
      expect(await expectSame(model([{ ...node, attributes }], { A, b }))).toBe("dense");
      await expectSame(model([{ ...node, attributes: { transB: 1 } }], { A: reals([2, 3]), b }));
    }
    const odd = { ...node, name: "g" };
    expect(failure(model([odd], { A, b: reals([3]) }))).toMatch(
      /bad-model.*"g" \(Gemm\).*don't fit together/,
    );
  });

  it("fuses a bias on either side, and two of them", async () => {
    const product = { op: "MatMul", inputs: ["x", "A"], outputs: ["p"] };
    const initialisers = { A, b: reals([2]), c: reals([1, 2]) };
    const add = (...inputs: string[]) => ({ op: "Add", inputs, outputs: ["y"] });
    expect(await expectSame(model([product, add("p", "b")], initialisers))).toBe("dense");
    expect(await expectSame(model([product, add("c", "p")], initialisers))).toBe("dense");
    const twice = [product, { ...add("p", "b"), outputs: ["q"] }, add("c", "q")];
    expect(await expectSame(model(twice, initialisers))).toBe("dense");
  });

  it("keeps the product where it is read too", async () => {
    const nodes: NodeSpec[] = [
      { op: "MatMul", inputs: ["x", "A"], outputs: ["p"] },
      { op: "Add", inputs: ["p", "b"], outputs: ["q"] },
      { op: "Concat", inputs: ["p", "q"], outputs: ["y"], attributes: { axis: 1 } },
    ];
    const outputs = [{ name: "y", shape: [2, 4] }];
    expect(await expectSame(model(nodes, { A, b: reals([2]) }, { outputs }))).toBe("dense dense concat");
  });

  it("refuses weights that are not constant", () => {
    const nodes: NodeSpec[] = [
      { op: "Tanh", inputs: ["x"], outputs: ["t"] },
      { op: "Gemm", name: "n", inputs: ["x", "t"], outputs: ["y"] },
    ];
    expect(failure(model(nodes))).toMatch(/unsupported.*"n" \(Gemm\).*"t" is not constant.*export/);
  });
});

describe("views", () => {
  it("reads parameters as attributes and as inputs", async () => {
    const old: NodeSpec[] = [
      { op: "Unsqueeze", inputs: ["x"], outputs: ["a"], attributes: { axes: [0] } },
      { op: "Slice", inputs: ["a"], outputs: ["b"], attributes: { starts: [-2], ends: [99], axes: [2] } },
      { op: "Squeeze", inputs: ["b"], outputs: ["y"], attributes: { axes: [0] } },
    ];
    expect(await expectSame(model(old, {}, { opset: 9 }))).toBe("unsqueeze slice squeeze");
    const recent: NodeSpec[] = [
      { op: "Unsqueeze", inputs: ["x", "zero"], outputs: ["a"] },
      { op: "Slice", inputs: ["a", "two", "end", "axis"], outputs: ["b"] },
      { op: "Squeeze", inputs: ["b", "zero"], outputs: ["y"] },
    ];
    const parameters = { zero: ints(0), two: ints(-2), end: ints(99), axis: ints(2) };
    expect(await expectSame(model(recent, parameters))).toBe("unsqueeze slice squeeze");
  });

  it("splits into slices", async () => {
    const split = { op: "Split", inputs: ["x", "sizes"], outputs: ["a", "y"], attributes: { axis: 1 } };
    expect(await expectSame(model([split], { sizes: ints(1, 2) }))).toBe("slice");
  });

  it("passes shapes of open sizes on, and counts with them", async () => {
    const nodes: NodeSpec[] = [
      { op: "Shape", inputs: ["x"], outputs: ["s"] },
      { op: "Gather", inputs: ["s", "last"], outputs: ["d"] },
      { op: "Add", inputs: ["d", "one"], outputs: ["e"] },
      { op: "Div", inputs: ["e", "two"], outputs: ["f"] },
      { op: "Cast", inputs: ["f"], outputs: ["g"], attributes: { to: 7 } },
      { op: "Concat", inputs: ["g", "open"], outputs: ["t"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["x", "t"], outputs: ["y"] },
    ];
    const parameters = { last: ints(-1), one: ints(1), two: ints(2), open: ints(-1) };
    const inputs = [{ name: "x", shape: ["n", "m"] }];
    const outputs = [{ name: "y", shape: ["p", "q"] }];
    const bytes = model(nodes, parameters, { inputs, outputs });
    expect(await expectSame(bytes, [4, 3])).toBe("shape gather add div concat reshape");
  });

  it("copies an output that is another name only where it must", () => {
    const nodes: NodeSpec[] = [
      { op: "Tanh", inputs: ["x"], outputs: ["a"] },
      { op: "Identity", inputs: ["a"], outputs: ["b"] },
      { op: "Dropout", inputs: ["b"], outputs: ["y", "mask"], attributes: { ratio: { float: 0.5 } } },
    ];
    const ops = (bytes: Uint8Array) => importOnnx(bytes).layers.map((l) => l.op);
    expect(ops(model(nodes, {}, { opset: 11 }))).toEqual(["activation", "identity"]);
    nodes[0] = { op: "Softmax", inputs: ["x"], outputs: ["a"], attributes: { axis: -1 } };
    expect(ops(model(nodes, {}, { opset: 11 }))).toEqual(["softmax"]);
  });

  it("does not publish weights as constants", () => {
    const join = { op: "Concat", inputs: ["x", "c"], outputs: ["y"], attributes: { axis: 0 } };
    const joined = importOnnx(model([join], { c: reals([1, 3]) }));
    expect(Object.values(joined.tensors)).toMatchObject([{ shape: [1, 3] }]);
    expect(Object.values(joined.constants).every((c) => c.data.every(Number.isInteger))).toBe(true);
    const nodes: NodeSpec[] = [
      { op: "Shape", inputs: ["x"], outputs: ["s"] },
      { op: "Expand", inputs: ["c", "s"], outputs: ["e"] },
      { op: "Shape", inputs: ["e"], outputs: ["t"] },
      { op: "Reshape", inputs: ["x", "t"], outputs: ["y"] },
    ];
    const inputs = [{ name: "x", shape: ["n", "m"] }];
    const bytes = model(nodes, { c: reals([1, 3]) }, { inputs });
    expect(failure(bytes)).toMatch(/unsupported.*have to be made public/);
  });
});

describe("recurrent layers", () => {
  const weights = { W: reals([1, 6, 3]), R: reals([1, 6, 2]), B: reals([1, 12]) };
  const inputs = [{ name: "x", shape: [4, 2, 3] }];
  const outputs = [{ name: "y", shape: [4, 1, 2, 2] }];
  const gru = (attributes: NodeSpec["attributes"] = {}, more: string[] = [], changed = {}) =>
    model(
      [
        {
          op: "GRU",
          name: "g",
          inputs: ["x", "W", "R", "B", ...more],
          outputs: ["y"],
          attributes: { hidden_size: 2, ...attributes },
        },
      ],
      { ...weights, ...changed },
      { inputs, outputs },
    );

  it("takes spelled-out defaults and a constant zero state", async () => {
    const zero = { h0: reals([1, 2, 2], () => 0) };
    const attributes = { direction: "forward", activations: ["Sigmoid", "Tanh"] };
    expect(await expectSame(gru(attributes, ["", "h0"], zero), [4, 2, 3])).toBe("gru");
  });

  it.each([
    [gru({ direction: "sideways" }), /bad-model.*direction is "sideways"; there are forward, reverse/],
    [gru({ clip: { float: -3 } }), /bad-model.*clip should be positive/],
    [
      gru({ activations: ["Sigmoid", "Gelu"] }),
      /unsupported.*"Gelu" is not supported; supported are sigmoid/,
    ],
    [gru({ activations: ["Sigmoid"] }), /bad-model.*activations should be 2/],
    [
      gru({ activations: ["Sigmoid", "ThresholdedRelu"] }),
      /unsupported.*has no alpha.*give activation_alpha/,
    ],
    [gru({ layout: 2 }), /bad-model.*layout should be 0 or 1/],
    [gru({ fancy: 1 }), /unsupported.*"g" \(GRU\).*"fancy".*supported are/],
    [
      gru({}, ["lengths"], { lengths: ints(4, 4, 4) }),
      /bad-model.*sequence_lens has shape \[3\], expected \[2\]/,
    ],
    [gru({}, ["lengths"], { lengths: ints(4, 5) }), /bad-model.*lengths outside 0 \.\. 4/],
    [gru({}, ["", "h0"], { h0: reals([2, 2, 2], () => 0) }), /bad-model.*expected \[1,2,2\]/],
    [gru({}, ["", "h0"], { h0: reals([1, 3, 2]) }), /bad-model.*h has shape \[1,3,2\], expected/],
    [
      gru({ direction: "bidirectional" }),
      /bad-model.*W has shape \[1,6,3\], expected \[2,6,3\].*two directions/,
    ],
    [gru({ hidden_size: 3 }), /bad-model.*hidden_size is 3/],
    [gru({ hidden_size: "2" }), /bad-model.*"hidden_size" should be of type integer/],
    [gru({}, [], { W: reals([1, 5, 3]) }), /bad-model.*W has shape \[1,5,3\], expected \[1,6,3\]/],
    [gru({}, [], { B: reals([1, 6]) }), /bad-model.*B has shape/],
    [gru({}, [], { B: reals([1, 12], () => Number.NaN) }), /bad-model.*"B" holds NaN/],
  ])("refuses what it does not do (%#)", (bytes, message) => {
    expect(failure(bytes)).toMatch(message);
  });
});

describe("graphs", () => {
  const tanh = (from: string, to: string): NodeSpec => ({
    op: "Tanh",
    name: to,
    inputs: [from],
    outputs: [to],
  });

  it("sorts nodes and leaves out dead ones", () => {
    const strange: NodeSpec = { op: "Einsum", inputs: ["x"], outputs: ["z"] };
    const layers = importOnnx(model([tanh("a", "y"), strange, tanh("x", "a")])).layers;
    expect(layers.map((l) => l.name)).toEqual(["a", "y"]);
  });

  it.each([
    [model([tanh("b", "a"), tanh("a", "b"), tanh("b", "y")]), /bad-model.*depends on its own result/],
    [model([tanh("y", "y")]), /bad-model.*depends on its own result/],
    [model([tanh("nowhere", "y")]), /bad-model.*"nowhere", which nothing defines/],
    [model([tanh("x", "y"), tanh("x", "y")]), /bad-model.*"y" is defined twice/],
    [model([tanh("x", "x")]), /bad-model.*"x" is defined twice/],
    [model([tanh("x", "z")]), /bad-model.*no node computes.*"y"/],
    [model([tanh("x", "y")], {}, { outputs: [] }), /bad-model.*no outputs/],
    [model([], { y: reals([2]) }), /unsupported.*"y" does not depend on/],
    [model([tanh("x", "y")], {}, { opset: 26 }), /unsupported.*operator set 26; supported are 7 to 25/],
    [model([{ ...tanh("x", "y"), domain: "com.microsoft" }]), /unsupported.*"com.microsoft"/],
    [model([{ ...tanh("x", "y"), op: "LSTM" }]), /unsupported.*"y" \(LSTM\).*supported are.*GRU/],
    [
      model([tanh("x", "y")], {}, { inputs: [{ name: "x", shape: [2], type: "int64" }] }),
      /unsupported.*real input/,
    ],
    [
      model([{ op: "Softmax", inputs: ["x"], outputs: ["s"] }, tanh("s", "y")]),
      /unsupported.*softmax or an ArgMax, which is supported only at the model's end/,
    ],
    [
      model(
        [{ op: "Softmax", name: "s", inputs: ["x"], outputs: ["y"], attributes: { axis: 0 } }],
        {},
        { opset: 11 },
      ),
      /unsupported.*axis = 0.*opset_version=13/,
    ],
  ])("says what is wrong (%#)", (bytes, message) => {
    expect(failure(bytes)).toMatch(message);
  });

  it("gives names of its own to sizes without one", () => {
    const inputs = [{ name: "x", shape: ["", 0, 3] }];
    expect(importOnnx(model([tanh("x", "y")], {}, { inputs })).inputs[0]!.shape).toEqual(["x.0", "x.1", 3]);
  });

  it("copes with names from Object.prototype", () => {
    const nodes: NodeSpec[] = [
      { op: "MatMul", name: "__proto__", inputs: ["x", "constructor"], outputs: ["__proto__"] },
      { op: "Reshape", inputs: ["__proto__", "toString"], outputs: ["y"] },
    ];
    const found = importOnnx(model(nodes, { constructor: reals([3, 2]), toString: ints(4) } as never));
    expect(Object.keys(found.constants)).toEqual(["toString"]);
    expect(Object.hasOwn(found.tensors, "valueOf")).toBe(false);
  });
});
