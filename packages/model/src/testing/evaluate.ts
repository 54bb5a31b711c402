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
  runExact,
  sizesOf,
} from "@sotto/core";

/** @returns the outputs, by name, for inputs of these shapes. */
export function evaluate(
  model: ModelDescription,
  feeds: Record<string, Constant>,
  options: CompileOptions = {},
): Record<string, Constant> {
  return interpretations(model, feeds, options).clear();
}

/** The same, and what the servers compute: in integers, with tables for functions. Each when it is called. */
export function interpretations(
  model: ModelDescription,
  feeds: Record<string, Constant>,
  options: CompileOptions = {},
): Record<"clear" | "exact", () => Record<string, Constant>> {
  const sizes = sizesOf(model, feeds);
  const { plan, tensors, publicTensors } = compile(model, { sizes, ...options });
  const network = instantiate(plan, sizes);
  const inputs = prepareInputs(network, feeds, publicTensors);
  const named = (values: Record<string, Float64Array>) =>
    Object.fromEntries(
      network.outputs.map((output) => [
        output.name,
        { shape: output.shape, data: [...applyPending(output, values[output.name]!)] },
      ]),
    );
  return {
    clear: () => named(runClear(network.program, tensors, inputs)),
    exact: () => named(runExact(network.program, plan, tensors, inputs)),
  };
}
