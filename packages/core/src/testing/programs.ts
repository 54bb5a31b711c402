/** Small programs for tests of single operations. */
import type { Compiled } from "../plan/compile.js";
import type { Network } from "../plan/instantiate.js";
import { PLAN_VERSION, type Plan, type Profile, type TensorPlan } from "../plan/plan.js";
import { Builder } from "../program/builder.js";
import { finishProgram } from "../program/program.js";

/** A network around a hand-built program; every output is called by its node's name. */
export function programOf(
  tensors: TensorPlan[],
  build: (p: Builder) => void,
  profile: Profile = "lan",
): Network {
  const builder = new Builder(new Map(tensors.map((t) => [t.name, t])), profile);
  builder.label = "test";
  build(builder);
  const program = finishProgram(builder.nodes);
  const plan: Plan = {
    version: PLAN_VERSION,
    name: "test",
    inputs: [],
    outputs: [],
    layers: [],
    constants: {},
    precision: { operand: 14, weight: 14, gate: 14, activation: 28 },
    profile,
    ranges: {},
    tensors,
    publicTensors: [],
    gruBounds: {},
    folds: {},
  };
  const outputs = program.outputs.map((n) => ({ name: n.op === "output" ? n.name : "", shape: [n.length] }));
  return { plan, sizes: {}, program, inputs: [], outputs };
}

/** The program's tensors as an owner would hold them. */
export function ownerOf(network: Network, tensors: Compiled["tensors"]): Compiled {
  return { plan: network.plan, tensors, publicTensors: {} };
}
