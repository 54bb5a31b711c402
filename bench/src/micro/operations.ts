/** Every operation's part in the dealer and in a server, in one program that has them all. */
import { type Compiled, type Program, Ring, shareInputs, systemRandom } from "@sotto/core";
import { activationTable, type Builder, deployTogether, ownerOf, programOf } from "@sotto/core/testing";
import { lockStep } from "../lock-step.js";
import { OperationClock, type OperationTimes, type Phase } from "../operation-clock.js";
import { type Spread, spread } from "../statistics.js";

const [ROWS, UNITS] = [16, 128];
const N = ROWS * UNITS;
const WARM_UP = 5;

export interface OperationResult {
  op: string;
  /** What is counted: an element of the result, or a product of a matrix and a row. */
  per: "element" | "product";
  count: number;
  /** Nanoseconds of one: the dealer's part; a server's (the mean of both) before and after the input is there. */
  ns: Record<Phase, Spread>;
}

type Tensors = Parameters<typeof programOf>[0];

const TENSORS: Tensors = [
  { name: "W", kind: "matrix", rows: UNITS, cols: UNITS, scale: 14, bound: UNITS * 2 ** 14 },
  { name: "b", kind: "vector", rows: 1, cols: UNITS, scale: 14, bound: 2 ** 14 },
];

/** A program with every operation on N elements. */
export function everyOperation(p: Builder): void {
  const sigmoid = activationTable({ name: "sigmoid" }, 8, 28);
  const tanh = activationTable({ name: "tanh" }, 8, 28);
  const x = p.input("x", N, 14, 2 ** 17);
  const y = p.input("y", N, 14, 2 ** 17);
  const h = p.input("h", N, 42, 2 ** 42);
  p.output("linear", p.linear("W", x, ROWS, 0));
  p.output("add", p.add(p.parameter("b", ROWS), p.zero(N, 28)));
  p.output("times", p.times(x, 3));
  p.output("total", p.total(p.concat([x, y]), 2));
  p.output("slice", p.slice(p.concat([x, y]), N / 2, N));
  p.output(
    "gather",
    p.gather(
      x,
      Int32Array.from({ length: N }, (_, i) => (i * 7) % N),
    ),
  );
  const z = p.truncate(p.finish(p.activation(sigmoid, x)), 14);
  p.output("interpolate", p.interpolate(z, h, p.activation(tanh, y)));
  p.output("multiply", p.multiply(p.activation(sigmoid, y), x, 14));
  p.output("product", p.product(x, y, 14, 14));
  p.output("lift", p.lift(h, 14));
}

/** @param runs counted ones, after warm-up. */
export async function measureOperations(runs: number): Promise<OperationResult[]> {
  const ring = await Ring.create();
  const network = programOf(TENSORS, everyOperation);
  const reals = (n: number) => Float64Array.from({ length: n }, (_, i) => Math.sin(i) / UNITS);
  const tensors: Compiled["tensors"] = { W: reals(UNITS * UNITS), b: reals(UNITS) };
  const deployment = deployTogether(ring, ownerOf(network, tensors), systemRandom);
  const values = Object.fromEntries(["x", "y", "h"].map((name) => [name, reals(N)]));
  const clock = new OperationClock(network.program);
  const all: OperationTimes[] = [];
  for (let run = 0; run < WARM_UP + runs; run++) {
    lockStep(ring, network, deployment, shareInputs(ring, network, values));
    const times = clock.take();
    if (run >= WARM_UP) all.push(times);
  }
  clock.stop();
  return [...counts(network.program)].map(([op, count]) => {
    const ns = (phase: Phase) =>
      spread(all.map((t) => ((t.get(op)?.[phase] ?? 0) * 1e6) / count / (phase === "deal" ? 1 : 2)));
    const per = op === "linear" ? "product" : "element";
    return {
      op,
      per,
      count,
      ns: { deal: ns("deal"), prepare: ns("prepare"), evaluate: ns("evaluate") },
    };
  });
}

/** What a program computes of each operation. */
function counts(program: Program) {
  type Op = NonNullable<Program["nodes"][number]>["op"];
  const counts = new Map<Op, number>();
  for (const node of program.nodes) {
    if (!node) continue;
    const count =
      node.op === "linear"
        ? node.rows * node.outer * node.inner
        : node.length / (node.op === "select" ? 3 : 1);
    counts.set(node.op, (counts.get(node.op) ?? 0) + count);
  }
  return counts;
}
