import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { activationFunction, type FunctionSpec } from "./activation.js";
import { type ActivationTable, activationTable, nodeBitsFor, nodeValue, windowOf } from "./table.js";
import { tableLimbs } from "./table-layout.js";

/** The largest error over inputs |x| <= bound, by either node around each. */
function worst(table: ActivationTable, f: (x: number) => number, bound: number, stride = 1): number {
  const step = 2 ** table.stepBits;
  const last = Math.floor(bound * 2 ** table.inputScale);
  let most = 0;
  for (let x = -last; x <= last; x += stride) {
    for (const node of [Math.floor(x / step), Math.ceil(x / step)]) {
      const y = nodeValue(table, node, x);
      if (y < table.lo || y > table.hi || !Number.isInteger(y)) throw new Error(`node ${node}, ${x}: ${y}`);
      most = Math.max(most, Math.abs(y / 2 ** table.outputScale - f(x / 2 ** table.inputScale)));
    }
  }
  return most;
}

const limited = (spec: FunctionSpec) => {
  const f = activationFunction(spec);
  const { limit = Infinity } = spec;
  return (x: number) => Math.min(Math.max(f(x), -limit), limit);
};

describe("tables of functions", () => {
  const specs: FunctionSpec[] = [
    { name: "sigmoid" },
    { name: "tanh" },
    { name: "relu" },
    { name: "hardSigmoid" },
    { name: "hardSigmoid", alpha: 1 / 6, beta: 0.5 },
    { name: "leakyRelu" },
    { name: "leakyRelu", alpha: 0.3 },
    { name: "elu" },
    { name: "elu", alpha: 0.5 },
    { name: "softsign" },
    { name: "softplus" },
    { name: "affine", alpha: -0.7, beta: 0.3 },
    { name: "scaledTanh", alpha: 1.7159, beta: 2 / 3 },
    { name: "clip", alpha: 0, beta: 6 },
    { name: "clip", alpha: -1, beta: 1 },
    { name: "sigmoid", clip: 3 },
    { name: "tanh", clip: 0.5 },
    { name: "relu", clip: 2 },
    { name: "relu", limit: 3 },
    { name: "affine", limit: 2 },
  ];
  it.each(specs.map((spec) => ({ name: JSON.stringify(spec), spec })))(
    "$name is within 0.001 for |x| <= 6, and within 2^-13 of the range for |x| <= 60",
    ({ spec }) => {
      expect(worst(activationTable(spec, 6, 28), limited(spec), 6)).toBeLessThan(0.001);
      expect(worst(activationTable(spec, 60, 28), limited(spec), 60, 3)).toBeLessThan(60 * 2 ** -13);
    },
  );

  it("is off by its step near the threshold of a thresholded ReLU, and only there", () => {
    const spec: FunctionSpec = { name: "thresholdedRelu", alpha: 0.5 };
    const table = activationTable(spec, 6, 28);
    const f = limited(spec);
    const d = 2 ** (table.stepBits - table.inputScale);
    const away = (x: number) => (Math.abs(x - 0.5) > 2 * d ? f(x) : Number.NaN);
    expect(worst(table, (x) => away(x) || 0, 0.4)).toBeLessThan(2 ** -10);
    expect(d).toBeLessThanOrEqual(2 ** -7);
  });

  it("keep to their limits, hold every input, and fit the kernel, for any function, parameters and bound", () => {
    const name = fc.constantFrom(...new Set(specs.map((s) => s.name)));
    const number = fc.double({ min: -4, max: 4, noNaN: true });
    const spec = fc.record(
      {
        name,
        alpha: number,
        beta: number,
        clip: fc.double({ min: 0.05, max: 20, noNaN: true }),
        limit: fc.double({ min: 0.05, max: 20, noNaN: true }),
      },
      { requiredKeys: ["name"] },
    );
    const bound = fc.double({ min: 1e-3, max: 500, noNaN: true });
    fc.assert(
      fc.property(spec, bound, fc.constantFrom(28, 27, 26), (given, most, scale) => {
        const s = given.name === "clip" ? { ...given, alpha: -1, beta: 2 } : given;
        const table = activationTable(s, most, scale);
        const last = Math.floor(most * 2 ** table.inputScale) + 1;
        const window = windowOf(table, nodeBitsFor(table, last, "layer"));
        expect(table.window % 64).toBe(0);
        expect(tableLimbs(table, window).length).toBe(window * 5);
        // throws where a value leaves lo..hi
        worst(table, () => 0, most, Math.max(1, Math.floor(last / 3000)));
        if (s.limit !== undefined)
          expect(Math.max(-table.lo, table.hi)).toBeLessThanOrEqual(s.limit * 2 ** table.outputScale);
      }),
      { numRuns: 150 },
    );
  });

  it("refuse functions and parameters that are none", () => {
    expect(() => activationFunction({ name: "gelu" as "relu" })).toThrow(/activation "gelu": there is none/);
    expect(() => activationTable({ name: "elu", alpha: Number.NaN }, 1, 28)).toThrow(/not finite/);
    expect(() => activationTable({ name: "clip", alpha: 2, beta: 1 }, 1, 28)).toThrow(/crossed/);
    expect(() => activationFunction({ name: "tanh", clip: -1 })).toThrow(/positive/);
  });
});
