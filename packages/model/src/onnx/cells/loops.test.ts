import { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import {
  type GraphSpec,
  interpret,
  type NodeSpec,
  type OnnxModel,
  runOnnx,
  type TensorSpec,
  uniform,
  writeOnnx,
} from "../../testing/index.js";
import { importOnnx } from "../import.js";

const [T, B, I, H] = [4, 2, 3, 2];
const random = uniform(5);
const reals = (...shape: number[]): TensorSpec => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(random())),
});
const number = (value: number, type: TensorSpec["type"] = "int64"): TensorSpec => ({
  shape: [],
  data: [value],
  type: type!,
});

const weights: Record<string, TensorSpec> = {
  Wz: reals(I, H), Wr: reals(I, H), Wn: reals(I, H), Uz: reals(H, H), Ur: reals(H, H), Un: reals(H, H),
  bz: reals(H), bn: reals(H), one: { shape: [], data: [1] },
}; // biome-ignore format: a table

/** h -> g over x, the reset gate before the product. */
function cell(x: string, h: string, g: string): NodeSpec[] {
  const node = (op: string, inputs: string[], output: string) => ({
    op,
    name: output,
    inputs,
    outputs: [output],
  });
  return [
    node("MatMul", [x, "Wz"], "xz"),
    node("MatMul", [h, "Uz"], "hz"),
    node("Add", ["xz", "hz"], "az"),
    node("Add", ["az", "bz"], "cz"),
    node("Sigmoid", ["cz"], "z"),
    node("MatMul", [x, "Wr"], "xr"),
    node("MatMul", [h, "Ur"], "hr"),
    node("Add", ["xr", "hr"], "ar"),
    node("Sigmoid", ["ar"], "r"),
    node("Mul", ["r", h], "rh"),
    node("MatMul", ["rh", "Un"], "hn"),
    node("MatMul", [x, "Wn"], "xn"),
    node("Add", ["xn", "hn"], "an"),
    node("Add", ["an", "bn"], "cn"),
    node("Tanh", ["cn"], "n"),
    node("Sub", [h, "n"], "d"),
    node("Mul", ["z", "d"], "zd"),
    node("Add", ["n", "zd"], g),
  ];
}

const state = (name: string) => ({ name, shape: [B, H] });
const step = (name: string) => ({ name, shape: [B, I] });
const flag = (name: string) => ({ name, shape: [], type: "bool" as const });
const index = (name: string) => ({ name, shape: [], type: "int64" as const });

const scanBody: GraphSpec = {
  inputs: [state("h"), step("x_t")],
  outputs: [state("g"), state("out")],
  nodes: [...cell("x_t", "h", "g"), { op: "Identity", inputs: ["g"], outputs: ["out"] }],
};

/** x [time, batch, inputs] or another order of axes, h0 -> last and all states. */
function scan(attributes: NodeSpec["attributes"] = {}, body = scanBody, shape = [T, B, I]): OnnxModel {
  return {
    inputs: [{ name: "x", shape }, state("h0")],
    outputs: [{ name: "last" }, { name: "all" }],
    nodes: [
      {
        op: "Scan",
        name: "scan",
        inputs: ["h0", "x"],
        outputs: ["last", "all"],
        attributes: { num_scan_inputs: 1, ...attributes, body: { graph: body } },
      },
    ],
    initialisers: weights,
  };
}

/** A Loop that picks the steps of x [B, T, I] itself. */
function loop(more: Partial<GraphSpec> = {}, nodes: NodeSpec[] = [], trips = T, opset = 13): OnnxModel {
  const body: GraphSpec = {
    inputs: [index("i"), flag("c"), state("h")],
    outputs: [flag("c_out"), state("g"), state("out")],
    nodes: [
      { op: "Gather", name: "pick", inputs: ["x", "i"], outputs: ["x_t"], attributes: { axis: 1 } },
      ...cell("x_t", "h", "g"),
      { op: "Identity", inputs: ["c"], outputs: ["c_out"] },
      { op: "Identity", inputs: ["g"], outputs: ["out"] },
    ],
    ...more,
  };
  const loopNode: NodeSpec = {
    op: "Loop",
    name: "loop",
    inputs: ["trips", "go", "h0"],
    outputs: ["last", "all"],
    attributes: { body: { graph: body } },
  };
  return {
    opset,
    inputs: [{ name: "x", shape: [B, T, I] }, state("h0")],
    outputs: [{ name: "last" }, { name: "all" }],
    nodes: [...nodes, loopNode],
    initialisers: { ...weights, trips: number(trips), go: number(1, "bool") },
  };
}

