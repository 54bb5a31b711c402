import { expect, it } from "vitest";
import { compile } from "../plan/compile.js";
import type { Layer } from "../plan/description.js";
import { instantiate } from "../plan/instantiate.js";
import { Streaming } from "../plan/stream.js";
import { packedBytes } from "../ring/packed.js";
import { randomGru } from "../testing/models.js";
import { inputBytesOpened } from "./first-opening.js";

it("the client is shown nothing that opens a state, or the model's own initial state", () => {
  const model = randomGru({ seed: 1, hidden: 4, inputSize: 1, steps: 1 });
  model.tensors.start = { shape: [1, 4], data: Float32Array.of(0.5, -0.5, 0.25, 1) };
  (model.layers[0] as Layer & { op: "gru" }).initial = "start";
  const { plan } = compile(model);
  const { program } = instantiate(plan, {});
  const [first] = program.stages[0]!.openings;
  expect(inputBytesOpened(program)).toBe(packedBytes(1, first!.modulus));
  expect(inputBytesOpened(program)).toBeLessThan(8);
  const stream = new Streaming(plan, { sizes: {}, steps: 1 });
  for (const kind of ["start", "continue"] as const)
    expect(inputBytesOpened(stream.chunk(kind).program)).toBe(packedBytes(1, first!.modulus));
  // a state that is renewed is opened first
  expect(inputBytesOpened(stream.chunk("renew").program)).toBe(0);
});
