/** Steps that follow one another with the same weights are one GRU over their inputs. */
import type { Context } from "../context.js";
import { axisOf, cutsOf, integersOf, partsOf } from "./infer.js";
import type { Analysis } from "./analysis.js";
import type { Facts } from "./facts.js";
import type { Matrix } from "./matrices.js";
import { Writer } from "./nodes.js";
import type { Step } from "./step.js";

export interface Chain {
  steps: Step[];
  /** Of the steps, or of the later ones where the first starts from zero and the file has folded it. */
  U: Matrix | undefined;
}

/** @param steps in order. @param alone whether every step is a chain of its own. */
export function chains(steps: Iterable<Step>, { facts }: Analysis, alone: boolean): Chain[] {
  const found: Chain[] = [];
  const byLast = new Map<string, { chain: Chain; outputs: Set<string>; apart: Set<string> }>();
  for (const step of steps) {
    const before = step.state === undefined || alone ? undefined : byLast.get(step.state);
    const continues =
      before &&
      alike(before.chain, step) &&
      !step.inputs.some((x) => {
        const first = facts.get(before.chain.steps[0]!.output).order;
        return facts.dependsOn(x, before.outputs, first, before.apart);
      });
    if (continues) {
      byLast.delete(step.state!);
      before.chain.steps.push(step);
      before.chain.U ??= step.U;
      before.outputs.add(step.output);
      byLast.set(step.output, before);
    } else {
      const chain = { steps: [step], U: step.U };
      found.push(chain);
      byLast.set(step.output, { chain, outputs: new Set([step.output]), apart: new Set() });
    }
  }
  return found;
}

function alike({ steps, U }: Chain, b: Step): boolean {
  const a = steps[0]!;
  const recurrent = U === undefined || U === b.U;
  return recurrent && a.resetAfter === b.resetAfter && a.W === b.W && a.bW === b.bW && a.bU === b.bU && `${a.widths}` === `${b.widths}`;
}

/** Writes the nodes of a chain: one GRU, and a view for the state of each step. */
export function writeChain(ctx: Context, analysis: Analysis, { steps, U }: Chain, writer: Writer): void {
  const { facts } = analysis;
  const first = steps[0]!;
  const sequences = first.inputs.map((_, i) =>
    sequence(
      facts,
      writer,
      steps.map((s) => s.inputs[i]!),
    ),
  );
  const x = sequences.length === 1 ? sequences[0]! : writer.write("Concat", sequences, { axis: 2 });
  const { Y, last } = writeGru(ctx, analysis, writer, x, first, U);
  if (steps.length > 1) {
    const states = writer.squeeze(Y, 1);
    for (const [t, step] of steps.slice(0, -1).entries()) writer.pick(states, 0, t, step.output);
  }
  writer.squeeze(last, 0, steps.at(-1)!.output);
}

/** Writes a GRU over x [T, B, I] with a step's weights and initial state. @returns Y and Y_h, as in ONNX. */
export function writeGru(
  ctx: Context,
  analysis: Analysis,
  writer: Writer,
  x: string,
  { hidden, resetAfter, W, bW, bU, state }: Step,
  U: Matrix | undefined,
  initial = state,
): { Y: string; last: string } {
  const tensor = (what: string, shape: number[], parts: ArrayLike<number>[]): string => {
    const name = ctx.fresh(`${writer.name}.${what}`);
    const data = Float32Array.from(parts.flatMap((p) => Array.from(p)));
    ctx.define(name, { kind: "constant", name, type: "float", shape, data });
    return name;
  };
  const inputs = [
    x,
    tensor("W", [1, 3 * hidden, W.columns], [W.data]),
    tensor("R", [1, 3 * hidden, hidden], [(U ?? analysis.matrices.fill(3 * hidden, hidden, 0)).data]),
    tensor("B", [1, 6 * hidden], [bW.data, bU.data]),
  ];
  if (initial !== undefined && analysis.facts.get(initial).fill !== 0)
    inputs.push("", writer.unsqueeze(initial, 0));
  const [Y, last] = [ctx.fresh(`${writer.name}.Y`), ctx.fresh(`${writer.name}.Y_h`)];
  writer.gru(inputs, [Y, last], { hidden_size: hidden, linear_before_reset: resetAfter ? 1 : 0 });
  return { Y, last };
}

/** Which step of which sequence a value [B, I] is. */
interface Place {
  of: string;
  axis: number;
  index: number;
}

/** Values [B, I] as one sequence [T, B, I]: a slice of the one that they are steps of, or put together. */
function sequence(facts: Facts, writer: Writer, values: string[]): string {
  const places = values.map((v) => place(facts, v));
  const [a, b] = places;
  const step = a && b ? b.index - a.index : 1;
  const regular =
    a !== undefined &&
    step !== 0 &&
    places.every((p, t) => p?.of === a.of && p.axis === a.axis && p.index === a.index + t * step);
  if (!regular) {
    const steps = values.map((v) => writer.unsqueeze(v, 0));
    return steps.length === 1 ? steps[0]! : writer.write("Concat", steps, { axis: 0 });
  }
  const size = facts.get(a.of).shape?.[a.axis];
  const front = writer.toFront(a.of, a.axis, 3);
  if (a.index === 0 && step === 1 && size === values.length) return front;
  const end = a.index + values.length * step;
  return writer.slice(front, 0, a.index, end < 0 ? undefined : end, step);
}

/** Reads Gather with one index, and the Squeeze of a Slice or a Split of one step. */
function place(facts: Facts, name: string): Place | undefined {
  const get = (value: string) => facts.get(value);
  const { node } = get(facts.resolve(name));
  const of = facts.resolve(node?.inputs[0] ?? "");
  const { shape } = get(of);
  if (node?.opType === "Gather") {
    const { ints, shape: indices } = get(node.inputs[1] ?? "");
    const axis = shape?.length === 3 ? axisOf(node.attributes.integer("axis") ?? 0, 3) : undefined;
    const [index] = ints ?? [];
    if (index === undefined || indices?.length !== 0 || axis === undefined) return undefined;
    return counted(of, axis, index, shape![axis]);
  }
  if (node?.opType !== "Squeeze" || shape?.length !== 3) return undefined;
  const axes = integersOf(node, "axes", 1, get);
  const gone = axes?.length === 1 && axes[0] !== undefined ? axisOf(axes[0], 3) : undefined;
  const part = get(of);
  const source = facts.resolve(part.node?.inputs[0] ?? "");
  const whole = get(source).shape;
  if (gone === undefined || gone === 2 || !part.node || whole?.length !== 3) return undefined;
  if (part.node.opType === "Slice") {
    const [cut, ...more] = cutsOf(part.node, get) ?? [];
    if (!cut || more.length > 0 || cut.axis !== gone || cut.size !== 1) return undefined;
    return counted(source, gone, cut.start, whole[gone]);
  }
  if (part.node.opType !== "Split" || axisOf(part.node.attributes.integer("axis") ?? 0, 3) !== gone) return undefined;
  const before = partsOf(part.node, get)?.slice(0, part.position);
  if (!before || before.includes(undefined)) return undefined;
  return counted(
    source,
    gone,
    before.reduce<number>((s, p) => s + p!, 0),
    whole[gone],
  );
}

/** Counted from the start. */
function counted(of: string, axis: number, index: number, size: number | undefined): Place | undefined {
  if (axis === 2) return undefined;
  if (index >= 0) return { of, axis, index };
  return size === undefined ? undefined : { of, axis, index: index + size };
}
