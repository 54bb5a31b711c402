/** Models for tests of the daemons. */
import { type Compiled, compile, instantiate, type Profile, runClear } from "@sotto/core";
import { randomGru, randomInput } from "@sotto/core/testing";

export interface TestModel {
  compiled: Compiled;
  /** A fresh input by number. */
  input(n: number): Record<string, { shape: number[]; data: Float64Array }>;
  /** What the model computes without privacy. */
  expected(n: number): Record<string, Float64Array>;
}

/** @param steps 5 rounds each, or 3. */
export function testModel(steps = 6, hidden = 8, seed = 1, profile: Profile = "lan"): TestModel {
  const inputSize = 4;
  const compiled = compile(randomGru({ seed, hidden, inputSize, steps, head: 3 }), { profile });
  const { program } = instantiate(compiled.plan, {});
  const data = (n: number) => randomInput(`input ${n}`, steps * inputSize);
  return {
    compiled,
    input: (n) => ({ x: { shape: [steps, 1, inputSize], data: data(n) } }),
    expected: (n) => runClear(program, compiled.tensors, { x: data(n) }),
  };
}

/** The largest difference between outputs and what is expected. */
export function largestError(
  outputs: Record<string, { data: Float64Array }>,
  expected: Record<string, Float64Array>,
): number {
  let most = 0;
  for (const [name, values] of Object.entries(expected)) {
    values.forEach((v, i) => {
      most = Math.max(most, Math.abs(v - outputs[name]!.data[i]!));
    });
  }
  return most;
}
