import { describe, expect, it } from "vitest";
import { activationFunction } from "./activation.js";
import { activationTable, nodeBitsFor, nodeValue } from "./table.js";

describe.each(["sigmoid", "tanh"] as const)("the table of %s", (name) => {
  it.each([28, 27, 26])(
    "at %i bits is within 2^-11 of the function by either node, for every input",
    (outputScale) => {
      const table = activationTable({ name }, 1000, outputScale);
      const f = activationFunction({ name });
      const limit = (table.window / 2 + 4) * 2 ** table.stepBits;
      let worst = 0;
      for (let x = -limit; x <= limit; x++) {
        const node = Math.floor(x / 2 ** table.stepBits);
        for (const i of [node, node + 1]) {
          const y = nodeValue(table, i, x) / 2 ** outputScale;
          worst = Math.max(worst, Math.abs(y - f(x / 2 ** table.inputScale)));
        }
      }
      expect(worst).toBeLessThan(2 ** -11);
    },
  );

  it("never leaves its range, so that a gate lies in [0, 1] and a state in [-1, 1]", () => {
    const table = activationTable({ name }, 1000, 28);
    expect(table.hi).toBe(2 ** 28 - 1);
    expect(table.lo).toBe(name === "tanh" ? -(2 ** 28 - 1) : 0);
    const step = 2 ** table.stepBits;
    for (let node = -table.window / 2 - 1; node <= table.window / 2; node++) {
      for (let d = 1 - step; d < step; d++) {
        const y = nodeValue(table, node, node * step + d);
        if (y < table.lo || y > table.hi || !Number.isInteger(y)) expect.fail(`node ${node}, ${d}: ${y}`);
      }
    }
  });
});

describe("the number of nodes", () => {
  const table = activationTable({ name: "sigmoid" }, 1000, 28);
  const step = 2 ** table.stepBits;

  it("is the smallest for which both nodes around the largest input have a number", () => {
    expect(nodeBitsFor(table, 31 * step, "g")).toBe(6);
    expect(nodeBitsFor(table, 31 * step + 1, "g")).toBe(7);
    expect(nodeBitsFor(table, 127 * step, "g")).toBe(8);
    expect(nodeBitsFor(table, 127 * step + 1, "g")).toBe(9);
  });

  it("is refused beyond the largest table, naming the layer and what to do", () => {
    expect(() => nodeBitsFor(table, 40000 * step, "gru 7")).toThrow(
      /layer gru 7.*can reach 1\.000e\+4.*--input-range/,
    );
  });
});
