/** A plan's inputs and outputs in the terms of the Open Inference Protocol. */
import { instantiate, type ModelInput, type Plan, type Sizes } from "@sotto/core";
import type { z } from "zod";
import type { schemas } from "./routes.js";

type Described = Pick<z.input<typeof schemas.model>, "inputs" | "outputs">;

const OPEN = -1;
/** Pairs of values for open sizes: dimensions of outputs that differ are open. The smallest that the model takes. */
const TRIALS = [
  [2, 3],
  [16, 17],
  [128, 129],
] as const;

const known = new WeakMap<Plan, Described>();

/** Kept for the next time: shapes of outputs take a walk over the network. */
export function describePlan(plan: Plan): Described {
  const described = known.get(plan) ?? {
    inputs: plan.inputs.filter((i) => !i.mask).map(input),
    outputs: outputs(plan),
  };
  known.set(plan, described);
  return described;

  function input({ name, shape, kind }: ModelInput): Described["inputs"][number] {
    const range = plan.ranges[name];
    return {
      name,
      datatype: kind === "real" ? "FP32" : "INT64",
      shape: shape.map((d) => (typeof d === "number" ? d : OPEN)),
      sizes: [...shape],
      kind,
      ...(kind === "real" && range !== undefined ? { range } : {}),
    };
  }
}

function outputs(plan: Plan): Described["outputs"] {
  const names = new Set(plan.inputs.flatMap((i) => i.shape.filter((d) => typeof d === "string")));
  const at = (size: number): Sizes => Object.fromEntries([...names].map((name) => [name, size]));
  for (const [a, b] of TRIALS) {
    try {
      const first = instantiate(plan, at(a)).outputs;
      const second = names.size === 0 ? first : instantiate(plan, at(b)).outputs;
      return first.map(({ name, shape }, i) => ({
        name,
        datatype: "FP32",
        shape: shape.map((d, j) => (second[i]!.shape[j] === d ? d : OPEN)),
      }));
    } catch {
      // too short for this model: a convolution that is longer, for example
    }
  }
  return plan.outputs.map(({ name }) => ({ name, datatype: "FP32", shape: [] }));
}
