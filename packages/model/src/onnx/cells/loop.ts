/**
 * Loop and Scan: a body that computes steps of GRUs becomes GRUs over the whole sequences. What a Loop picks by its
 * iteration is one step of a sequence, as what a Scan is given; what it collects is the sequence of states.
 */
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import type { Analysis } from "./analysis.js";
import type { Body } from "./body.js";
import { writeGru } from "./gru.js";
import { Writer } from "./nodes.js";
import { axisOf } from "./parameters.js";
import type { Step } from "./step.js";

/** A Loop or Scan in the same terms. */
export interface LoopForm {
  node: Node;
  body: Body;
  /** Values carried from step to step: around the loop, and in its body before and after a step. */
  states: { initial: string; before: string; after: string; result: string }[];
  /** [T, B, I] around the loop, for values [B, I] in its body. */
  sequences: Map<string, string>;
  /** Values of each step that are put together after it. */
  collected: { value: string; result: string; axis: number; reverse: boolean }[];
  /** Loop's iteration number, and how many there are. */
  iteration?: string;
  trips?: string;
}

const ADVICE =
  "Export the recurrent layer as torch.nn.GRU or keras.layers.GRU, which become ONNX's GRU operator, or export a plain loop " +
  "over torch.nn.GRUCell by tracing (torch.onnx.export of the module itself, not of torch.jit.script(module))";

/** Throws: which operator, what is in it, why not, and what to do instead. */
export function refuseLoop(node: Node, operators: readonly string[], why: string): never {
  const inside = operators.length > 0 ? ` Its body has ${operators.slice(0, 20).join(", ")}.` : "";
  unsupportedNode(node, `supported is a loop of which each step is a GRU cell; ${why}.${inside} ${ADVICE}`);
}

/** Lists of states (as scripts make them), by the name of the list: the sequence [T, B, H]. */
export type Lists = Map<string, string>;

/** Replaces a loop. @returns its nodes, all of which are ordinary operators. */
export function unroll(ctx: Context, analysis: Analysis, form: LoopForm, lists: Lists): Node[] {
  return new Unrolling(ctx, analysis, form, lists).write();
}

class Unrolling {
  private readonly writer: Writer;
  private readonly steps = new Map<string, Step>();
  private readonly known: Map<string, string>;

  constructor(
    private readonly ctx: Context,
    private readonly analysis: Analysis,
    private readonly form: LoopForm,
    private readonly lists: Lists,
  ) {
    this.writer = new Writer(ctx, form.node.name);
    this.known = new Map(form.sequences);
  }

  write(): Node[] {
    const { facts } = this.analysis;
    for (const state of this.form.states) facts.given(state.before, facts.get(state.initial).shape);
    this.findSteps();
    // A step's inputs may be the states of steps before it in the body, in whose order they are.
    for (const step of this.steps.values()) this.writeStep(step);
    for (const state of this.form.states) this.writeState(state);
    for (const { value, result, axis, reverse } of this.form.collected) {
      if (result === "") continue;
      let found = this.sequence(value);
      if (reverse) found = this.writer.slice(found, 0, -1, undefined, -1);
      const perm = [1, 2];
      perm.splice(axis < 0 ? axis + 3 : axis, 0, 0);
      this.writer.write("Transpose", [found], { perm }, result);
    }
    return this.writer.nodes;
  }

  private findSteps(): void {
    const { analysis } = this;
    const before = new Set(analysis.steps.keys());
    analysis.nearMiss = undefined;
    for (const node of this.form.body.nodes) analysis.add(node);
    for (const [output, step] of [...analysis.steps]) {
      if (before.has(output)) continue;
      this.steps.set(output, step);
      analysis.steps.delete(output);
    }
  }

  private writeStep(step: Step): void {
    const { facts } = this.analysis;
    const state = this.form.states.find(
      (s) => s.before === step.state && facts.resolve(s.after) === step.output,
    );
    if (!state) this.refuse("a cell in its body does not go on from its own state of the step before");
    const inputs = step.inputs.map((name) => this.sequence(name));
    const x = inputs.length === 1 ? inputs[0]! : this.writer.write("Concat", inputs, { axis: 2 });
    const batch = facts.get(step.inputs[0]!).shape?.[0];
    const { Y, last } = writeGru(
      this.ctx,
      this.analysis,
      this.writer,
      x,
      { ...step, state: state.initial },
      batch,
    );
    this.known.set(step.output, this.writer.squeeze(Y, 1));
    this.writer.squeeze(last, 0, state.result || undefined);
  }

