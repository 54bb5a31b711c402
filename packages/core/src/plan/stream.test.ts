import { beforeAll, describe, expect, it } from "vitest";
import { SottoError } from "../errors.js";
import { type Carried, dropCarried } from "../interpret/party.js";
import { runClear, runExact, type Values } from "../interpret/plain.js";
import { isUnit } from "../nets/gru.js";
import { Ring } from "../ring/ring.js";
import { applyPending } from "../share/pending.js";
import { prepareInputs } from "../share/share.js";
import { type AnyModel, anyModel } from "../testing/layers.js";
import { randomGru, randomInput } from "../testing/models.js";
import { seededBytes } from "../testing/seeded.js";
import { deployTogether, inferTogether } from "../testing/together.js";
import { type Compiled, compile } from "./compile.js";
import type { Layer, ModelDescription } from "./description.js";
import { instantiate } from "./instantiate.js";
import { sizesOf } from "./sizes.js";
import { Streaming } from "./stream.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const MODELS = process.env.SOTTO_LONG ? 300 : 24;

type Tensors = AnyModel["inputs"];

/** Steps from..from + count - 1 of an axis. */
function cut({ shape, data }: Tensors[string], axis: number, from: number, count: number): Tensors[string] {
  const inner = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
  const kept = Array.from(data).filter((_, i) => {
    const t = Math.floor(i / inner) % shape[axis]!;
    return t >= from && t < from + count;
  });
  return { shape: shape.map((d, a) => (a === axis ? count : d)), data: kept };
}

/** All chunks of an input in one interpretation, which gets and gives what is carried. */
function* chunksOf(stream: Streaming, inputs: Tensors, tables: Compiled["publicTensors"], chunks: number) {
  const { steps } = stream.shape;
  for (let c = 0; c < chunks; c++) {
    const network = stream.chunk(stream.kindOf(c));
    const given: Tensors = {};
    for (const { name } of network.inputs) {
      const axis = stream.timeAxes.get(name);
      given[name] = axis === undefined ? inputs[name]! : cut(inputs[name]!, axis, c * steps, steps);
    }
    yield { c, network, values: prepareInputs(network, given, tables) };
  }
}

/** The outputs after `c` chunks, as far as the whole run has them; those without a time axis only at the end. */
function* compared(
  stream: Streaming,
  whole: Values,
  shapes: Map<string, number[]>,
  c: number,
  last: boolean,
) {
  for (const [name, shape] of shapes) {
    const axis = stream.outputAxes.get(name);
    const { steps } = stream.shape;
    if (axis !== undefined)
      yield { name, values: cut({ shape, data: whole[name]! }, axis, c * steps, steps).data };
    else if (last) yield { name, values: whole[name]! };
  }
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);
}

/** Most models of all kinds have something that cannot be streamed; few of these are tried. */
function isWorthATry({ model }: AnyModel, k: number): boolean {
  const refused = (l: Layer) =>
    (l.op === "gru" && (l.reverse || l.inputs[2])) || (l.op === "reduce" && l.axes.includes(1));
  return k % 8 === 0 || !model.layers.some(refused);
}

/** @returns undefined if the model is refused. */
function streamed({ model, options, inputs }: AnyModel, seed: string, most: number) {
  const { plan, tensors, publicTensors } = compile(model, options);
  const sizes = sizesOf(plan, inputs);
  const { time: _, ...others } = sizes;
  let stream: Streaming;
  try {
    stream = new Streaming(plan, { sizes: others, steps: 1 });
  } catch (error) {
    expect(error).toBeInstanceOf(SottoError);
    expect((error as SottoError).code, String(error)).toBe("unsupported");
    return undefined;
  }
  const [[first, axis]] = stream.timeAxes as unknown as [[string, number]];
  const T = inputs[first]!.shape[axis]!;
  if (T > most) return undefined;
  if (T % 2 === 0 && seed.endsWith("0")) stream = new Streaming(plan, { sizes: others, steps: 2 });
  const chunks = T / stream.shape.steps;
  const network = instantiate(plan, sizes);
  const values = prepareInputs(network, inputs, publicTensors);
  const shapes = new Map(network.outputs.map((o) => [o.name, o.shape]));
  return { plan, tensors, publicTensors, stream, chunks, network, values, shapes };
}

