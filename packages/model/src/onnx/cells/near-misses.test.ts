import { type GruLayer, type ModelDescription, SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { evaluate, GraphWriter, interpret, runOnnx, uniform } from "../../testing/index.js";
import { importOnnx } from "../import.js";

const [B, I, H] = [2, 3, 4];

/** Writes graphs over x [B, T, I] with the operators of a cell by short names. */
class Cells extends GraphWriter {
  private number = 0;

  constructor(readonly steps: number) {
    super(13, uniform(9));
    this.input("x", [B, steps, I]);
    this.zero = this.constant("h0", [B, H], new Array<number>(B * H).fill(0));
    this.one = this.constant("one", [], [1]);
  }

  readonly zero: string;
  readonly one: string;

  matrix(rows: number, columns: number): string {
    return this.weights([rows, columns], 0.8);
  }

  at(x: string, t: number): string {
    return this.node("Gather", [x, this.constant(`at${this.number++}`, [], [t], "int64")], { axis: 1 });
  }

  linear(x: string, W: string): string {
    return this.node("MatMul", [x, W]);
  }

  sigmoid = (x: string) => this.node("Sigmoid", [x]);
  tanh = (x: string) => this.node("Tanh", [x]);
  add = (a: string, b: string) => this.node("Add", [a, b]);
  mul = (a: string, b: string) => this.node("Mul", [a, b]);
  sub = (a: string, b: string) => this.node("Sub", [a, b]);
  blend = (z: string, n: string, h: string) => this.add(this.mul(this.sub(this.one, z), n), this.mul(z, h));
}

interface Weights {
  W: string[];
  U: string[];
}

const weights = (g: Cells): Weights => ({
  W: [0, 1, 2].map(() => g.matrix(I, H)),
  U: [0, 1, 2].map(() => g.matrix(H, H)),
});

function gru(g: Cells, x: string, h: string, { W, U }: Weights): { h: string; z: string; n: string } {
  const gate = (i: number) => g.sigmoid(g.add(g.linear(x, W[i]!), g.linear(h, U[i]!)));
  const z = gate(0);
  const n = g.tanh(g.add(g.linear(x, W[2]!), g.mul(gate(1), g.linear(h, U[2]!))));
  return { h: g.blend(z, n, h), z, n };
}

/** Refused, or read right; never read as something else. @returns the description or the message. */
async function honest(g: Cells, output: string): Promise<ModelDescription | string> {
  g.output(output);
  const bytes = g.bytes();
  let model: ModelDescription;
  try {
    model = importOnnx(bytes);
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    return `${error.code}: ${error.message}`;
  }
  const random = uniform(2);
  const data = Array.from({ length: B * g.steps * I }, () => Math.fround(random()));
  const feeds = { x: { shape: [B, g.steps, I], data } };
  const [expected, found] = [(await runOnnx(bytes, feeds))[output]!, interpret(model, feeds)[output]!];
  expect(found.shape).toEqual(expected.shape);
  expect(Math.max(...expected.data.map((v, i) => Math.abs(v - found.data[i]!)))).toBeLessThan(1e-5);
  return model;
}

const layers = (result: ModelDescription | string) =>
  typeof result === "string" ? [] : result.layers.filter((layer): layer is GruLayer => layer.op === "gru");

/** A loop of which each step is what `step` writes, from a state that is not zero (from zero, more is a GRU's step). */
function unrolled(
  steps: number,
  step: (g: Cells, x: string, h: string, t: number) => string,
): [Cells, string] {
  const g = new Cells(steps);
  let h = g.linear(g.at("x", 0), g.matrix(I, H));
  for (let t = 0; t < steps; t++) h = step(g, g.at("x", t), h, t);
  return [g, h];
}

describe("what is nearly a GRU", () => {
  it("with another weight in one step is several", async () => {
    const g = new Cells(5);
    const [usual, other] = [weights(g), weights(g)];
    let h = g.zero;
    for (let t = 0; t < 5; t++) {
      const U = t === 2 ? [usual.U[0]!, other.U[1]!, usual.U[2]!] : usual.U;
      h = gru(g, g.at("x", t), h, { W: usual.W, U }).h;
    }
    const model = (await honest(g, h)) as ModelDescription;
    const [first, second, third] = layers(model) as [GruLayer, GruLayer, GruLayer];
    expect([first.W, first.U]).toEqual([third.W, third.U]);
    expect(first.U).not.toBe(second.U);
    // Core, too, must not mind that layers share their tensors.
    const x = { shape: [B, 5, I], data: Array.from({ length: B * 5 * I }, (_, i) => Math.sin(i)) };
    const [expected, found] = [interpret(model, { x })[h]!, evaluate(model, { x })[h]!];
    expect(Math.max(...expected.data.map((v, i) => Math.abs(v - found.data[i]!)))).toBeLessThan(1e-5);
  });

  it("with steps that are left out, doubled, or turned around still reads the right ones", async () => {
    for (const order of [
      [0, 2, 4],
      [4, 3, 2],
      [1, 2, 3],
      [0, 0, 0],
      [0, 1, 3],
      [4, 2, 0],
    ]) {
      const g = new Cells(5);
      const all = weights(g);
      let h = g.zero;
      for (const t of order) h = gru(g, g.at("x", t), h, all).h;
      expect(layers(await honest(g, h))).toHaveLength(1);
    }
  });

  it("may show its gates: they are computed besides", async () => {
    const g = new Cells(3);
    const all = weights(g);
    let step = gru(g, g.at("x", 0), g.zero, all);
    step = gru(g, g.at("x", 1), step.h, all);
    const shown = step;
    step = gru(g, g.at("x", 2), step.h, all);
    const found = await honest(g, g.node("Concat", [shown.z, shown.n, step.h], { axis: 1 }));
    expect(layers(found)).toHaveLength(1);
  });

  it("that reads its own states is as many as it has steps", async () => {
    const g = new Cells(3);
    const all = weights(g);
    const back = g.matrix(H, I);
    const [start, grus] = [g.at("x", 0), [] as string[]];
    let h = gru(g, start, g.zero, all).h;
    for (let t = 1; t < 3; t++) {
      h = gru(g, g.add(g.at("x", t), g.linear(h, back)), h, all).h;
      grus.push(h);
    }
    const found = await honest(g, h);
    expect(layers(found)).toHaveLength(3);
    expect(new Set(layers(found).map((l) => l.W)).size).toBe(1);
  });

  it("and reads another that reads it is taken step by step", async () => {
    const g = new Cells(2);
    const [p, q] = [weights(g), weights(g)];
    const square = (all: Weights) => ({ ...all, W: [0, 1, 2].map(() => g.matrix(I + H, H)) });
    const [a, b] = [square(p), square(q)];
    const zeros = g.constant("zeros", [B, H], new Array<number>(B * H).fill(0.25));
    const join = (t: number, h: string) => g.node("Concat", [g.at("x", t), h], { axis: 1 });
    // a's first state goes into b's second step, and b's first into a's second.
    const [a1, b1] = [gru(g, join(0, zeros), g.zero, a).h, gru(g, join(1, zeros), g.zero, b).h];
    const [a2, b2] = [gru(g, join(1, b1), a1, a).h, gru(g, join(0, a1), b1, b).h];
    const found = await honest(g, g.add(a2, b2));
    expect(typeof found === "string" || layers(found).length === 4).toBe(true);
  });

  it("a minimal gated unit is a GRU of which two gates are alike", async () => {
    const g = new Cells(3);
    const [W, U] = [g.matrix(I, H), g.matrix(H, H)];
    const [Wn, Un] = [g.matrix(I, H), g.matrix(H, H)];
    let h = g.constant(
      "start",
      [B, H],
      Array.from({ length: B * H }, (_, i) => Math.fround(Math.sin(i))),
    );
    for (let t = 0; t < 3; t++) {
      const f = g.sigmoid(g.add(g.linear(g.at("x", t), W), g.linear(h, U)));
      const n = g.tanh(g.add(g.linear(g.at("x", t), Wn), g.linear(g.mul(f, h), Un)));
      h = g.blend(f, h, n);
    }
    expect(layers(await honest(g, h))).toMatchObject([{ resetAfter: false }]);
  });

  const others: Record<string, () => [Cells, string]> = {
    "a simple recurrent layer": () =>
      unrolled(3, (g, x, h) => g.tanh(g.add(g.linear(x, g.matrix(I, H)), g.linear(h, g.matrix(H, H))))),
    "a minimal gated unit without a reset": () =>
      unrolled(3, (g, x, h) => {
        const sum = () => g.add(g.linear(x, g.matrix(I, H)), g.linear(h, g.matrix(H, H)));
        return g.blend(g.sigmoid(sum()), g.tanh(sum()), h);
      }),
    "an update that does not blend": () =>
      unrolled(3, (g, x, h) => {
        const { z, n } = gru(g, x, h, weights(g));
        return g.add(g.mul(z, n), g.mul(z, h));
      }),
    "a blend with another gate's complement": () =>
      unrolled(3, (g, x, h) => {
        const [a, b] = [gru(g, x, h, weights(g)), gru(g, x, h, weights(g))];
        return g.add(g.mul(g.sub(g.one, a.z), a.n), g.mul(b.z, h));
      }),
    "one minus the gate by another number": () =>
      unrolled(3, (g, x, h) => {
        const { z, n } = gru(g, x, h, weights(g));
        const two = g.constant(`two.${n}`, [], [1.0000001192092896]);
        return g.add(g.mul(g.sub(two, z), n), g.mul(z, h));
      }),
    "a gate of a gate": () =>
      unrolled(3, (g, x, h) => {
        const { z, n } = gru(g, x, h, weights(g));
        return g.blend(g.sigmoid(z), n, h);
      }),
    "a reset of the inputs": () =>
      unrolled(3, (g, x, h) => {
        const { z } = gru(g, x, h, weights(g));
        const n = g.tanh(g.mul(z, g.add(g.linear(x, g.matrix(I, H)), g.linear(h, g.matrix(H, H)))));
        return g.blend(z, n, h);
      }),
    "a state that is read through a function": () =>
      unrolled(3, (g, x, h) => {
        const all = weights(g);
        const { z } = gru(g, x, h, all);
        const n = g.tanh(g.add(g.linear(x, all.W[2]!), g.mul(z, g.linear(g.tanh(h), all.U[2]!))));
        return g.blend(z, n, h);
      }),
    "gates with other activations": () =>
      unrolled(3, (g, x, h) => {
        const all = weights(g);
        const gate = (i: number) =>
          g.node("HardSigmoid", [g.add(g.linear(x, all.W[i]!), g.linear(h, all.U[i]!))]);
        const n = g.tanh(g.add(g.linear(x, all.W[2]!), g.mul(gate(1), g.linear(h, all.U[2]!))));
        return g.blend(gate(0), n, h);
      }),
    "an LSTM": () => {
      const g = new Cells(3);
      const [W, U] = [[0, 1, 2, 3].map(() => g.matrix(I, H)), [0, 1, 2, 3].map(() => g.matrix(H, H))];
      let [h, c] = [g.at("x", 0), g.at("x", 0)].map((x) => g.linear(x, g.matrix(I, H))) as [string, string];
      for (let t = 0; t < 3; t++) {
        const sum = (i: number) => g.add(g.linear(g.at("x", t), W[i]!), g.linear(h, U[i]!));
        const [i, f, o] = [0, 1, 2].map((k) => g.sigmoid(sum(k))) as [string, string, string];
        c = g.add(g.mul(f, c), g.mul(i, g.tanh(sum(3))));
        h = g.mul(o, g.tanh(c));
      }
      return [g, h];
    },
    "a GRU with layer normalisation": () =>
      unrolled(3, (g, x, h) => {
        const all = weights(g);
        const norm = (v: string) => {
          const centred = g.sub(v, g.reduce("ReduceMean", v, [-1], 1));
          const variance = g.reduce("ReduceMean", g.mul(centred, centred), [-1], 1);
          const small = g.constant(`small.${variance}`, [], [1e-5]);
          return g.node("Div", [centred, g.node("Sqrt", [g.add(variance, small)])]);
        };
        const gate = (i: number) =>
          g.sigmoid(g.add(norm(g.linear(x, all.W[i]!)), norm(g.linear(h, all.U[i]!))));
        const n = g.tanh(g.add(norm(g.linear(x, all.W[2]!)), g.mul(gate(1), norm(g.linear(h, all.U[2]!)))));
        return g.blend(gate(0), n, h);
      }),
  };

  it.each(Object.keys(others))("%s is no GRU", async (name) => {
    const found = await honest(...others[name]!());
    expect(layers(found)).toHaveLength(0);
    if (typeof found === "string") expect(found).toMatch(/^unsupported: ONNX: node "/);
  });
});

describe("damaged cells", () => {
  it("may count to sizes that nothing has", () => {
    for (const size of [-5, -(2 ** 40), 2 ** 52]) {
      const g = new Cells(1);
      const batch = g.node("Gather", [g.node("Shape", ["x"]), g.constant("first", [1], [0], "int64")]);
      const shape = g.node("Concat", [batch, g.constant("size", [1], [size], "int64")], { axis: 0 });
      const fill = g.node("ConstantOfShape", [shape], { value: { tensor: { shape: [1], data: [2] } } });
      const sum = g.node("Add", [g.node("Tanh", [g.node("Sigmoid", [g.at("x", 0)])]), fill]);
      g.output(sum);
      try {
        importOnnx(g.bytes());
      } catch (error) {
        expect(error).toBeInstanceOf(SottoError);
      }
    }
  });
});

describe("long loops", () => {
  // About a second; time that grew with the square of the steps would not end before the runner's own limit.
  it("of 500 steps and two layers are read", () => {
    const g = new Cells(500);
    const first = weights(g);
    const second = { W: first.U, U: [0, 1, 2].map(() => g.matrix(H, H)) };
    let [a, b] = [g.zero, g.zero];
    const states: string[] = [];
    for (let t = 0; t < 500; t++) {
      a = gru(g, g.at("x", t), a, first).h;
      b = gru(g, a, b, second).h;
      states.push(g.node("Unsqueeze", [b, g.constant(`axes${t}`, [1], [1], "int64")]));
    }
    g.output(g.node("Concat", states, { axis: 1 }));
    const bytes = g.bytes();
    const model = importOnnx(bytes);
    expect(model.layers.map((l) => l.op).join(" ")).toBe("transpose gru squeeze gru squeeze transpose");
  });

  it("that feed back, and those that are no GRU, are read, too", () => {
    for (const feedback of [true, false]) {
      const g = new Cells(300);
      const all = weights(g);
      const back = g.matrix(H, I);
      let h = gru(g, g.at("x", 0), g.zero, all).h;
      for (let t = 1; t < 300; t++) {
        const x = g.add(g.at("x", t), g.linear(h, back));
        const step = gru(g, x, h, all);
        h = feedback ? step.h : g.add(step.h, step.z);
      }
      g.output(h);
      const grus = importOnnx(g.bytes()).layers.filter((l) => l.op === "gru");
      expect(grus.length).toBeGreaterThan(feedback ? 299 : 0);
    }
  });
});
