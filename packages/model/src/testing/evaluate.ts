/** What a description computes: core's clear interpretation, from model inputs to model outputs. */
import {
  applyPending,
  type CompileOptions,
  type Constant,
  compile,
  instantiate,
  type ModelDescription,
  prepareInputs,
  runClear,
  sizesOf,
} from "@sotto/core";

/** @returns the outputs, by name, for inputs of these shapes. */
export function evaluate(
  model: ModelDescription,
  feeds: Record<string, Constant>,
  options: CompileOptions = {},
): Record<string, Constant> {
  const sizes = sizesOf(model, feeds);
  const { plan, tensors, publicTensors } = compile(model, { sizes, ...options });
  const network = instantiate(plan, sizes);
  const values = runClear(network.program, tensors, prepareInputs(network, feeds, publicTensors));
  return Object.fromEntries(
    network.outputs.map((output) => [
      output.name,
      { shape: output.shape, data: [...applyPending(output, values[output.name]!)] },
    ]),
  );
}