describe("a sequence in chunks", () => {
  it(`gives to the bit what one run gives, in the exact and the clear interpretation, for ${MODELS} models`, () => {
    let found = 0;
    for (let k = 0; found < MODELS; k++) {
      const any = anyModel(`stream ${k}`, k % 2 ? "any" : "ordinary");
      if (!isWorthATry(any, k)) continue;
      let made: ReturnType<typeof streamed>;
      try {
        made = streamed(any, `stream ${k}`, 9);
      } catch (error) {
        expect(error, `model ${k}: ${(error as Error).stack}`).toBeInstanceOf(SottoError);
        expect((error as SottoError).code).toBe("does-not-fit");
        continue;
      }
      if (!made) continue;
      found++;
      const { plan, tensors, publicTensors, stream, chunks, network, values, shapes } = made;
      const exact = runExact(network.program, plan, tensors, values);
      const clear = runClear(network.program, tensors, values);
      let [kept, keptClear]: Values[] = [{}, {}];
      for (const { c, network: n, values: v } of chunksOf(stream, any.inputs, publicTensors, chunks)) {
        const before = { ...kept };
        kept = runExact(n.program, plan, tensors, { ...before, ...v });
        keptClear = runClear(n.program, tensors, { ...keptClear, ...v });
        for (const { name, values: want } of compared(stream, exact, shapes, c, c === chunks - 1))
          expect(Array.from(kept[name]!), `model ${k}, chunk ${c}`).toEqual(Array.from(want));
        for (const { name, values: want } of compared(stream, clear, shapes, c, c === chunks - 1))
          expect(largestDifference(keptClear[name]!, want), `model ${k}, chunk ${c}`).toBeLessThan(1e-9);
      }
    }
  });

  it.each([1e-9, 1e-5, 1e6])(
    "gives the same for inputs of range %f, also where one is an output",
    (range) => {
      const model = randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 4 });
      model.tensors.W0!.data = model.tensors.W0!.data.map((w) => w / range);
      model.outputs = [...model.outputs, { name: "x" }];
      const x = { shape: [4, 1, 3], data: randomInput(range, 12, 1).map((v) => v * range) };
      const made = streamed({ model, options: { range }, inputs: { x } } as AnyModel, "range", 9)!;
      const { plan, tensors, publicTensors, stream, chunks, network, values, shapes } = made;
      expect(chunks).toBe(4);
      const exact = runExact(network.program, plan, tensors, values);
      let kept: Values = {};
      for (const { c, network: n, values: v } of chunksOf(stream, { x }, publicTensors, chunks)) {
        kept = runExact(n.program, plan, tensors, { ...kept, ...v });
        for (const { name, values: want } of compared(stream, exact, shapes, c, c === chunks - 1))
          expect(Array.from(kept[name]!)).toEqual(Array.from(want));
      }
    },
  );

  it("is within the tolerance of a private run, on shares, with nothing left in memory", () => {
    let found = 0;
    for (let k = 0; found < MODELS / 2; k++) {
      const any = anyModel(`private stream ${k}`, "ordinary");
      if (!isWorthATry(any, k)) continue;
      const made = streamed(any, `private stream ${k}`, 5);
      if (!made) continue;
      found++;
      const { plan, tensors, publicTensors, stream, chunks, network, values, shapes } = made;
      const before = ring.bytesInUse;
      const random = seededBytes(`private stream ${k}`);
      const deployment = deployTogether(ring, { plan, tensors, publicTensors }, random);
      const clear = runClear(network.program, tensors, values);
      let carried: [Carried, Carried] | undefined;
      for (const { c, network: n, values: v } of chunksOf(stream, any.inputs, publicTensors, chunks)) {
        const run = inferTogether(ring, n, deployment, v, random, undefined, carried);
        carried = run.carried;
        for (const { name, values: want } of compared(stream, clear, shapes, c, c === chunks - 1)) {
          const about = n.outputs.find((o) => o.name === name)!;
          const expected = applyPending(about, Float64Array.from(want));
          expect(largestDifference(run.outputs[name]!.data, expected), `model ${k}, chunk ${c}`).toBeLessThan(
            0.002,
          );
        }
      }
      for (const c of carried!) dropCarried(ring, c);
      deployment.setup.free();
      for (const m of deployment.models) m.free();
      expect(ring.bytesInUse).toBe(before);
    }
  });

  it("may be longer than a run's proven steps: the state is renewed, and keeps its bound at its very edge", () => {
    // z = 1 and a state of 1: nothing fades, and every truncation may round up
    const H = 2;
    const model = randomGru({ seed: 1, hidden: H, inputSize: 1, steps: 1 });
    const zero = (name: string) => model.tensors[name]!.data.fill(0);
    for (const name of ["W0", "U0", "bW0", "bU0"]) zero(name);
    model.tensors.bW0!.data.fill(60, 0, H);
    model.tensors.start = { shape: [1, H], data: Float32Array.of(1, -1) };
    (model.layers[0] as Layer & { op: "gru" }).initial = "start";
    const { plan, tensors } = compile(model);
    const stream = new Streaming(plan, { sizes: {}, steps: 1 });
    expect(stream.period).toBe(8192);
    const x = { x: new Float64Array(1) };
    let kept = runExact(stream.chunk("start").program, plan, tensors, x);
    for (let c = 1; c < 8; c++) {
      const { program } = stream.chunk(c % 2 ? "renew" : "continue");
      const [state] = program.carried;
      // the worst that the proof allows: a state that has crept to the bound of the chunk before
      const name = state!.name;
      kept = runExact(program, plan, tensors, {
        ...x,
        [name]: kept[name]!.map((v) => Math.sign(v) * (state!.hi / 2 ** state!.scale)),
      });
      const h = kept[name]!;
      expect(Math.abs(h[0]!)).toBeLessThanOrEqual(1 + 2 ** -15);
      if (c % 2) expect(Math.abs(h[0]!)).toBeLessThanOrEqual(1 + 2 ** -28);
      expect(Math.abs(h[0]! - 1)).toBeLessThan(2 ** -13);
    }
    expect(stream.kindOf(0)).toBe("start");
    expect([1, 8191, 8192, 8193, 16384].map((n) => stream.kindOf(n))).toEqual([
      "continue",
      "continue",
      "renew",
      "continue",
      "renew",
    ]);
    expect(new Streaming(plan, { sizes: {}, steps: 1000 }).period).toBe(8);
  });

  it("costs the rounds of its steps, and one more where the state is renewed", () => {
    const { plan } = compile(randomGru({ seed: 2, hidden: 4, inputSize: 2, steps: 9, head: 1 }));
    const stages = (steps: number, kind: "start" | "continue" | "renew") =>
      new Streaming(plan, { sizes: {}, steps }).chunk(kind).program.stages.length - 1;
    expect([stages(1, "start"), stages(1, "continue"), stages(1, "renew"), stages(4, "continue")]).toEqual([
      6, 6, 7, 21,
    ]);
  });
});

