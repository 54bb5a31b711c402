/** All that is known of a graph's values, kept up to date node by node. */
import type { ModelInput } from "@sotto/core";
import type { Context } from "../context.js";
import { isStandardDomain } from "../decode.js";
import type { Node } from "../graph.js";
import { Affines } from "./affine.js";
import { Facts } from "./facts.js";
import { Matrices } from "./matrices.js";
import { axisOf } from "./parameters.js";
import { Polynomials } from "./polynomial.js";
import { NoStep, type Step, Steps } from "./step.js";

/** Operators of which a state can be the result. */
const UPDATES: ReadonlySet<string> = new Set(["Add", "Sub", "Mul"]);
/** Operators that go on with a polynomial; any other reader of a value needs it as a value. */
const ELEMENTWISE: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Neg"]);

export class Analysis {
  readonly facts: Facts;
  readonly matrices: Matrices;
  readonly polynomials: Polynomials;
  readonly affines: Affines;
  /** Recognised steps by the names of their new states, in order. */
  readonly steps = new Map<string, Step>();
  /** Why the last value that looked like a state was none. */
  nearMiss: NoStep | undefined;
  /** Views that no node of the file takes, but which the recognised steps read. */
  readonly views: Node[] = [];
  private readonly viewsByKey = new Map<string, string>();
  private readonly matcher: Steps;

  /**
   * @param budget how many elements of weights may be made.
   * @param readers the operators that read each value; "" stands for the model's outputs.
   */
  constructor(
    private readonly ctx: Context,
    inputs: readonly ModelInput[],
    budget: number,
    private readonly readers: ReadonlyMap<string, ReadonlySet<string>>,
  ) {
    this.facts = new Facts(ctx);
    for (const input of inputs) this.facts.input(input);
    this.matrices = new Matrices(budget);
    this.polynomials = new Polynomials(this.facts);
    this.affines = new Affines(ctx, this.facts, this.matrices, {
      isGate: (name) => this.matcher.gate(name) !== undefined,
      viewOf: (view, position, of) => this.viewOf(view, position, of),
    });
    this.matcher = new Steps(this);
  }

  add(given: Node): void {
    // What is not exactly the operator that is known computes something of its own.
    const node = isPlain(given) ? given : { ...given, opType: "" };
    this.facts.add(node);
    this.polynomials.add(node);
    this.affines.add(node);
    if (UPDATES.has(node.opType)) this.recognise(node.outputs[0] ?? "");
  }

  private recognise(output: string): void {
    const step = this.matcher.match(output);
    if (step instanceof NoStep) this.nearMiss = step;
    // n - z n is a step from zero, or the first half of one from another state.
    else if (step && (step.state !== undefined || this.isReadAsValue(output))) {
      this.steps.set(output, step);
      this.polynomials.seal(output);
      this.affines.seal(output);
    }
  }

  private isReadAsValue(name: string): boolean {
    return [...(this.readers.get(name) ?? [])].some((op) => !ELEMENTWISE.has(op));
  }

  private viewOf(view: Node, position: number, of: string): string {
    const meaning = this.meaning(view, of);
    const known = this.viewsByKey.get(`${position} ${meaning}`);
    if (known !== undefined) return known;
    const outputs = view.outputs.map((_, i) => this.ctx.fresh(`${view.name}.of.${of}.${i}`));
    const node = { ...view, inputs: [of, ...view.inputs.slice(1)], outputs };
    this.views.push(node);
    this.facts.add(node);
    this.polynomials.add(node);
    this.affines.add(node);
    outputs.forEach((output, i) => {
      this.viewsByKey.set(`${i} ${meaning}`, output);
    });
    return outputs[position]!;
  }

  /** Equal for views that do the same, however they say it. */
  private meaning(view: Node, of: string): string {
    const { shape } = this.facts.get(of);
    const rank = shape?.length ?? 0;
    const lists = ["axes", "starts", "ends", "split", "perm"].map((name) => view.attributes.integers(name));
    const parameters = view.inputs.slice(1).map((name) => this.parameter(name));
    if (view.opType !== "Gather" && view.opType !== "Split")
      return JSON.stringify([view.opType, of, parameters, lists]);
    const axis = axisOf(view.attributes.integer("axis") ?? 0, rank) ?? 0;
    const size = shape?.[axis];
    const index = this.facts.get(view.inputs[1] ?? "");
    const [at] = index.ints ?? [];
    const one =
      view.opType === "Gather" && index.shape?.length === 0 && at !== undefined && size !== undefined;
    return JSON.stringify([view.opType, of, axis, one && at < 0 ? [0, at + size] : parameters[0], lists]);
  }

  /** Equal constants have equal keys. */
  private parameter(name: string): unknown {
    const { ints, shape } = this.facts.get(name);
    return ints && !ints.includes(undefined) && ints.length <= 16 ? [shape?.length, ...ints] : name;
  }
}

/** The attributes of the operators that a cell may consist of, and of the views before and after it. */
const ATTRIBUTES: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    Add: [],
    Sub: [],
    Mul: [],
    Neg: [],
    MatMul: [],
    Sigmoid: [],
    Tanh: [],
    Identity: [],
    Dropout: ["ratio", "seed"],
    Gemm: ["alpha", "beta", "transA", "transB"],
    Concat: ["axis"],
    Split: ["axis", "split", "num_outputs"],
    Gather: ["axis"],
    Slice: ["axes", "starts", "ends"],
    Squeeze: ["axes"],
    Unsqueeze: ["axes"],
    Transpose: ["perm"],
  }),
);

function isPlain(node: Node): boolean {
  const known = ATTRIBUTES.get(node.opType);
  const others = known && [...node.attributes.names()].some((name) => !known.includes(name));
  return isStandardDomain(node.domain) && !others;
}

/** The operators that read each value. */
export function readersOf(nodes: readonly Node[], outputs: Iterable<string>): Map<string, Set<string>> {
  const readers = new Map<string, Set<string>>();
  const add = (name: string, op: string) => {
    const ops = readers.get(name);
    if (ops) ops.add(op);
    else readers.set(name, new Set([op]));
  };
  for (const node of nodes) for (const name of node.inputs) add(name, node.opType);
  for (const name of outputs) add(name, "");
  return readers;
}