  private writeState({ initial, before, after, result }: LoopForm["states"][number]): void {
    const { facts } = this.analysis;
    const value = facts.resolve(after);
    if (this.steps.get(value)?.state === before) return;
    if (value === before) {
      if (result) this.writer.write("Identity", [initial], {}, result);
      return;
    }
    const { node } = facts.get(value);
    const list =
      node?.opType === "SequenceInsert" && facts.resolve(node.inputs[0] ?? "") === before && !node.inputs[2];
    if (list && facts.get(facts.resolve(initial)).node?.opType === "SequenceEmpty") {
      if (result) this.lists.set(result, this.sequence(node.inputs[1] ?? ""));
      return;
    }
    if (result === "" || this.counts(node, before)) return;
    const { nearMiss } = this.analysis;
    const at = node ? ` (${node.opType} ${quote(node.name)})` : "";
    this.refuse(
      `the state ${quote(result)}${at} is not that of a GRU${nearMiss ? `: ${nearMiss.reason}` : ""}`,
    );
  }

  /** A counter, which nobody needs: the model would have to compute with it for it to matter. */
  private counts(node: Node | undefined, before: string): boolean {
    const { facts } = this.analysis;
    return node?.opType === "Add" && node.inputs.includes(before) && facts.get(before).shape?.length === 0;
  }

  /** The sequence whose steps a value [B, I] of the body is. */
  private sequence(name: string): string {
    const { facts } = this.analysis;
    const value = facts.resolve(name);
    const known = this.known.get(value);
    if (known !== undefined) return known;
    const { node } = facts.get(value);
    const of = facts.resolve(node?.inputs[0] ?? "");
    const outside = node?.opType === "Gather" && !this.form.body.inputs.includes(of) && this.isOutside(of);
    if (!node || !outside || facts.resolve(node.inputs[1] ?? "") !== this.form.iteration) {
      const what = node ? `the result of ${node.opType} ${quote(node.name)}` : quote(name);
      this.refuse(`${what} in its body is not a step of a sequence, nor the state of a cell`);
    }
    const { shape } = facts.get(of);
    const axis = shape?.length === 3 ? axisOf(node.attributes.integer("axis") ?? 0, 3) : undefined;
    if (axis === undefined || axis === 2)
      this.refuse(`steps are taken of ${quote(of)}, which is not [time, batch, features]`);
    const steps = this.limited(this.writer.toFront(of, axis, 3), of, axis);
    this.known.set(value, steps);
    return steps;
  }

  private isOutside(name: string): boolean {
    const { nodes } = this.form.body;
    return !nodes.some((node) => node.outputs.includes(name));
  }

  /** As many steps as the loop makes. */
  private limited(x: string, of: string, axis: number): string {
    const { facts } = this.analysis;
    const trips = this.form.trips ?? "";
    const size = facts.get(of).shape?.[axis];
    const count = facts.get(trips).ints?.[0];
    if (count !== undefined && count === size) return x;
    if (count !== undefined && (count < 1 || (size !== undefined && count > size)))
      badNode(this.form.node, `it makes ${count} steps of ${quote(of)}, which has ${size ?? "some"}`);
    const { node } = facts.get(facts.resolve(trips));
    const shape = facts.get(facts.resolve(node?.inputs[0] ?? "")).node;
    const index = facts.get(node?.inputs[1] ?? "").ints?.[0];
    const whole =
      node?.opType === "Gather" && shape?.opType === "Shape" && facts.resolve(shape.inputs[0] ?? "") === of;
    if (whole && index === axis && shape.attributes.integer("start") === undefined) return x;
    const end = this.writer.write("Reshape", [trips, this.writer.integers(1)]);
    return this.writer.write("Slice", [x, this.writer.integers(0), end, this.writer.integers(0)]);
  }

  private refuse(why: string): never {
    refuseLoop(this.form.node, this.form.body.operators, why);
  }
}