describe("what cannot be streamed is refused, naming the layer", () => {
  const H = 3;
  const base = () => randomGru({ seed: 3, hidden: H, inputSize: 2, steps: 5, head: 2 });
  const refused = (change: (model: ModelDescription) => void, message: RegExp) => {
    const model = base();
    change(model);
    const { plan } = compile(model);
    expect(() => new Streaming(plan, { sizes: {}, steps: 1 })).toThrow(message);
  };
  const gru = (m: ModelDescription) => m.layers[0] as Layer & { op: "gru" };
  /** Puts a layer between the states and the head. */
  const onSequence = (m: ModelDescription, ...layers: Layer[]) => {
    m.layers.splice(1, m.layers.length - 1, ...layers);
    m.outputs = [{ name: "y" }];
  };

  it("backwards, lengths, and a state from elsewhere", () => {
    refused((m) => {
      gru(m).reverse = true;
    }, /layer gru0 goes backwards/);
    refused((m) => {
      m.constants.lengths = { shape: [1], data: [5] };
      gru(m).inputs = ["x", "", "lengths"];
    }, /layer gru0 takes lengths of sequences/);
    refused((m) => {
      const second = { ...gru(m), name: "gru1", inputs: ["x", "h0"], outputs: ["Y1", "h1"] };
      m.layers.splice(1, 2, second);
      m.outputs = [{ name: "h1" }];
    }, /layer gru1 starts from a state that depends on the sequence/);
  });

  it("sums, maxima, convolutions and dense layers over time, and softmax", () => {
    for (const fn of ["mean", "max"] as const)
      refused(
        (m) =>
          onSequence(m, {
            op: "reduce",
            name: "pool",
            fn,
            axes: [0],
            keepDims: false,
            inputs: ["Y0"],
            outputs: ["y"],
          }),
        /layer pool \(reduce\) reads several time steps at once/,
      );
    refused((m) => {
      m.tensors.K = { shape: [2, H, 2], data: new Float32Array(4 * H).fill(0.1) };
      onSequence(
        m,
        { op: "squeeze", name: "s", inputs: ["Y0", "axis1"], outputs: ["s"] },
        { op: "transpose", name: "t", inputs: ["s"], outputs: ["t"], perm: [1, 2, 0] },
        {
          op: "conv1d",
          name: "conv",
          W: "K",
          stride: 1,
          dilation: 1,
          groups: 1,
          pads: [1, 0],
          inputs: ["t"],
          outputs: ["y"],
        },
      );
    }, /layer conv \(conv1d\) reads several time steps at once/);
    refused(
      (m) => onSequence(m, { op: "softmax", name: "soft", axis: 0, inputs: ["Y0"], outputs: ["y"] }),
      /layer soft \(softmax\) reads several time steps at once/,
    );
    refused((m) => {
      m.constants.flat = { shape: [2], data: [1, 5 * H] };
      m.tensors.A = { shape: [2, 5 * H], data: new Float32Array(10 * H).fill(0.1) };
      onSequence(
        m,
        { op: "reshape", name: "flat", inputs: ["Y0", "flat"], outputs: ["flat.y"] },
        { op: "dense", name: "d", A: "A", inputs: ["flat.y"], outputs: ["y"] },
      );
    }, /flat/);
  });

  it("a fixed step as output, a model without a recurrent layer, and chunks of no length", () => {
    refused((m) => {
      m.constants.zero = { shape: [], data: [0] };
      onSequence(m, { op: "gather", name: "first", axis: 0, inputs: ["Y0", "zero"], outputs: ["y"] });
    }, /output y belongs to no time step, or to one in the middle/);
    refused((m) => {
      m.layers = [{ op: "dense", name: "d", A: "A0", inputs: ["x"], outputs: ["y"] }];
      m.tensors.A0 = { shape: [1, 2], data: Float32Array.of(0.5, 0.5) };
    }, /no recurrent layer/);
    const { plan } = compile(base());
    for (const steps of [0, 1.5, Number.NaN])
      expect(() => new Streaming(plan, { sizes: {}, steps })).toThrow(/expected a positive whole number/);
    expect(() => new Streaming(plan, { sizes: {}, steps: 9000 })).toThrow(/at most 8192 are proven safe/);
  });
});

