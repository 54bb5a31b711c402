import { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { type AttributeValue, evaluate, GraphWriter, interpret, runOnnx, uniform } from "../testing/index.js";
import { importOnnx } from "./import.js";

type Build = (g: GraphWriter) => string;

/** A model of one input x, of this shape, and the result of `build`. */
function write(shape: (number | string)[], opset: number, build: Build): Uint8Array {
  const g = new GraphWriter(opset, uniform(5));
  g.input("x", shape);
  g.output(build(g));
  return g.bytes();
}

const sizes: Record<string, number> = { batch: 2, time: 5 };

/** Compares with ONNX Runtime. @returns the operators of the description. */
async function expectSame(bytes: Uint8Array, scale = 3): Promise<string> {
  const model = importOnnx(bytes);
  const random = uniform(9);
  const feeds = Object.fromEntries(
    model.inputs.map(({ name, shape }) => {
      const fixed = shape.map((d) => (typeof d === "number" ? d : sizes[d]!));
      const data = Array.from({ length: fixed.reduce((a, b) => a * b, 1) }, () =>
        Math.fround(scale * random()),
      );
      return [name, { shape: fixed, data }];
    }),
  );
  const expected = Object.values(await runOnnx(bytes, feeds))[0]!;
  for (const meaning of [interpret(model, feeds), evaluate(model, feeds, { range: scale })]) {
    const found = Object.values(meaning)[0]!;
    expect(found.shape).toEqual(expected.shape);
    expected.data.forEach((v, i) => {
      expect(found.data[i]).toBeCloseTo(v, 4);
    });
  }
  return model.layers.map((l) => l.op).join(" ");
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

const reals = (g: GraphWriter, ...shape: number[]) => g.weights(shape, 1);
const ints = (g: GraphWriter, ...data: number[]) => g.constant(`ints${data}`, [data.length], data, "int64");
const scalar = (g: GraphWriter, value: number) => g.constant(`scalar${value}`, [], [value]);
const index = (g: GraphWriter, value: number) => g.constant(`index${value}`, [], [value], "int64");
const node =
  (op: string, ...shape: number[]): Build =>
  (g) =>
    g.node(op, ["x", reals(g, ...shape)]);
const turned =
  (op: string, ...shape: number[]): Build =>
  (g) =>
    g.node(op, [reals(g, ...shape), "x"]);

describe("arithmetic", () => {
  const x = ["batch", 4, 3];
  it.each<[string, (number | string)[], Build, string]>([
    ["adds a constant", x, node("Add", 3), "affine"],
    ["adds a column", x, node("Add", 4, 1), "affine"],
    ["adds a number", x, (g) => g.node("Add", ["x", scalar(g, 2)]), "affine"],
    ["subtracts", x, node("Sub", 1, 4, 3), "affine"],
    ["subtracts from a constant", x, turned("Sub", 3), "sum affine"],
    ["multiplies", x, turned("Mul", 4, 3), "affine"],
    ["divides", x, node("Div", 3), "affine"],
    ["broadcasts to more axes", [3], node("Add", 1, 3), "expand affine"],
    ["broadcasts to larger ones", [2, 1], node("Mul", 4, 1, 3), "expand affine"],
    ["broadcasts an open axis", ["batch", 3], node("Sub", 2, 3), "expand affine"],
    ["negates", x, (g) => g.node("Neg", ["x"]), "sum"],
    ["squares", x, (g) => g.node("Pow", ["x", scalar(g, 2)]), "product"],
    ["cubes", x, (g) => g.node("Pow", ["x", scalar(g, 3)]), "product product"],
    ["adds private values", x, (g) => g.node("Add", ["x", g.node("Tanh", ["x"])]), "activation sum"],
    ["subtracts private values", x, (g) => g.node("Sub", ["x", g.node("Tanh", ["x"])]), "activation sum"],
    [
      "multiplies private values",
      x,
      (g) => g.node("Mul", ["x", g.node("Sigmoid", ["x"])]),
      "activation product",
    ],
    [
      "broadcasts private values",
      x,
      (g) => g.node("Add", ["x", g.reduce("ReduceSum", "x", [1], 1)]),
      "reduce sum",
    ],
    ["takes the larger", x, (g) => g.node("Max", ["x", g.node("Neg", ["x"])]), "sum sum activation sum"],
    ["takes the smaller", x, (g) => g.node("Min", ["x", scalar(g, 0.5)]), "affine activation sum"],
    [
      "folds what is constant",
      x,
      (g) => {
        const deviation = g.node("Sqrt", [
          g.node("Add", [g.constant("variance", [3], [1, 2, 3]), scalar(g, 0.1)]),
        ]);
        return g.node("Div", [g.node("Sub", ["x", reals(g, 3)]), deviation]);
      },
      "affine affine",
    ],
    [
      "adds ones of open sizes",
      x,
      (g) => {
        const ones = { value: { tensor: { shape: [1], data: [1] } } };
        return g.node("Add", ["x", g.node("ConstantOfShape", [g.node("Shape", ["x"])], ones)]);
      },
      "affine",
    ],
  ])("%s", async (_, shape, build, ops) => {
    expect(await expectSame(write(shape, 13, build))).toBe(ops);
  });

  it.each<[string, Build, RegExp]>([
    ["division", turned("Div", 3), /unsupported.*division by a private value/],
    ["zero", (g) => g.node("Div", ["x", scalar(g, 0)]), /bad-model.*which has a zero/],
    ["shapes", node("Add", 2), /bad-model.*don't fit together/],
    ["powers", (g) => g.node("Pow", ["x", scalar(g, 0.5)]), /unsupported.*exponent is 0.5; supported are/],
    ["roots", (g) => g.node("Sqrt", ["x"]), /unsupported.*only on constants/],
    [
      "sizes",
      (g) => {
        const batch = g.node("Cast", [g.node("Gather", [g.node("Shape", ["x"]), index(g, 0)])], { to: 1 });
        return g.node("Div", ["x", batch]);
      },
      /unsupported.*known only when the model runs.*fixed sizes/,
    ],
  ])("refuses %s", (_, build, message) => {
    expect(failure(write(x, 13, build))).toMatch(message);
  });
});

describe("products with matrices", () => {
  const gemm =
    (first: number[] | undefined, second: number[] | undefined, attributes: object, C?: number[]): Build =>
    (g) => {
      const operands = [first, second].map((s) => (s ? reals(g, ...s) : "x"));
      return g.node("Gemm", [...operands, ...(C ? [reals(g, ...C)] : [])], attributes as never);
    };
  it.each<[string, (number | string)[], Build, string]>([
    ["Gemm, x transposed", [3, 4], gemm(undefined, [3, 2], { transA: 1 }, [2]), "transpose dense"],
    [
      "Gemm, constant on the left",
      [3, 4],
      gemm([5, 3], undefined, {}, [4]),
      "transpose dense transpose affine",
    ],
    [
      "Gemm, both transposed",
      [4, 3],
      gemm([3, 5], undefined, { transA: 1, transB: 1, alpha: { float: 2 } }),
      "dense transpose",
    ],
    ["Gemm, a full bias", [2, 3], gemm(undefined, [3, 2], { beta: { float: 3 } }, [2, 2]), "dense affine"],
    [
      "Gemm, a private bias",
      [3, 3],
      (g) => g.node("Gemm", ["x", reals(g, 3, 3), "x"], { beta: { float: 2 } }),
      "dense affine sum",
    ],
    ["MatMul, batched", ["batch", 4, 3], node("MatMul", 3, 2), "dense"],
    ["MatMul, matrix with an axis of size 1", ["batch", 4, 3], node("MatMul", 1, 3, 2), "dense"],
    ["MatMul, a vector", ["batch", 4, 3], node("MatMul", 3), "dense squeeze"],
    ["MatMul, constant on the left", ["batch", 4, 3], turned("MatMul", 5, 4), "transpose dense transpose"],
    ["MatMul, of a vector", [3], turned("MatMul", 5, 3), "dense"],
  ])("%s", async (_, shape, build, ops) => {
    expect(await expectSame(write(shape, 13, build))).toBe(ops);
  });

  it("refuses products of private values and batches of matrices", () => {
    const square: Build = (g) => g.node("MatMul", ["x", g.transpose("x", [1, 0])]);
    expect(failure(write([3, 3], 13, square))).toMatch(/unsupported.*both operands are private \(attention/);
    expect(failure(write([2, 3, 3], 13, node("MatMul", 2, 3, 3)))).toMatch(
      /unsupported.*supported are matrices/,
    );
  });
});

describe("functions", () => {
  it.each<[string, object, number]>([
    ["Relu", {}, 13],
    ["Sigmoid", {}, 13],
    ["Tanh", {}, 7],
    ["HardSigmoid", {}, 13],
    ["HardSigmoid", { alpha: { float: 0.4 }, beta: { float: 0.3 } }, 13],
    ["LeakyRelu", {}, 13],
    ["LeakyRelu", { alpha: { float: 0.3 } }, 9],
    ["Elu", {}, 13],
    ["Elu", { alpha: { float: 0.3 } }, 13],
    ["Softsign", {}, 13],
    ["Softplus", {}, 13],
    ["ThresholdedRelu", {}, 13],
    ["ThresholdedRelu", { alpha: { float: 0.5 } }, 13],
    ["Clip", { min: { float: -1 }, max: { float: 2 } }, 9],
    ["Clip", { min: { float: 0 }, max: { float: 3.4e38 } }, 9],
    ["Softmax", { axis: -1 }, 13],
    ["LogSoftmax", { axis: 1 }, 11],
  ])("%s %j", async (op, attributes, opset) => {
    const bytes = write([4, 3], opset, (g) => g.node(op, ["x"], attributes as never));
    expect(await expectSame(bytes)).toMatch(/^(activation|softmax|logSoftmax)$/);
  });

  it.each<[string, Build, number]>([
    ["Abs", (g) => g.node("Abs", ["x"]), 9],
    ["HardSwish", (g) => g.node("HardSwish", ["x"]), 14],
    ["Selu", (g) => g.node("Selu", ["x"]), 9],
    [
      "Selu with parameters",
      (g) => g.node("Selu", ["x"], { alpha: { float: 0.7 }, gamma: { float: 1.5 } }),
      9,
    ],
    ["Sum of three", (g) => g.node("Sum", ["x", reals(g, 3), g.node("Tanh", ["x"])]), 9],
    ["Sum of one", (g) => g.node("Tanh", [g.node("Sum", ["x"])]), 9],
    ["Tile of an axis of size 1", (g) => g.node("Tile", ["x", ints(g, 1, 4, 1)]), 13],
  ])("%s, made of others", async (_name, build, opset) => {
    await expectSame(write(["batch", 1, 3], opset, build));
  });

  it("refuses Tile of an axis that is longer, or that the run chooses", () => {
    for (const shape of [
      [2, 1, 3],
      ["batch", 1, 3],
    ])
      expect(failure(write(shape, 13, (g) => g.node("Tile", ["x", ints(g, 2, 1, 1)])))).toMatch(
        /unsupported.*it repeats "x" along an axis that is longer than 1, or unknown/,
      );
  });

  it("limits by one or two constants", async () => {
    const clip = (...limits: ((g: GraphWriter) => string)[]) =>
      write([4, 3], 13, (g) => g.node("Clip", ["x", ...limits.map((l) => l(g))]));
    const none = () => "";
    expect(
      await expectSame(
        clip(
          (g) => scalar(g, -1),
          (g) => scalar(g, 1.5),
        ),
      ),
    ).toBe("activation");
    expect(await expectSame(clip((g) => scalar(g, 0)))).toBe("activation");
    expect(await expectSame(clip((g) => scalar(g, 0.5)))).toBe("affine activation affine");
    expect(await expectSame(clip(none, (g) => scalar(g, 0.5)))).toBe("sum affine activation sum affine");
    expect(failure(clip(() => "x"))).toMatch(/unsupported.*min "x" is not a constant number/);
  });

  it("reads PRelu with one slope, and the logarithm of a softmax", async () => {
    const slope: Build = (g) => g.node("PRelu", ["x", g.constant("slope", [1], [0.2])]);
    expect(await expectSame(write([4, 3], 13, slope))).toBe("activation");
    const log: Build = (g) => g.node("Log", [g.node("Softmax", ["x"])]);
    expect(await expectSame(write([4, 3], 13, log))).toBe("logSoftmax");
  });
});

describe("the model's end", () => {
  const softmax = (g: GraphWriter, axis = -1) => g.node("Softmax", ["x"], { axis });
  // the graphs that we write declare outputs of reals
  const real = (g: GraphWriter, value: string) => g.node("Cast", [value], { to: 1 });
  it.each<[string, Build, string]>([
    ["one of a softmax", (g) => g.node("Gather", [softmax(g), index(g, 1)], { axis: 2 }), "softmax gather"],
    [
      "a softmax's last step",
      (g) => g.node("Slice", [softmax(g), ints(g, -1), ints(g, 9), ints(g, 1)]),
      "softmax slice",
    ],
    ["a softmax of other axes", (g) => g.node("Transpose", [softmax(g, 1)]), "softmax transpose"],
    ["ArgMax", (g) => real(g, g.node("ArgMax", ["x"], { axis: -1, keepdims: 0 })), "argMax"],
    [
      "ArgMax of a softmax, kept",
      (g) => real(g, g.node("ArgMax", [softmax(g)], { axis: 2 })),
      "softmax argMax",
    ],
    [
      "ArgMax, moved and converted",
      (g) => {
        const most = g.node("ArgMax", ["x"], { axis: 1 });
        return real(g, g.node("Squeeze", [g.node("Cast", [most], { to: 6 }), ints(g, 1)]));
      },
      "argMax squeeze",
    ],
  ])("%s", async (_, build, ops) => {
    expect(await expectSame(write(["batch", 4, 3], 13, build))).toBe(ops);
  });

  it("is the end", () => {
    const after = (op: string, ...more: string[]) =>
      failure(write([2, 3], 13, (g) => g.node(op, [g.node("ArgMax", ["x"]), ...more])));
    expect(after("Tanh")).toMatch(
      /unsupported.*a softmax or an ArgMax, which is supported only at the model/,
    );
    const last = (g: GraphWriter) => g.node("ArgMax", ["x"], { select_last_index: 1 });
    expect(failure(write([2, 3], 13, last))).toMatch(/unsupported.*select_last_index = 1/);
  });
});

describe("normalisation, reduction, pooling", () => {
  const reduce = (
    op: "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin",
    axes: number[],
    keep = 0,
  ): Build => {
    return (g) => g.reduce(op, "x", axes, keep);
  };
  it.each<[string, (number | string)[], Build, string, number?]>([
    ["BatchNormalization of rows", ["batch", 3], (g) => g.batchNorm("x", 3), "affine"],
    ["BatchNormalization over time", ["batch", 3, "time"], (g) => g.batchNorm("x", 3), "affine"],
    ["ReduceMean", ["batch", "time", 3], reduce("ReduceMean", [1]), "reduce"],
    ["ReduceMean, axes as input", ["batch", "time", 3], reduce("ReduceMean", [-2], 1), "reduce", 18],
    ["ReduceSum", ["batch", "time", 3], reduce("ReduceSum", [0, 2]), "reduce"],
    ["ReduceMax", ["batch", "time", 3], reduce("ReduceMax", [1]), "reduce"],
    ["ReduceMin", ["batch", "time", 3], reduce("ReduceMin", [1]), "sum reduce sum"],
    [
      "a sum divided by the open size",
      ["batch", "time", 3],
      (g) => {
        const steps = g.node("Cast", [g.node("Gather", [g.node("Shape", ["x"]), index(g, 1)])], { to: 1 });
        return g.node("Div", [g.reduce("ReduceSum", "x", [1]), steps]);
      },
      "reduce",
    ],
    ["ReduceMean of all", ["batch", 3], (g) => g.node("ReduceMean", ["x"]), "reduce"],
    [
      "ReduceSum of nothing",
      [2, 3],
      (g) =>
        g.node("Tanh", [
          g.node("ReduceSum", ["x", g.constant("none", [0], [], "int64")], { noop_with_empty_axes: 1 }),
        ]),
      "activation",
    ],
    ["GlobalAveragePool", ["batch", 3, "time"], (g) => g.node("GlobalAveragePool", ["x"]), "reduce"],
    ["GlobalMaxPool", ["batch", 3, "time", 2], (g) => g.node("GlobalMaxPool", ["x"]), "reduce"],
  ])("%s", async (_, shape, build, ops, opset) => {
    expect(await expectSame(write(shape, opset ?? 13, build))).toBe(ops);
  });

  it.each(["InstanceNormalization", "GatherND", "LSTM"])("refuses %s", (op) => {
    expect(failure(write([2, 3, 4], 13, (g) => g.node(op, ["x"])))).toMatch(
      new RegExp(`unsupported.*${op}\\).*(not supported).*(;|supported are)`),
    );
  });
});

describe("pooling in windows", () => {
  const pool =
    (op: string, attributes: Record<string, number[]> = {}): Build =>
    (g) =>
      g.node(op, ["x"], attributes);
  it.each<[string, (number | string)[], Build]>([
    ["maximum", ["batch", 3, "time"], pool("MaxPool", { kernel_shape: [2], strides: [2] })],
    ["overlapping", ["batch", 3, "time"], pool("MaxPool", { kernel_shape: [3], strides: [2], pads: [0, 0] })],
    ["with holes", [2, 3, 9], pool("MaxPool", { kernel_shape: [3], dilations: [2] })],
    ["mean", ["batch", 3, "time"], pool("AveragePool", { kernel_shape: [2], strides: [2] })],
    ["mean of all", [2, 3, 4], pool("AveragePool", { kernel_shape: [4] })],
    ["mean of all of many", [1, 1, 300], pool("AveragePool", { kernel_shape: [300] })],
    ["of one step", [2, 3, 4], pool("MaxPool", { kernel_shape: [1], strides: [3] })],
  ])("%s", async (_name, shape, build) => {
    for (const opset of [11, 17]) await expectSame(write(shape, opset, build));
  });

  it("of what an increasing function gives is computed before the function, which then tells equal numbers apart", async () => {
    const after =
      (op: string, attributes: Record<string, AttributeValue>): Build =>
      (g) =>
        g.node("MaxPool", [g.node(op, ["x"], attributes)], { kernel_shape: [2], strides: [2] });
    const shape = ["batch", 3, "time"];
    const pooled = "slice unsqueeze slice unsqueeze concat reduce";
    expect(await expectSame(write(shape, 17, after("Relu", {})))).toBe(`${pooled} activation`);
    const falling = after("LeakyRelu", { alpha: { float: -0.5 } });
    expect(await expectSame(write(shape, 17, falling))).toBe(`activation ${pooled}`);
  });

  it.each<[string, (number | string)[], string, Record<string, AttributeValue>, RegExp]>([
    ["padding", [1, 2, 5], "MaxPool", { pads: [1, 1] }, /it pads its input/],
    ["padding by name", [1, 2, 5], "AveragePool", { auto_pad: "SAME_UPPER" }, /it pads its input/],
    ["parts of windows", [1, 2, 5], "MaxPool", { ceil_mode: 1 }, /ceil_mode/],
    ["two axes", [1, 2, 5, 5], "MaxPool", { kernel_shape: [2, 2] }, /one axis/],
    ["images", [1, 2, 5, 5], "MaxPool", {}, /supported is pooling along one axis/],
    ["no steps", [1, 2, 1], "MaxPool", {}, /bad-model.*windows span 2 steps, but its input has 1/],
    ["no stride", [1, 2, 5], "MaxPool", { strides: [0] }, /bad-model.*impossible/],
    ["large windows", [1, 2, 5000], "MaxPool", { kernel_shape: [4000] }, /4000 steps/],
  ])("%s: refused", (_name, shape, op, attributes, message) => {
    const build: Build = (g) => g.node(op, ["x"], { kernel_shape: [2], ...attributes });
    expect(failure(write(shape, 13, build))).toMatch(message);
  });
});

describe("branches", () => {
  const wanted = (g: GraphWriter, size: number) =>
    g.node("Equal", [g.node("Gather", [g.node("Shape", ["x"]), ints(g, 1)]), ints(g, size)]);
  const body = (op: string, read = "x"): AttributeValue => ({
    graph: { inputs: [], outputs: [{ name: "taken" }], nodes: [{ op, inputs: [read], outputs: ["taken"] }] },
  });
  const choice =
    (size: number, then_branch: AttributeValue): Build =>
    (g) =>
      g.node("If", [wanted(g, size)], { then_branch, else_branch: body("Tanh") });

  it("that are known to be taken are the model", async () => {
    expect(await expectSame(write(["batch", 3], 13, choice(3, body("Sigmoid"))))).toBe("activation identity");
    expect(await expectSame(write(["batch", 3], 13, choice(4, body("Sin"))))).toBe("activation identity");
    const nested = choice(3, {
      graph: {
        inputs: [],
        outputs: [{ name: "taken" }],
        initialisers: { yes: { shape: [], data: [1], type: "bool" }, two: { shape: [], data: [2] } },
        nodes: [
          { op: "Mul", inputs: ["x", "two"], outputs: ["twice"] },
          {
            op: "If",
            inputs: ["yes"],
            outputs: ["taken"],
            attributes: { then_branch: body("Relu", "twice"), else_branch: body("Tanh") },
          },
        ],
      },
    });
    expect(await expectSame(write(["batch", 3], 13, nested))).toBe("affine activation identity");
  });

  it("may use the names of another one, also for what a branch inside of them reads", async () => {
    const doubled = (factor: number): AttributeValue => ({
      graph: {
        inputs: [],
        outputs: [{ name: "taken" }],
        initialisers: { yes: { shape: [], data: [1], type: "bool" }, by: { shape: [], data: [factor] } },
        nodes: [
          { op: "Mul", inputs: ["x", "by"], outputs: ["product"] },
          {
            op: "If",
            inputs: ["yes"],
            outputs: ["taken"],
            attributes: { then_branch: inside, else_branch: inside },
          },
        ],
      },
    });
    const inside: AttributeValue = {
      graph: {
        inputs: [],
        outputs: [{ name: "inside" }],
        nodes: [{ op: "Relu", inputs: ["product"], outputs: ["inside"] }],
      },
    };
    const both: Build = (g) => g.node("Add", [choice(3, doubled(2))(g), choice(3, doubled(-3))(g)]);
    await expectSame(write(["batch", 3], 13, both));
  });

  it("are refused where the run decides, or where they are damaged", () => {
    const branches = { then_branch: body("Relu"), else_branch: body("Tanh") };
    const open = write(["batch", 3], 13, (g) => g.node("If", ["x"], branches));
    expect(failure(open)).toMatch(/unsupported.*\(If\).*conditions.*tracing/);
    const bad = (then_branch: AttributeValue) => failure(write(["batch", 3], 13, choice(3, then_branch)));
    expect(bad(body("Relu", "nowhere"))).toMatch(/bad-model.*"nowhere", which nothing defines/);
    expect(bad(body("LSTM"))).toMatch(/unsupported.*"If\S*\.LSTM_0" \(LSTM\)/i);
    expect(bad({ graph: { inputs: [], outputs: [], nodes: [] } })).toMatch(/bad-model.*0 outputs; expected/);
    expect(bad({ graph: { inputs: [], outputs: [{ name: "missing" }], nodes: [] } })).toMatch(/bad-model/);
    expect(failure(write([3, 3], 13, (g) => g.node("If", [wanted(g, 3)])))).toMatch(
      /bad-model.*no then_branch/,
    );
  });
});

describe("convolutions", () => {
  const conv = (W: number[], attributes: object = {}, bias = true): Build => {
    return (g) =>
      g.node("Conv", ["x", reals(g, ...W), ...(bias ? [reals(g, W[0]!)] : [])], attributes as never);
  };
  const [x, wide] = [
    ["batch", 4, 9],
    ["batch", 4, 10],
  ];
  it.each<[string, (number | string)[], Build, string]>([
    ["plain", x, conv([5, 4, 3]), "conv1d"],
    ["of open length", ["batch", 4, "time"], conv([5, 4, 3], { pads: [1, 1] }, false), "conv1d"],
    ["strides and pads", x, conv([5, 4, 3], { strides: [2], pads: [2, 0], kernel_shape: [3] }), "conv1d"],
    ["dilations", x, conv([5, 4, 3], { dilations: [3] }), "conv1d"],
    ["groups", x, conv([6, 2, 3], { group: 2 }), "conv1d"],
    ["depthwise", x, conv([4, 1, 2], { group: 4 }), "conv1d"],
    ["SAME_UPPER", x, conv([5, 4, 4], { auto_pad: "SAME_UPPER" }), "conv1d"],
    ["SAME_LOWER", wide, conv([5, 4, 2], { auto_pad: "SAME_LOWER", strides: [3] }), "conv1d"],
    ["SAME_UPPER with strides", wide, conv([5, 4, 3], { auto_pad: "SAME_UPPER", strides: [2] }), "conv1d"],
    ["VALID", x, conv([5, 4, 2], { auto_pad: "VALID" }), "conv1d"],
    [
      "an axis of size 1 last",
      ["batch", 4, "time", 1],
      conv([5, 4, 3, 1], { pads: [1, 0, 1, 0] }),
      "squeeze conv1d unsqueeze",
    ],
    [
      "an axis of size 1 first",
      ["batch", 4, 1, 9],
      conv([4, 2, 1, 3], { group: 2, strides: [1, 2] }),
      "squeeze conv1d unsqueeze",
    ],
    [
      "a kernel over all features",
      ["batch", 2, "time", 6],
      conv([3, 2, 2, 6]),
      "transpose reshape conv1d unsqueeze",
    ],
    [
      "a kernel over all features, first",
      ["batch", 2, 6, 7],
      conv([3, 2, 6, 2], { dilations: [1, 2] }),
      "reshape conv1d unsqueeze",
    ],
    [
      "a Pad before it",
      x,
      (g) => {
        const padded = g.node("Pad", ["x", ints(g, 0, 0, 2, 0, 0, 1), scalar(g, 0)]);
        return g.node("Conv", [padded, reals(g, 5, 4, 3)], { pads: [1, 0] });
      },
      "conv1d",
    ],
  ])("%s", async (_, shape, build, ops) => {
    expect(await expectSame(write(shape, 13, build))).toBe(ops);
  });

  it.each<[string, (number | string)[], Build, RegExp]>([
    ["two dimensions", ["batch", 4, 9, 9], conv([5, 4, 3, 3]), /unsupported.*along one axis/],
    ["channels", x, conv([5, 3, 3]), /bad-model.*kernel W has shape \[5,3,3\]/],
    ["a kernel that is too long", x, conv([5, 4, 12]), /bad-model.*spans 12 steps/],
    [
      "lone padding",
      x,
      (g) => g.node("Tanh", [g.node("Pad", ["x", ints(g, 0, 0, 2, 0, 0, 1)])]),
      /unsupported.*right before a Conv/,
    ],
    [
      "padding at the end",
      x,
      (g) => g.node("Pad", ["x", ints(g, 0, 0, 2, 0, 0, 1)]),
      /unsupported.*result of a Pad/,
    ],
    [
      "padding of two axes",
      x,
      (g) => g.node("Pad", ["x", ints(g, 1, 2, 0, 0, 0, 0)]),
      /unsupported.*pads axes \[0,1\]/,
    ],
    [
      "reflection",
      x,
      (g) => g.node("Pad", ["x", ints(g, 0, 0, 1, 0, 0, 1)], { mode: "reflect" }),
      /unsupported.*reflect/,
    ],
  ])("refuses %s", (_, shape, build, message) => {
    expect(failure(write(shape, 13, build))).toMatch(message);
  });
});

describe("selection and shapes", () => {
  const x = ["batch", "time", 3];
  it.each<[string, (number | string)[], Build, number?]>([
    ["the last step by Gather", x, (g) => g.node("Gather", ["x", index(g, -1)], { axis: 1 })],
    [
      "the last step by a computed index",
      x,
      (g) => {
        const steps = g.node("Gather", [g.node("Shape", ["x"]), index(g, 1)]);
        return g.node("Gather", ["x", g.node("Sub", [steps, index(g, 1)])], { axis: 1 });
      },
    ],
    [
      "the last step by Slice",
      x,
      (g) => g.node("Slice", ["x", ints(g, -1), ints(g, 2 ** 31 - 1), ints(g, 1)]),
    ],
    [
      "every step backwards",
      x,
      (g) =>
        g.node("Slice", [
          "x",
          ints(g, -1),
          ints(g, -(2 ** 31)),
          ints(g, 1),
          g.constant("s", [1], [-1], "int64"),
        ]),
    ],
    ["half of the features", x, (g) => g.node("Slice", ["x", ints(g, 0), ints(g, 2), ints(g, -1)])],
    ["equal parts", [2, 6], (g) => g.nodes("Split", ["x"], 3, { axis: 1 })[1]!],
    ["equal parts, counted", [2, 7], (g) => g.nodes("Split", ["x"], 3, { axis: 1, num_outputs: 3 })[2]!, 18],
    ["parts of given sizes", [2, 6], (g) => g.nodes("Split", ["x"], 2, { axis: 1, split: [2, 4] })[1]!, 11],
    ["Flatten", x, (g) => g.node("Flatten", ["x"], { axis: 2 })],
    ["Squeeze of everything", [1, 3, 1], (g) => g.node("Squeeze", ["x"])],
    [
      "Expand to open sizes",
      ["batch", 3],
      (g) => {
        // As PyTorch writes x.expand(-1, ...): sizes of -1 are replaced by the old ones, one by one.
        const batch = g.node("Unsqueeze", [
          g.node("Gather", [g.node("Shape", ["x"]), index(g, 0)]),
          ints(g, 0),
        ]);
        const wanted = g.node("Concat", [ints(g, 4), batch, ints(g, -1)], { axis: 0 });
        const ones = g.node("ConstantOfShape", [ints(g, 3)], {
          value: { tensor: { shape: [1], data: [1], type: "int64" } },
        });
        const open = g.node("Equal", [wanted, g.node("Mul", [ones, ints(g, -1)])]);
        return g.node("Expand", ["x", g.node("Where", [open, ones, wanted])]);
      },
    ],
    [
      "a Range of constants",
      [5, 3],
      (g) =>
        g.node("Gather", [
          "x",
          g.node("Range", [index(g, 1), index(g, 5), g.constant("two", [], [2], "int64")]),
        ]),
    ],
    [
      "arithmetic of sizes",
      [4, 6],
      (g) => {
        const d = g.node("Gather", [g.node("Shape", ["x"]), index(g, 1)]);
        const half = g.node("Floor", [
          g.node("Div", [g.node("Cast", [d], { to: 1 }), g.constant("half", [], [2])]),
        ]);
        const size = g.node("Unsqueeze", [
          g.node("Cast", [g.node("Min", [half, g.constant("ten", [], [10])])], { to: 7 }),
          ints(g, 0),
        ]);
        return g.node("Reshape", ["x", g.node("Concat", [ints(g, -1), size], { axis: 0 })]);
      },
    ],
  ])("%s", async (_, shape, build, opset) => {
    await expectSame(write(shape, opset ?? 13, build));
  });
});

describe("embeddings", () => {
  const table = [7, 2];
  /** Tokens [batch, 4], moved in some way before they are looked up. */
  const looked = (move: (g: GraphWriter) => string) => {
    const g = new GraphWriter(13, uniform(5));
    g.input("tokens", ["batch", 4], "int64");
    g.output(g.node("Gather", [reals(g, ...table), move(g)]));
    return g.bytes();
  };

  it.each<[string, (g: GraphWriter) => string, string]>([
    ["as they are", () => "tokens", "embedding"],
    ["exchanged", (g) => g.transpose("tokens", [1, 0]), "embedding transpose"],
    ["reversed", (g) => g.node("Transpose", ["tokens"]), "embedding transpose"],
    ["sliced", (g) => g.node("Slice", ["tokens", ints(g, 1), ints(g, 3), ints(g, -1)]), "embedding slice"],
    ["picked", (g) => g.node("Gather", ["tokens", index(g, 0)], { axis: -1 }), "embedding gather"],
    ["with one more axis", (g) => g.node("Unsqueeze", ["tokens", ints(g, -1)]), "embedding unsqueeze"],
    ["reshaped", (g) => g.reshape("tokens", [-1, 2]), "embedding reshape"],
    [
      "in two ways",
      (g) => g.transpose(g.node("Slice", ["tokens", ints(g, 0), ints(g, 1), ints(g, 0)]), [1, 0]),
      "embedding slice transpose",
    ],
  ])("of tokens %s", async (_, move, ops) => {
    const bytes = looked(move);
    const model = importOnnx(bytes);
    const feeds = { tokens: { shape: [2, 4], data: [0, 6, 2, 3, 5, 1, 4, 2], type: "int64" as const } };
    const expected = Object.values(await runOnnx(bytes, feeds))[0]!;
    for (const meaning of [interpret(model, feeds), evaluate(model, feeds)])
      expect(Object.values(meaning)[0]).toEqual(expected);
    expect(model.layers.map((l) => l.op).join(" ")).toBe(ops);
  });

  it("refuses indices that are computed with", () => {
    expect(failure(looked((g) => g.node("Add", ["tokens", ints(g, 1)])))).toMatch(
      /unsupported.*integers of model input "tokens"/,
    );
    expect(failure(looked((g) => g.node("Concat", ["tokens", "tokens"], { axis: 1 })))).toMatch(
      /unsupported.*must be a model input as it is/,
    );
  });
});
