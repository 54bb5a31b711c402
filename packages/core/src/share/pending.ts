/** Functions at a network's end, which the client computes on the values it reconstructed. */
import { activationFunction } from "../plan/activation.js";
import type { NetworkOutput } from "../plan/instantiate.js";
import type { GroupFunction } from "../plan/values.js";

/** Applies what an output left to the client. @param data what was revealed for it. @returns its values, row-major. */
export function applyPending({ pending }: Pick<NetworkOutput, "pending">, data: Float64Array): Float64Array {
  if (!pending) return data;
  if (pending.op === "activation") return data.map(activationFunction(pending.activation));
  const { op, size, picked } = pending;
  const perGroup = op === "argMax" ? 1 : size;
  const results = new Float64Array((data.length / size) * perGroup);
  for (let at = 0; at < data.length; at += size) {
    results.set(GROUP_FUNCTIONS[op](data.subarray(at, at + size)), (at / size) * perGroup);
  }
  return picked ? Float64Array.from(picked, (result) => results[result]!) : results;
}

const GROUP_FUNCTIONS: Record<GroupFunction["op"], (x: Float64Array) => ArrayLike<number>> = {
  softmax: (x) => logSoftmax(x).map(Math.exp),
  logSoftmax,
  argMax: (x) => [x.indexOf(largest(x))],
};

function logSoftmax(x: Float64Array): Float64Array {
  const most = largest(x);
  const sum = x.reduce((total, v) => total + Math.exp(v - most), 0);
  return x.map((v) => v - most - Math.log(sum));
}

function largest(x: Float64Array): number {
  return x.reduce((most, v) => Math.max(most, v), -Infinity);
}