describe("what a server sees of a stream", () => {
  it("is another word at every opening, though a state be the same", () => {
    const { plan, tensors, publicTensors } = compile(
      randomGru({ seed: 5, hidden: 3, inputSize: 2, steps: 1 }),
    );
    const random = seededBytes("openings");
    const deployment = deployTogether(ring, { plan, tensors, publicTensors }, random);
    const stream = new Streaming(plan, { sizes: {}, steps: 1 });
    const x = { x: randomInput(1, 2) };
    const first = inferTogether(ring, stream.chunk("start"), deployment, x, random);
    const copy = (c: Carried): Carried =>
      new Map(
        [...c].map(([name, v]) => {
          const w = ring.alloc(v.length);
          ring.copy(w, 0, v, 0, v.length);
          return [name, w];
        }),
      );
    const seen = new Set<string>();
    for (let i = 0; i < 8; i++) {
      const carried = first.carried.map(copy) as [Carried, Carried];
      const run = inferTogether(ring, stream.chunk("continue"), deployment, x, random, undefined, carried);
      for (const message of run.transcript.messages[0]!) seen.add(Buffer.from(message).toString("hex"));
      for (const c of run.carried) dropCarried(ring, c);
    }
    expect(seen.size).toBe(16);
    for (const c of first.carried) dropCarried(ring, c);
  });

  it("is refused where a chunk's state is missing or of another size", () => {
    const { plan, tensors, publicTensors } = compile(
      randomGru({ seed: 5, hidden: 3, inputSize: 2, steps: 1 }),
    );
    const random = seededBytes("missing");
    const deployment = deployTogether(ring, { plan, tensors, publicTensors }, random);
    const next = new Streaming(plan, { sizes: {}, steps: 1 }).chunk("continue");
    expect(() => inferTogether(ring, next, deployment, { x: new Float64Array(2) }, random)).toThrow(
      /no value/,
    );
  });
});

it("a gate outside [0, 1] does not exclude streaming", () => {
  const model = randomGru({ seed: 6, hidden: 2, inputSize: 1, steps: 2 });
  const gru = model.layers[0] as Layer & { op: "gru" };
  gru.gate = { name: "tanh" };
  expect(isUnit(gru.gate)).toBe(false);
  const { plan } = compile(model, { stateBound: 2 });
  expect(new Streaming(plan, { sizes: {}, steps: 1 }).period).toBe(Infinity);
});
