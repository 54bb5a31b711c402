/**
 * The two interpretations without privacy: clear (reals: what the model computes) and exact (integers:
 * what the servers must compute, up to the last place of each truncation and the choice between two nodes).
 * Integers are exact in doubles, since every bound of a program is below 2^53 (program/builder.ts).
 */
import { SottoError } from "../errors.js";
import { operation } from "../ops/index.js";
import type { PlainRun } from "../ops/operation.js";
import type { Plan } from "../plan/plan.js";
import type { Node } from "../program/nodes.js";
import { inOrder, type Program } from "../program/program.js";

/** Named vectors of reals. */
export type Values = Record<string, Float64Array>;

/** Is shown each node's values, once they are computed. */
export type Observer = (node: Node, values: Float64Array) => void;

/** Runs the model over reals. What a chunk of a stream carries is among inputs and results. @param tensors the model owner's tensors, by the plan's names. */
export function runClear(program: Program, tensors: Values, inputs: Values, observe?: Observer): Values {
  return run(
    "clear",
    program,
    (name) => lookUp(tensors, name),
    inputs,
    () => 1,
    observe,
  );
}

/** Runs the model over integers; results as reals. */
export function runExact(program: Program, plan: Plan, tensors: Values, inputs: Values): Values {
  const scaled = new Map<string, Float64Array>();
  for (const { name, scale } of plan.tensors) scaled.set(name, integers(lookUp(tensors, name), scale));
  const integerInputs: Values = {};
  for (const node of program.inputs) {
    if (node.op === "input") integerInputs[node.name] = integers(lookUp(inputs, node.name), node.scale);
  }
  for (const node of program.carried) {
    integerInputs[node.name] = integers(lookUp(inputs, node.name), node.scale);
  }
  return run(
    "exact",
    program,
    (name) => scaled.get(name)!,
    integerInputs,
    (scale) => 2 ** -scale,
  );
}

/** Reals to integers at a scale: to the nearest, ties to even, just as `encode` (ring/fixed.ts) makes the words. */
export function integers(values: Float64Array, scale: number): Float64Array {
  const factor = 2 ** scale;
  return values.map((v) => {
    const x = v * factor;
    const floor = Math.floor(x);
    const rest = x - floor;
    return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
  });
}

function run(
  kind: "clear" | "exact",
  program: Program,
  tensor: (name: string) => Float64Array,
  inputs: Values,
  unit: (scale: number) => number,
  observe?: Observer,
): Values {
  const values: (Float64Array | undefined)[] = [];
  const context: PlainRun = {
    program,
    tensor,
    value: (id) => values[id]!,
    input: (name) => lookUp(inputs, name),
  };
  const outputs: Values = {};
  for (const node of inOrder(program)) {
    const op = operation(node);
    const result = kind === "clear" ? op.clear(node, context) : op.exact(node, context);
    values[node.id] = result;
    observe?.(node, result);
    if (node.op === "output" || node.op === "carry")
      outputs[node.name] = result.map((v) => v * unit(node.scale));
    for (const id of program.lastUse[node.id] ?? []) values[id] = undefined;
  }
  return outputs;
}

function lookUp(values: Values, name: string): Float64Array {
  const found = values[name];
  if (!found)
    throw new SottoError("bad-input", `no values for ${name}; given: ${Object.keys(values).join(", ")}`);
  return found;
}