async function expectSame(model: OnnxModel, shape: number[]): Promise<string> {
  const bytes = writeOnnx(model);
  const description = importOnnx(bytes);
  const values = (spec: TensorSpec) => ({ shape: spec.shape, data: Array.from(spec.data) });
  const feeds = { x: values(reals(...shape)), h0: values(reals(B, H)) };
  const [expected, found] = [await runOnnx(bytes, feeds), interpret(description, feeds)];
  for (const [name, { shape, data }] of Object.entries(expected)) {
    expect(found[name]!.shape).toEqual(shape);
    expect(Math.max(...data.map((v, i) => Math.abs(v - found[name]!.data[i]!)))).toBeLessThan(1e-5);
  }
  expect(description.layers.filter((l) => l.op === "gru")).toMatchObject([{ resetAfter: false, hidden: H }]);
  return description.layers.map((l) => l.op).join(" ");
}

function failure(model: OnnxModel): string {
  try {
    importOnnx(writeOnnx(model));
  } catch (error) {
    if (error instanceof SottoError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "it was imported";
}

describe("Scan over a GRU cell", () => {
  it("is a GRU", async () => {
    expect(await expectSame(scan(), [T, B, I])).toBe("unsqueeze gru squeeze squeeze transpose");
  });

  it("takes and gives its sequences along any axis, in either direction", async () => {
    await expectSame(scan({ scan_input_axes: [1] }, scanBody, [B, T, I]), [B, T, I]);
    await expectSame(scan({ scan_input_axes: [-2], scan_output_axes: [1] }, scanBody, [B, T, I]), [B, T, I]);
    await expectSame(scan({ scan_input_axes: [2], scan_output_axes: [-1] }, scanBody, [B, I, T]), [B, I, T]);
    await expectSame(scan({ scan_input_directions: [1] }), [T, B, I]);
    await expectSame(scan({ scan_input_directions: [1], scan_output_directions: [1] }), [T, B, I]);
  });

  it("has constants of its own", async () => {
    const body = { ...scanBody, initialisers: { Wz: reals(I, H) } };
    await expectSame(scan({}, body), [T, B, I]);
  });

  it("is refused if its body is something else", () => {
    const refused = (nodes: NodeSpec[], out = "g") =>
      failure(
        scan({}, { ...scanBody, nodes: [...nodes, { op: "Identity", inputs: [out], outputs: ["out"] }] }),
      );
    const simple: NodeSpec[] = [
      { op: "MatMul", inputs: ["x_t", "Wz"], outputs: ["a"] },
      { op: "MatMul", inputs: ["h", "Uz"], outputs: ["b"] },
      { op: "Add", inputs: ["a", "b"], outputs: ["c"] },
      { op: "Tanh", name: "act", inputs: ["c"], outputs: ["g"] },
    ];
    expect(refused(simple)).toMatch(
      /unsupported.*"scan" \(Scan\): supported is a loop of which each step is a GRU cell; the state "last" \(Tanh "act"\).*Its body has MatMul, Add, Tanh.*torch\.nn\.GRU/,
    );
    const noReset = cell("x_t", "h", "g").map((n) => (n.name === "hn" ? { ...n, inputs: ["h", "Un"] } : n));
    expect(refused(noReset)).toMatch(/unsupported.*the candidate reads the state without a reset gate/);
    expect(refused(cell("x_t", "h", "g"), "z")).toMatch(
      /unsupported.*the result of Sigmoid "z" in its body is not/,
    );
    expect(failure(scan({ num_scan_inputs: 3 }))).toMatch(/bad-model.*"scan"/);
    expect(failure(scan({ scan_input_axes: [0, 1] }))).toMatch(/bad-model.*scan_input_axes has 2 numbers/);
    expect(failure(scan({}, scanBody, [T, I]))).toMatch(
      /unsupported.*not known to be \[time, batch, features\]/,
    );
  });
});

describe("Loop over a GRU cell", () => {
  it("is a GRU", async () => {
    expect(await expectSame(loop(), [B, T, I])).toBe("transpose unsqueeze gru squeeze squeeze transpose");
    expect(await expectSame(loop({}, [], T, 16), [B, T, I])).toMatch(/gru/);
  });

  it("makes as many steps as it is told to", async () => {
    expect(await expectSame(loop({}, [], T - 1), [B, T, I])).toMatch(/slice.*gru/);
    expect(failure(loop({}, [], T + 1))).toMatch(/bad-model.*it makes 5 steps of "x", which has 4/);
  });

  it("counts what it reads outside its body as read", async () => {
    const projected = loop();
    const [node] = projected.nodes as [NodeSpec];
    const body = (node.attributes!.body as { graph: GraphSpec }).graph;
    body.nodes = body.nodes.map((n) => (n.name === "pick" ? { ...n, inputs: ["p", "i"] } : n));
    projected.nodes.unshift({ op: "MatMul", inputs: ["x", "P"], outputs: ["p"] });
    projected.initialisers!.P = reals(I, I);
    expect(await expectSame(projected, [B, T, I])).toMatch(/^dense transpose.*gru/);
  });

  it("reads products that were computed before it", async () => {
    const model = loop();
    const [node] = model.nodes as [NodeSpec];
    const body = (node.attributes!.body as { graph: GraphSpec }).graph;
    const picked = ["z", "r", "n"].map((gate): NodeSpec => {
      model.nodes.unshift({ op: "MatMul", inputs: ["x", `W${gate}`], outputs: [`p${gate}`] });
      return { op: "Gather", inputs: [`p${gate}`, "i"], outputs: [`x${gate}`], attributes: { axis: 1 } };
    });
    const inside = body.nodes.filter((n) => n.name !== "pick" && !["xz", "xr", "xn"].includes(n.outputs[0]!));
    body.nodes = [...picked, ...inside];
    expect(await expectSame(model, [B, T, I])).toBe("transpose unsqueeze gru squeeze squeeze transpose");
  });

  it("is refused if its steps are not those of one GRU", () => {
    const body = (loop().nodes[0]!.attributes!.body as { graph: GraphSpec }).graph;
    const changed = (change: (n: NodeSpec) => NodeSpec) => failure(loop({ nodes: body.nodes.map(change) }));
    const named = (name: string, inputs: string[]) => (n: NodeSpec) =>
      n.name === name ? { ...n, inputs } : n;
    expect(changed(named("pick", ["x", "two"]))).toMatch(/bad-model|unsupported/);
    expect(
      changed((n) => (n.outputs[0] === "c_out" ? { op: "Not", inputs: ["c"], outputs: ["c_out"] } : n)),
    ).toMatch(/unsupported.*"loop" \(Loop\).*ends by a condition/);
    expect(changed(named("zd", ["z", "n"]))).toMatch(/unsupported.*"loop" \(Loop\).*the state "last"/);
    const nested = [...body.nodes, { op: "If", inputs: ["c"], outputs: ["q"] }];
    const outputs = [...body.outputs, state("q")];
    expect(failure(loop({ nodes: nested, outputs }))).toMatch(/unsupported.*its body has another If/);
    const outer = loop();
    outer.nodes.push({ op: "If", name: "if", inputs: ["go"], outputs: ["y"] });
    outer.outputs.push({ name: "y" });
    expect(failure(outer)).toMatch(/bad-model.*"if" \(If\).*no then_branch/);
  });

  it("is refused if it is damaged", () => {
    const model = loop();
    model.nodes[0]!.attributes = {};
    expect(failure(model)).toMatch(/bad-model.*attribute body is missing/);
    const twice = loop();
    const body = (twice.nodes[0]!.attributes!.body as { graph: GraphSpec }).graph;
    body.nodes.push(body.nodes[1]!);
    expect(failure(twice)).toMatch(/bad-model.*defines "xz" twice/);
    expect(failure(loop({ inputs: [index("i"), flag("c")] }))).toMatch(/bad-model/);
  });
});
