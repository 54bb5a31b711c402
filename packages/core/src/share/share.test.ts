import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { compile } from "../plan/compile.js";
import { instantiate } from "../plan/instantiate.js";
import { Ring } from "../ring/ring.js";
import { randomGru } from "../testing/models.js";
import { programOf } from "../testing/programs.js";
import { seededBytes } from "../testing/seeded.js";
import { loadTensorShares, prepareInputs, reconstruct, shareInputs, shareTensors } from "./share.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const model = randomGru({ seed: 4, hidden: 3, inputSize: 2, steps: 2 });
const compiled = compile(model, { range: 2 });
const network = instantiate(compiled.plan, {});
const x = (data: number[]) => ({ x: { shape: [2, 1, 2], data } });

describe("inputs", () => {
  it("outside the declared range are refused or clipped, as the caller chooses", () => {
    const inputs = x([0, 2.5, -2, -3]);
    expect(() => prepareInputs(network, inputs, {})).toThrow(
      /input x: element 1 \(\[0,0,1\]\) is outside .* \|x\| <= 2/,
    );
    expect([...prepareInputs(network, inputs, {}, { outside: "clip" }).x!]).toEqual([0, 2, -2, -2]);
  });

  it("that are no numbers are refused, without saying the value", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const outside of ["clip", "refuse"] as const) {
        expect(() => prepareInputs(network, x([0, 0, 0, bad]), {}, { outside })).toThrow(
          /element 3 \(\[1,0,1\]\) is NaN or infinite/,
        );
      }
    }
    expect(() => prepareInputs(network, x([0, 1.9, 7.25, 0]), {})).not.toThrow(/7\.25/);
  });

  it("of another shape, or missing, are refused", () => {
    expect(() => prepareInputs(network, { x: { shape: [4], data: [0, 0, 0, 0] } }, {})).toThrow(
      /expected \[2,1,2\]/,
    );
    expect(() => prepareInputs(network, x([0, 0, 0]), {})).toThrow(
      /shape \[2,1,2\] is of 4 numbers, and data has 3/,
    );
    expect(() => prepareInputs(network, {}, {})).toThrow(/x is missing/);
  });
});

describe("tokens", () => {
  const text = compile({
    name: "text",
    inputs: [{ name: "t", shape: [2], kind: "token" }],
    outputs: [{ name: "y" }],
    layers: [
      { op: "embedding", name: "e", inputs: ["t"], outputs: ["x"], table: "E" },
      { op: "dense", name: "d", inputs: ["x"], outputs: ["y"], A: "A" },
    ],
    tensors: {
      E: { shape: [3, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
      A: { shape: [1, 2], data: Float32Array.of(1, 1) },
    },
    constants: {},
  });
  const { plan, publicTensors } = text;
  const looked = (...data: number[]) =>
    prepareInputs(instantiate(plan, {}), { t: { shape: [2], data } }, publicTensors).t!;

  it("are looked up by the client", () => {
    expect([...looked(2, 0)]).toEqual([4, 5, 0, 1]);
  });

  it("outside the table are refused: -1 is a mistake, not the last one", () => {
    for (const bad of [3, -1, 0.5, Number.NaN])
      expect(() => looked(0, bad)).toThrow(/element 1 .*expected 0 to 2/);
  });
});

describe("shares", () => {
  const passing = programOf([], (p) => p.output("y", p.input("x", 5, 14, 2 ** 20)));

  it("put together give the value, for any value within the bounds", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -(2 ** 20), max: 2 ** 20 }), { minLength: 5, maxLength: 5 }),
        fc.nat(),
        (list, seed) => {
          const values = { x: Float64Array.from(list, (v) => v / 2 ** 14) };
          const shares = shareInputs(ring, passing, values, seededBytes(seed));
          expect([...reconstruct(ring, passing, shares).y!.data]).toEqual([...values.x]);
        },
      ),
    );
  });

  it("are fresh each time, and neither depends on the value alone", () => {
    const values = { x: new Float64Array(5) };
    const [a, b] = [shareInputs(ring, passing, values), shareInputs(ring, passing, values)];
    expect(a[0]).not.toEqual(b[0]);
    expect(a[1]).not.toEqual(b[1]);
  });

  it("of tensors add up to the owner's integers, and a share of another length is refused", () => {
    const shares = shareTensors(ring, compiled.plan, compiled.tensors);
    const [a, b] = shares.map((s) => loadTensorShares(ring, compiled.plan, s));
    for (const t of compiled.plan.tensors) {
      const [p, q] = [ring.words(a!.get(t.name)!), ring.words(b!.get(t.name)!)];
      compiled.tensors[t.name]!.forEach((v, i) => {
        expect(Number(BigInt.asIntN(64, p[i]! + q[i]!))).toBe(Math.round(v * 2 ** t.scale) + 0);
      });
    }
    expect(() => loadTensorShares(ring, compiled.plan, shares[0].subarray(8))).toThrow(
      /model share of \d+ bytes/,
    );
  });

  it("of an output of the wrong length are refused, naming the server", () => {
    expect(() => reconstruct(ring, passing, [new Uint8Array(14), new Uint8Array(1)])).toThrow(
      /server 1 sent an output share of 1 bytes, expected 14/,
    );
  });
});
