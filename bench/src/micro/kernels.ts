/** Every kernel of packages/core/assembly on its own, at sizes of the workload text. */
import { type Ring, systemRandom, type Vector } from "@sotto/core";
import { activationTable, tableLimbs, windowOf } from "@sotto/core/testing";
import { Bench } from "tinybench";
import { percentile, type Spread } from "../statistics.js";

export interface KernelCase {
  name: string;
  /** What is counted. */
  per: string;
  count: number;
  run: () => void;
}

export interface KernelResult {
  name: string;
  per: string;
  /** Nanoseconds of one of them; max is that of the call that 99 % of calls are faster than. */
  ns: Spread;
}

/** Elements of the elementwise ones: 32 kB a vector. */
const N = 4096;
const [OUTER, INNER] = [384, 128];
/** A sigmoid's with inputs up to 8. */
const NODE_BITS = 9;
const BITS = 38;
/** The candidate's look-ups in text: of tanh, with inputs up to 32, to be multiplied by a gate. */
const [POINTS, LEVELS] = [128, 9];
const POINT_BITS = [62, 62, 62, 62, 62, 62, 46, 46, 46];

/** One case a kernel, under its name. */
export function kernelCases(ring: Ring): KernelCase[] {
  const { kernels: k } = ring;
  const random = (n: number): Vector => {
    const v = ring.alloc(n);
    ring.bytes(v).set(systemRandom(8 * n));
    return v;
  };
  const [a, b, out] = [random(N), random(N), random(8 * N)].map((v) => v.ptr) as [number, number, number];
  const planes = [random(8 * N), random(8 * N), random(8 * N)].map((v) => v.ptr) as [number, number, number];
  const bits = random((N * 2 ** NODE_BITS) / 64).ptr;
  const matrix = random(OUTER * INNER).ptr;
  // six bytes a word
  const [matrixLimbs, operand] = [random(OUTER * INNER).ptr, random(N).ptr];
  const key = random(4).ptr;
  const table = activationTable({ name: "sigmoid" }, 8, 28);
  const window = windowOf(table, NODE_BITS);
  const limbs = tableLimbs(table, window);
  const nodes = ring.alloc(limbs.length / 4);
  ring.bytes(nodes).set(new Uint8Array(limbs.buffer));
  const doubles = ring.alloc(N);
  ring.doubles(doubles).set(Float64Array.from({ length: N }, (_, i) => Math.sin(i)));
  const index = ring.alloc(N / 2);
  new Uint32Array(k.memory.buffer, index.ptr, N).set(Uint32Array.from({ length: N }, (_, i) => (i * 7) % N));
  const s = table.stepBits;
  const E = random(POINTS * 2 ** LEVELS * 9);
  const tree = random(10 * 2 ** LEVELS).ptr;
  const wholeTable = random(3 * 2 ** LEVELS);
  const widths = ring.alloc(5);
  ring.bytes(widths, 36).set(new Uint8Array(Int32Array.from(POINT_BITS).buffer));

  const element = (name: string, run: () => void): KernelCase => ({ name, per: "element", count: N, run });
  return [
    element("add", () => k.add(out, a, b, N)),
    element("sub", () => k.sub(out, a, b, N)),
    element("mul", () => k.mul(out, a, b, N)),
    element("addConstant", () => k.addConstant(out, a, 12345, N)),
    element("mulConstant", () => k.mulConstant(out, a, 12345, N)),
    element("addRow", () => k.addRow(out, a, b, N / INNER, INNER)),
    element("mulRow", () => k.mulRow(out, a, b, N / INNER, INNER)),
    element("reduce", () => k.reduce(out, a, BITS, N)),
    element("shiftLeft", () => k.shiftLeft(out, a, 14, N)),
    element("shiftRight", () => k.shiftRight(out, a, BITS, 14, 1, N)),
    element("gather", () => k.gather(out, a, index.ptr, N)),
    element("encode", () => k.encode(out, doubles.ptr, 2 ** 14, N)),
    element("decode", () => k.decode(out, a, BITS, 2 ** -14, N)),
    element("pack", () => k.pack(out, a, N, BITS)),
    element("unpack", () => k.unpack(out, a, N, BITS)),
    element("unpackAdd", () => k.unpackAdd(out, a, N, BITS)),
    {
      name: "chacha20",
      per: "word",
      count: N,
      run: () => k.chacha20(out, N / 32, key, 1, 2, 3),
    },
    {
      name: "multiplyAdd",
      per: `product, ${OUTER} x ${INNER}`,
      count: OUTER * INNER,
      run: () => k.multiplyAdd(out, matrix, a, 1, OUTER, INNER),
    },
    element("splitLimbs", () => k.splitLimbs(operand, a, N / INNER, INNER)),
    {
      name: "multiplyAddLimbs",
      per: `product, ${OUTER} x ${INNER}`,
      count: OUTER * INNER,
      run: () => k.multiplyAddLimbs(out, matrixLimbs, operand, 1, OUTER, INNER),
    },
    {
      name: "select",
      per: `element, ${2 ** NODE_BITS} nodes`,
      count: N,
      run: () => k.select(out, a, bits, N, NODE_BITS, s, nodes.ptr, window, 0, 2 ** 28, 1),
    },
    {
      name: "flipSelected",
      per: `element, ${2 ** NODE_BITS} nodes`,
      count: N,
      run: () => k.flipSelected(bits, out, a, N, NODE_BITS, s),
    },
    element("selectedValues", () => k.selectedValues(out, a, b, planes[0], N, s)),
    element("lift", () => k.lift(out, planes[0], a, N, BITS, 14, 0)),
    element("finish", () => k.finish(out, N, planes[0], a, s, planes[1])),
    element("finishProduct", () =>
      k.finishProduct(out, N, planes[0], a, s, a, b, planes[0], planes[1], planes[2], 0),
    ),
    {
      name: "expandPoints",
      per: `element, ${2 ** LEVELS} places of 9 words`,
      count: POINTS,
      run: () =>
        k.expandPoints(
          E.ptr,
          tree,
          a,
          tree,
          planes[0],
          POINTS,
          LEVELS,
          0,
          widths.ptr,
          9,
          1,
          0,
          key,
          0,
          POINTS / 4,
        ),
    },
    {
      name: "dealPoints",
      per: `element, ${2 ** LEVELS} places of 9 words`,
      count: POINTS,
      run: () =>
        k.dealPoints(out, planes[0], a, b, a, s, planes[1], POINTS, LEVELS, 0, widths.ptr, 9, 1, key),
    },
    {
      name: "lookup",
      per: `element, ${2 ** LEVELS} places`,
      count: POINTS,
      run: () => k.lookup(planes[0], a, E.ptr, POINTS, LEVELS, s, wholeTable.ptr, 3, 0, POINTS),
    },
    element("scale", () => k.scale(out, N, planes[0], a, b, 0)),
    element("liftedProduct", () => k.liftedProduct(out, N, a, b, a, b, planes[0], 1)),
  ];
}

/** Nanoseconds an element. @param seconds for each kernel. */
export async function measureKernels(cases: readonly KernelCase[], seconds: number): Promise<KernelResult[]> {
  const bench = new Bench({ time: seconds * 1000, warmupTime: seconds * 250, retainSamples: true });
  for (const { name, run } of cases) bench.add(name, run);
  await bench.run();
  return cases.map(({ name, per, count }) => {
    const { result } = bench.getTask(name)!;
    if (result.state !== "completed" || !result.latency.samples)
      throw new Error(`kernel ${name}: ${result.state}`);
    const ns = (ms: number) => (ms * 1e6) / count;
    const samples = [...result.latency.samples];
    return {
      name,
      per,
      ns: {
        min: ns(percentile(samples, 1e-9)),
        median: ns(percentile(samples, 0.5)),
        max: ns(percentile(samples, 0.99)),
      },
    };
  });
}
