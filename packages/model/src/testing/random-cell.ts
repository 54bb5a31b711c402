/** One GRU cell written out in as many ways as people and exporters do, all of which mean the same. */
import { GraphWriter } from "./graph-writer.js";
import { uniform } from "./random.js";

export interface CellModel {
  seed: number;
  opset: number;
  steps: number;
  batch: number | "batch";
  inputs: number;
  hidden: number;
  resetAfter: boolean;
  bias: boolean;
  /** zero: made from the input's size; constant; input "h"; none: the first step is written for a zero state. */
  initial: "zero" | "zeros" | "constant" | "input";
  /** How gates get their sums: a matrix for all, one for each, or one for each over the joined x and h. */
  layout: "packed" | "single" | "joined";
  /** Whether x W is computed for all steps before the loop; not with `joined`. */
  projected: boolean;
  steps_: "gather" | "slice" | "split";
  /** What the outputs are. */
  outputs: "last" | "all" | "both";
}

/** The bytes of an unrolled loop over a cell; x is [batch, steps, inputs]. Every choice that is left is random. */
export function writeCell(spec: CellModel): Uint8Array {
  return new CellWriter(spec).write();
}

class CellWriter {
  private readonly random: () => number;
  private readonly g: GraphWriter;
  private readonly weights = new Map<string, { shape: number[]; data: number[] }>();
  private count = 0;

  constructor(private readonly spec: CellModel) {
    this.random = uniform(spec.seed);
    this.g = new GraphWriter(spec.opset, uniform(spec.seed + 1));
  }

  write(): Uint8Array {
    const { g, spec } = this;
    const { steps, batch, inputs, hidden } = spec;
    const x = g.input("x", [batch, steps, inputs]);
    let h = this.initial();
    const states: string[] = [];
    const sources = this.pick(x);
    for (const step of sources) {
      h = this.step(step, h);
      states.push(h);
    }
    if (spec.outputs !== "last") g.output(this.stack(states));
    if (spec.outputs !== "all") g.output(g.node("Identity", [h]));
    void hidden;
    return g.bytes();
  }

  /** 0 .. n - 1. */
  private choice(n: number): number {
    return Math.min(n - 1, Math.floor(((this.random() + 1) / 2) * n));
  }

  private maybe(): boolean {
    return this.choice(2) === 1;
  }

  private ints(...data: number[]): string {
    return this.g.constant(`i${this.count++}`, [data.length], data, "int64");
  }

  private scalar(value: number): string {
    return this.g.constant(`s${this.count++}`, this.maybe() ? [] : [1], [value]);
  }

  /** Weights are the same wherever they are named the same, but each use has a copy of its own or not. */
  private weight(name: string, shape: number[], data?: number[]): string {
    const known = this.weights.get(name) ?? {
      shape,
      data:
        data ??
        this.g.numbers(
          shape.reduce((a, b) => a * b, 1),
          0.8,
        ),
    };
    this.weights.set(name, known);
    return this.g.constant(this.maybe() ? name : `${name}.${this.count++}`, known.shape, known.data);
  }

  private axes(op: "Squeeze" | "Unsqueeze", x: string, axis: number): string {
    return this.spec.opset < 13
      ? this.g.node(op, [x], { axes: [axis] })
      : this.g.node(op, [x, this.ints(axis)]);
  }

  private initial(): string {
    const { g, spec } = this;
    const { hidden, batch } = spec;
    if (spec.initial === "input") return g.input("h", [batch, hidden]);
    const size = () => g.node("Gather", [g.node("Shape", ["x"]), this.ints(0)]);
    const shape = () => g.node("Concat", [size(), this.ints(hidden)], { axis: 0 });
    if (spec.initial === "constant" && (batch === "batch" || this.maybe()))
      return g.node("Expand", [this.weight("h0", [1, hidden]), shape()]);
    if (spec.initial === "constant") return this.weight("h0", [batch as number, hidden]);
    if (spec.initial === "zeros" || batch === "batch") return g.node("ConstantOfShape", [shape()]);
    return g.constant("zero", [batch, hidden], new Array<number>(batch * hidden).fill(0));
  }

  /** The steps of x [B, T, I]; where they are projected, of x W for the gates. */
  private pick(x: string): string[][] {
    const { spec } = this;
    const gates = ["z", "r", "n"];
    const sources = spec.projected
      ? spec.layout === "packed"
        ? [this.product(x, "W", spec.inputs, 3 * spec.hidden, true)]
        : gates.map((gate) => this.product(x, `W${gate}`, spec.inputs, spec.hidden, true))
      : [x];
    const taken = sources.map((source) => this.stepsOf(source));
    return Array.from({ length: spec.steps }, (_, t) => taken.map((t_) => t_[t]!));
  }

  private stepsOf(x: string): string[] {
    const { g, spec } = this;
    const numbers = Array.from({ length: spec.steps }, (_, t) => t);
    if (spec.steps_ === "gather")
      return numbers.map((t) =>
        g.node(
          "Gather",
          [x, g.constant(`i${this.count++}`, [], [this.maybe() ? t : t - spec.steps], "int64")],
          { axis: this.maybe() ? 1 : -2 },
        ),
      );
    if (spec.steps_ === "slice")
      return numbers.map((t) =>
        this.axes("Squeeze", g.node("Slice", [x, this.ints(t), this.ints(t + 1), this.ints(1)]), 1),
      );
    const parts =
      spec.opset < 13
        ? g.nodes("Split", [x], spec.steps, { axis: 1, split: numbers.map(() => 1) })
        : g.nodes("Split", [x, this.ints(...numbers.map(() => 1))], spec.steps, { axis: 1 });
    return parts.map((part) => this.axes("Squeeze", part, 1));
  }

