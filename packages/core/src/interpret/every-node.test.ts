import { beforeAll, describe, expect, it } from "vitest";
import { SottoError } from "../errors.js";
import { compile } from "../plan/compile.js";
import type { Layer, ModelDescription, Tensor } from "../plan/description.js";
import { instantiate } from "../plan/instantiate.js";
import { Ring } from "../ring/ring.js";
import { seededBytes, seededUniform } from "../testing/seeded.js";
import { deployTogether, inferTogether } from "../testing/together.js";
import { Witness } from "../testing/witness.js";
import { integers, type Values } from "./plain.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

/** A model of extremes: weights, biases, ranges and initial states from nothing to absurd. */
function extreme(seed: string): { model: ModelDescription; range: Record<string, number>; inputs: Values } {
  const random = seededUniform(seed);
  const pick = <T>(...list: T[]): T => list[Math.floor(random() * list.length)]!;
  const [H, I, T, B] = [pick(1, 1, 2, 3, 5, 8), pick(1, 2, 4), pick(1, 2, 3, 5, 8), pick(1, 1, 2, 3)];
  const [layers, resetAfter, heads] = [pick(1, 1, 1, 2), pick(true, false), pick(0, 1, 2, 3)];
  const [ws, us, bs] = [
    pick(0, 0.01, 0.3, 1, 3, 10, 120),
    pick(0, 0.3, 1, 3, 10, 40),
    pick(0, 0.3, 1, 10, 200),
  ];
  const range: Record<string, number> = { x: pick(1e-6, 1e-3, 0.1, 1, 4, 8, 50, 5000) };
  const mode = pick("uniform", "signs", "positive", "negative", "ties");
  const one = (size: number): number => {
    if (mode === "signs") return random() < 0.5 ? -size : size;
    if (mode === "positive") return size;
    if (mode === "negative") return -size;
    // halves of the last place: rounding must go one way everywhere
    if (mode === "ties") return (Math.round((2 * random() - 1) * 50) + 0.5) * 2 ** -14;
    return (2 * random() - 1) * size;
  };
  const tensor = (size: number, ...shape: number[]): Tensor => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => one(size)),
  });
  const tensors: Record<string, Tensor> = {};
  const list: Layer[] = [];
  const inputs: ModelDescription["inputs"] = [{ name: "x", shape: [T, B, I], kind: "real" }];
  if (random() < 0.35) {
    inputs.push({ name: "h0", shape: [1, B, H], kind: "real" });
    range.h0 = pick(1e-6, 0.5, 1, 1.5, 6, 40);
  }
  let x = "x";
  for (let l = 0; l < layers; l++) {
    Object.assign(tensors, {
      [`W${l}`]: tensor(ws, 3 * H, l === 0 ? I : H),
      [`U${l}`]: tensor(us, 3 * H, H),
      [`bW${l}`]: tensor(bs, 3 * H),
      [`bU${l}`]: tensor(bs, 3 * H),
    });
    const initial = l === 0 && range.h0 ? ["h0"] : [];
    const names = { W: `W${l}`, U: `U${l}`, bW: `bW${l}`, bU: `bU${l}` };
    const outputs = [`Y${l}`, `h${l}`];
    list.push({
      op: "gru",
      name: `gru${l}`,
      inputs: [x, ...initial],
      outputs,
      hidden: H,
      resetAfter,
      ...names,
    });
    x = `x${l + 1}`;
    list.push({ op: "squeeze", name: `squeeze${l}`, inputs: [`Y${l}`, "axis1"], outputs: [x] });
  }
  let top = `h${layers - 1}`;
  for (let d = 0, width = H; d < heads; d++) {
    const out = pick(1, 3);
    tensors[`A${d}`] = tensor(pick(0.001, 1, 30, 300), out, width);
    tensors[`b${d}`] = tensor(pick(0, 1, 500), out);
    list.push({ op: "dense", name: `dense${d}`, inputs: [top], outputs: [`o${d}`], A: `A${d}`, b: `b${d}` });
    top = `o${d}`;
    width = out;
    if (random() < 0.4 && d + 1 < heads) {
      list.push({
        op: "activation",
        activation: { name: pick("sigmoid", "tanh") },
        name: `f${d}`,
        inputs: [top],
        outputs: [`p${d}`],
      });
      top = `p${d}`;
    }
  }
  const edge = (size: number, n: number) =>
    Float64Array.from({ length: n }, () => size * pick(1, 1, -1, -1, 2 * random() - 1));
  const values: Values = { x: edge(range.x!, T * B * I) };
  if (range.h0) values.h0 = edge(range.h0, B * H);
  const outputs = [{ name: top }, ...(random() < 0.4 ? [{ name: `Y${layers - 1}` }] : [])];
  const constants = { axis1: { shape: [1], data: [1] } };
  return { model: { name: seed, inputs, outputs, layers: list, tensors, constants }, range, inputs: values };
}

describe("every value of a run of extremes", () => {
  const programs = process.env.SOTTO_LONG ? 5000 : 100;

  it(`is an integer that its operation may give, within its bounds, in ${programs} programs`, () => {
    let runs = 0;
    for (let k = 0; k < programs; k++) {
      const { model, range, inputs } = extreme(`extreme ${k}`);
      let compiled: ReturnType<typeof compile>;
      try {
        compiled = compile(model, { range });
      } catch (error) {
        // what does not fit is refused, and only so
        expect(error).toBeInstanceOf(SottoError);
        expect((error as SottoError).code).toBe("does-not-fit");
        continue;
      }
      const before = ring.bytesInUse;
      const network = instantiate(compiled.plan, {});
      const deployment = deployTogether(ring, compiled, seededBytes(`deploy ${k}`));
      const owner = new Map(
        compiled.plan.tensors.map((t) => [
          t.name,
          Array.from(integers(compiled.tensors[t.name]!, t.scale), (v) => BigInt(v)),
        ]),
      );
      let witness: Witness | undefined;
      inferTogether(ring, network, deployment, inputs, seededBytes(`run ${k}`), (parties) => {
        witness = new Witness(ring, network.program, owner, parties);
      });
      expect(witness!.verdict(), `program ${k}`).toEqual([]);
      deployment.setup.free();
      for (const m of deployment.models) m.free();
      expect(ring.bytesInUse).toBe(before);
      runs++;
    }
    expect(runs).toBeGreaterThan(programs / 2);
  });
});
