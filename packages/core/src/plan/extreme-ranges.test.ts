import { describe, expect, it } from "vitest";
import { runClear, runExact } from "../interpret/plain.js";
import { prepareInputs } from "../share/share.js";
import { randomGru, randomInput } from "../testing/models.js";
import { compile } from "./compile.js";
import type { ModelDescription } from "./description.js";
import { instantiate } from "./instantiate.js";

/** A network for inputs of this size: its first weights are as much smaller. */
function sized(range: number): ModelDescription {
  const model = randomGru({ seed: 1, hidden: 6, inputSize: 4, steps: 3, head: 2 });
  model.tensors.W0!.data = model.tensors.W0!.data.map((w) => w / range);
  return model;
}

function error(range: number): number {
  const model = sized(range);
  const { plan, tensors } = compile(model, { range });
  const network = instantiate(plan, {});
  const x = { shape: [3, 1, 4], data: randomInput(1, 12, 1).map((v) => v * range) };
  const inputs = prepareInputs(network, { x }, {});
  const [clear, exact] = [
    runClear(network.program, tensors, inputs).y!,
    runExact(network.program, plan, tensors, inputs).y!,
  ];
  expect(Math.max(...clear.map(Math.abs))).toBeGreaterThan(0.05);
  return Math.max(...clear.map((v, i) => Math.abs(v - exact[i]!)));
}

describe("an input's range", () => {
  it.each([1e-30, 1e-12, 1e-9, 1e-5, 1, 2 ** 18, 2 ** 19, 1e9, 1e12, 1e30])("may be %f", (range) => {
    expect(error(range)).toBeLessThan(0.001);
  });
});
