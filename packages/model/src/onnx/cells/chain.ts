/** Steps that follow one another with the same weights are one GRU over their inputs. */
import type { Context } from "../context.js";
import type { Node } from "../graph.js";
import type { Analysis } from "./analysis.js";
import type { Facts } from "./facts.js";
import { writeGru } from "./gru.js";
import type { Matrix } from "./matrices.js";
import { Writer } from "./nodes.js";
import { axisOf, cutsOf, integersOf, partsOf } from "./parameters.js";
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
  return (
    recurrent &&
    a.resetAfter === b.resetAfter &&
    a.W === b.W &&
    a.bW === b.bW &&
    a.bU === b.bU &&
    `${a.widths}` === `${b.widths}`
  );
}

/** Writes chains: one GRU each, and a view for the state of each step. */
export class ChainWriter {
  readonly nodes: Node[] = [];
  /** Where the states are, so that what reads them in turn reads the whole sequence. */
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly ctx: Context,
    private readonly analysis: Analysis,
    private readonly all: readonly Chain[],
  ) {
    for (const { steps } of all) {
      const of = ctx.fresh(`${steps.at(-1)!.output}.states`);
      for (const [index, { output }] of steps.entries())
        this.places.set(output, { of, axis: 0, index, size: steps.length });
    }
  }

  write(): void {
    for (const chain of this.all) this.chain(chain);
  }

  private chain({ steps, U }: Chain): void {
    const first = steps[0]!;
    const writer = new Writer(this.ctx, this.analysis.facts.get(first.output).node!.name);
    const sequences = first.inputs.map((_, i) =>
      this.sequence(
        writer,
        steps.map((s) => s.inputs[i]!),
      ),
    );
    const x = sequences.length === 1 ? sequences[0]! : writer.write("Concat", sequences, { axis: 2 });
    const batch = this.analysis.facts.get(first.inputs[0]!).shape?.[0];
    const { Y, last } = writeGru(this.ctx, this.analysis, writer, x, { ...first, U }, batch);
    const states = writer.squeeze(Y, 1, this.places.get(first.output)!.of);
    for (const [t, step] of steps.slice(0, -1).entries()) writer.pick(states, 0, t, step.output);
    writer.squeeze(last, 0, steps.at(-1)!.output);
    this.nodes.push(...writer.nodes);
  }

  /** Values [B, I] as one sequence [T, B, I]: a slice of the one that they are steps of, or put together. */
  private sequence(writer: Writer, values: string[]): string {
    const places = values.map((v) => this.place(v));
    return regular(places) ? take(writer, places) : join(writer, values);
  }

  private place(name: string): Place | undefined {
    const { facts } = this.analysis;
    return this.places.get(facts.resolve(name)) ?? placeOf(facts, name);
  }

  /**
   * States that the file puts together to a sequence again, axis by axis and in order, are taken as they come.
   * @returns the nodes for a Concat of such states; undefined for any other node.
   */
  stack(node: Node): Node[] | undefined {
    const { facts } = this.analysis;
    const axis = node.attributes.integer("axis");
    const values = node.inputs.map((name) => {
      const wide = facts.get(facts.resolve(name)).node;
      const axes =
        wide?.opType === "Unsqueeze" ? integersOf(wide, "axes", 1, (n) => facts.get(n)) : undefined;
      const added = axes?.length === 1 && axes[0] !== undefined ? axisOf(axes[0], 3) : undefined;
      return added !== undefined && axis !== undefined && axisOf(axis, 3) === added
        ? wide!.inputs[0]
        : undefined;
    });
    const places = values.map((v) => (v === undefined ? undefined : this.places.get(facts.resolve(v))));
    const at = axis === undefined ? undefined : axisOf(axis, 3);
    if (at === undefined || at === 2 || !regular(places)) return undefined;
    const writer = new Writer(this.ctx, node.name);
    const states = take(writer, places);
    if (at === 0) writer.write("Identity", [states], {}, node.outputs[0]);
    else writer.write("Transpose", [states], { perm: [1, 0, 2] }, node.outputs[0]);
    return writer.nodes;
  }
}

/** Which step of which sequence a value [B, I] is. */
interface Place {
  of: string;
  axis: number;
  index: number;
  /** Steps of the sequence. */
  size: number | undefined;
}

/** Whether values are steps of one sequence, one after another, in either direction, all or each so-manieth. */
function regular(places: (Place | undefined)[]): places is [Place, ...Place[]] {
  const [a, b] = places;
  const step = a && b ? b.index - a.index : 1;
  if (!a || step === 0) return false;
  return places.every((p, t) => p?.of === a.of && p.axis === a.axis && p.index === a.index + t * step);
}

function take(writer: Writer, places: readonly [Place, ...Place[]]): string {
  const [a, b] = places;
  const step = b ? b.index - a.index : 1;
  const front = writer.toFront(a.of, a.axis, 3);
  if (a.index === 0 && step === 1 && a.size === places.length) return front;
  const end = a.index + places.length * step;
  return writer.slice(front, 0, a.index, end < 0 ? undefined : end, step);
}

function join(writer: Writer, values: string[]): string {
  const steps = values.map((v) => writer.unsqueeze(v, 0));
  return steps.length === 1 ? steps[0]! : writer.write("Concat", steps, { axis: 0 });
}

/** Reads Gather with one index, and the Squeeze of a Slice or a Split of one step. */
function placeOf(facts: Facts, name: string): Place | undefined {
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
  if (part.node.opType !== "Split" || axisOf(part.node.attributes.integer("axis") ?? 0, 3) !== gone)
    return undefined;
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
  if (index >= 0) return { of, axis, index, size };
  return size === undefined ? undefined : { of, axis, index: index + size, size };
}
