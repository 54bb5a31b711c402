/** The model without privacy: what `--check` and the demo compare the private result with. */
import { applyPending, type Compiled, type Network, runClear, type Values } from "@sotto/core";
import type { Outputs } from "./outputs.js";

/** @param values prepared inputs (core's prepareInputs). */
export function runPlaintext(compiled: Compiled, network: Network, values: Values): Outputs {
  const results = runClear(network.program, compiled.tensors, values);
  return Object.fromEntries(
    network.outputs.map((output) => [
      output.name,
      { shape: output.shape, data: applyPending(output, results[output.name]!) },
    ]),
  );
}