  /** x W + b, of [.., inputs]. */
  private product(x: string, name: string, inputs: number, outputs: number, deep = false): string {
    const { g, spec } = this;
    const matrix = this.weight(name, [outputs, inputs]);
    const bias = spec.bias ? this.weight(`${name}.b`, [outputs]) : undefined;
    if (!deep && this.maybe() && (bias || spec.opset >= 11))
      return g.node("Gemm", [x, matrix, ...(bias ? [bias] : [])], { transB: 1 });
    const known = this.weights.get(name)!.data;
    const turned = Array.from(
      { length: inputs * outputs },
      (_, i) => known[(i % outputs) * inputs + Math.floor(i / outputs)]!,
    );
    const right = this.maybe()
      ? g.transpose(matrix, [1, 0])
      : this.weight(`${name}.T`, [inputs, outputs], turned);
    const product = g.node("MatMul", [x, right]);
    return bias ? this.add(product, bias) : product;
  }

  private add(a: string, b: string): string {
    return this.g.node("Add", this.maybe() ? [a, b] : [b, a]);
  }

  private mul(a: string, b: string): string {
    return this.g.node("Mul", this.maybe() ? [a, b] : [b, a]);
  }

  private sub(a: string, b: string): string {
    const way = this.choice(3);
    if (way === 0) return this.add(a, this.g.node("Neg", [b]));
    if (way === 1) return this.add(this.g.node("Neg", [b]), a);
    return this.g.node("Sub", [a, b]);
  }

  private thirds(packed: string): string[] {
    const { g, spec } = this;
    const { hidden } = spec;
    if (this.maybe())
      return spec.opset < 13
        ? g.nodes("Split", [packed], 3, { axis: this.maybe() ? 1 : -1, split: [hidden, hidden, hidden] })
        : g.nodes("Split", [packed, this.ints(hidden, hidden, hidden)], 3, { axis: this.maybe() ? 1 : -1 });
    return [0, 1, 2].map((i) =>
      g.node("Slice", [
        packed,
        this.ints(i * hidden),
        this.ints(i === 2 ? 2 ** 31 - 1 : (i + 1) * hidden),
        this.ints(1),
      ]),
    );
  }

  private step(source: string[], h: string): string {
    const [z, r, candidate] = this.gates(source, h);
    const update = this.g.node("Sigmoid", [z]);
    const n = this.g.node("Tanh", [candidate(this.g.node("Sigmoid", [r]))]);
    return this.blend(update, n, h);
  }

  /** The sums of z and r, and that of n once r is known. */
  private gates(source: string[], h: string): [string, string, (r: string) => string] {
    const { g, spec } = this;
    const { inputs, hidden, layout } = spec;
    if (layout === "joined") {
      const [x] = source as [string];
      const both = g.node("Concat", [x, h], { axis: 1 });
      const sums = ["z", "r"].map((gate) => this.product(both, `V${gate}`, inputs + hidden, hidden)) as [
        string,
        string,
      ];
      const candidate = (r: string) => {
        if (spec.resetAfter)
          return this.add(
            this.product(x, "Wn", inputs, hidden),
            this.mul(r, this.product(h, "Un", hidden, hidden)),
          );
        return this.product(
          g.node("Concat", [this.mul(r, h), x], { axis: -1 }),
          "Vn",
          inputs + hidden,
          hidden,
        );
      };
      return [...sums, candidate];
    }
    const x = this.inputSums(source);
    const order = spec.seed % 2 === 0 ? [0, 1, 2] : [2, 0, 1];
    const packed =
      layout === "packed" && spec.resetAfter
        ? this.thirds(this.product(h, "U", hidden, 3 * hidden))
        : undefined;
    const recurrent = (i: number, of: string) =>
      packed?.[order[i]!] ?? this.product(of, `U${i}`, hidden, hidden);
    const candidate = (r: string) =>
      this.add(x[2]!, spec.resetAfter ? this.mul(recurrent(2, h), r) : recurrent(2, this.mul(r, h)));
    return [this.add(x[0]!, recurrent(0, h)), this.add(recurrent(1, h), x[1]!), candidate];
  }

  private inputSums(source: string[]): string[] {
    const { spec } = this;
    if (spec.projected) return spec.layout === "packed" ? this.thirds(source[0]!) : source;
    if (spec.layout === "packed")
      return this.thirds(this.product(source[0]!, "W", spec.inputs, 3 * spec.hidden));
    return ["z", "r", "n"].map((gate) => this.product(source[0]!, `W${gate}`, spec.inputs, spec.hidden));
  }

  /** (1 - z) n + z h; for odd seeds with n and h in each other's place. */
  private blend(z: string, candidate: string, state: string): string {
    const negated = this.spec.seed % 3 === 0;
    const [n, h] = negated ? [state, candidate] : [candidate, state];
    const one = () => this.scalar(1);
    switch (this.choice(4)) {
      case 0:
        return this.add(this.mul(this.sub(one(), z), n), this.mul(z, h));
      case 1:
        return this.add(n, this.mul(z, this.sub(h, n)));
      case 2:
        return this.add(h, this.mul(this.sub(one(), z), this.sub(n, h)));
      default:
        return this.sub(this.add(this.mul(z, h), n), this.mul(n, z));
    }
  }

  private stack(states: string[]): string {
    const axis = this.choice(2);
    const wide = states.map((h) => this.axes("Unsqueeze", h, axis));
    return this.g.node("Concat", wide, { axis });
  }
}
