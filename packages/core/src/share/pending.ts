/** Functions at a network's end, which the client computes on the values it reconstructed. */
import { activationFunction } from "../plan/activation.js";
import type { NetworkOutput } from "../plan/instantiate.js";

/** Applies what an output left to the client. @param data the output's values, row-major. */
export function applyPending(output: NetworkOutput, data: Float64Array): Float64Array {
  const { pending, shape } = output;
  if (!pending) return data;
  if (!("axis" in pending)) return data.map(activationFunction(pending.activation));
  const size = shape[pending.axis]!;
  const stride = shape.slice(pending.axis + 1).reduce((n, d) => n * d, 1);
  const out = new Float64Array(data.length);
  for (let block = 0; block < data.length; block += size * stride) {
    for (let lane = 0; lane < stride; lane++) {
      const at = (k: number) => block + lane + k * stride;
      let most = -Infinity;
      for (let k = 0; k < size; k++) most = Math.max(most, data[at(k)]!);
      let sum = 0;
      for (let k = 0; k < size; k++) sum += Math.exp(data[at(k)]! - most);
      for (let k = 0; k < size; k++) {
        const log = data[at(k)]! - most - Math.log(sum);
        out[at(k)] = pending.op === "softmax" ? Math.exp(log) : log;
      }
    }
  }
  return out;
}
