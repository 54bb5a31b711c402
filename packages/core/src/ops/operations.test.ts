import { beforeAll, describe, expect, it } from "vitest";
import { integers } from "../interpret/plain.js";
import type { TensorPlan } from "../plan/plan.js";
import { activationTable, nodeValue } from "../plan/table.js";
import type { Builder } from "../program/builder.js";
import { Ring } from "../ring/ring.js";
import { lockstep, type Secrets } from "../testing/lockstep.js";
import { ownerOf, programOf } from "../testing/programs.js";
import { seededBytes, seededUniform } from "../testing/seeded.js";
import { deployTogether, inferTogether } from "../testing/together.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const sigmoid = activationTable({ name: "sigmoid" }, 1000, 28);
const tanh = activationTable({ name: "tanh" }, 1000, 28);
const N = 64;

interface OperationCase {
  name: string;
  tensors: TensorPlan[];
  /** Bounds of the inputs, as integers at `scale`. */
  inputs: Record<string, { scale: number; bound: number; length?: number }>;
  build: (p: Builder, x: Record<string, ReturnType<Builder["input"]>>) => void;
  /** Whether an output integer is one of those that the operation may give for these input integers. */
  allowed: (y: number, x: Record<string, number>, at: number, all: Record<string, Float64Array>) => boolean;
  rounds: number;
  /** In the profile for wide-area links, where that makes a difference. */
  wan?: number;
}

const W: TensorPlan = { name: "W", kind: "matrix", rows: 8, cols: 8, scale: 14, bound: 8 * 2 ** 14 };
const weights = (() => {
  const random = seededUniform("weights");
  return Float64Array.from({ length: 64 }, (_, i) => (i < 8 ? 1 : i < 16 ? -1 : 2 * random() - 1));
})();

/** The two integers that a truncated or masked-and-shifted value may be. */
const floors = (v: number, shift: number) => [Math.floor(v / 2 ** shift), Math.floor(v / 2 ** shift) + 1];
/** The values of the two nodes around x. */
const values = (table: typeof sigmoid, x: number) =>
  floors(x, table.stepBits).map((node) => nodeValue(table, node, x));

const cases: OperationCase[] = [
  {
    name: "truncate",
    tensors: [],
    inputs: { x: { scale: 28, bound: 2 ** 35 } },
    build: (p, { x }) => p.output("y", p.truncate(x!, 10)),
    allowed: (y, { x }) => floors(x!, 18).includes(y),
    rounds: 0,
  },
  {
    name: "linear, operand shifted",
    tensors: [W],
    inputs: { x: { scale: 42, bound: 2 ** 42 } },
    build: (p, { x }) => p.output("y", p.linear("W", x!, N / 8, 28)),
    allowed: (y, _, at, { x }) => {
      const [row, batch] = [at % 8, Math.floor(at / 8)];
      let [low, high] = [0, 0];
      for (let j = 0; j < 8; j++) {
        const w = Math.round(weights[row * 8 + j]! * 2 ** 14);
        const terms = floors(x![batch * 8 + j]!, 28).map((v) => v * w);
        low += Math.min(...terms);
        high += Math.max(...terms);
      }
      return low <= y && y <= high;
    },
    rounds: 1,
  },
  {
    name: "linear, operand as it is",
    tensors: [W],
    inputs: { x: { scale: 14, bound: 2 ** 17 } },
    build: (p, { x }) => p.output("y", p.linear("W", x!, N / 8, 0)),
    allowed: (y, _, at, { x }) => {
      let sum = 0;
      const batch = Math.floor(at / 8);
      for (let j = 0; j < 8; j++)
        sum += Math.round(weights[(at % 8) * 8 + j]! * 2 ** 14) * x![batch * 8 + j]!;
      return y === sum;
    },
    rounds: 1,
  },
  ...[sigmoid, tanh].flatMap((table) =>
    [31, 127, 2000].map((most): OperationCase => {
      const bound = most * 2 ** table.stepBits;
      return {
        name: `${table.spec.name}, inputs up to ${most} nodes`,
        tensors: [],
        inputs: { x: { scale: table.inputScale, bound } },
        build: (p, { x }) => p.output("y", p.finish(p.activation(table, x!))),
        allowed: (y, { x }) => values(table, x!).includes(y),
        rounds: 2,
        // larger tables are selected from in both profiles
        wan: most < 256 ? 1 : 2,
      };
    }),
  ),
  {
    name: "multiply",
    tensors: [],
    inputs: { x: { scale: 10, bound: 127 * 256 }, v: { scale: 14, bound: 2 ** 20 } },
    build: (p, { x, v }) => p.output("y", p.multiply(p.activation(sigmoid, x!), v!, 14)),
    allowed: (y, { x, v }) => values(sigmoid, x!).some((s) => s * v! === y),
    rounds: 2,
    wan: 1,
  },
  {
    name: "multiply, operand shifted",
    tensors: [],
    inputs: { x: { scale: 10, bound: 31 * 256 }, v: { scale: 42, bound: 2 ** 42 } },
    build: (p, { x, v }) => p.output("y", p.multiply(p.activation(sigmoid, x!), v!, 14)),
    allowed: (y, { x, v }) => values(sigmoid, x!).some((s) => floors(v!, 28).some((w) => s * w === y)),
    rounds: 2,
    wan: 1,
  },
  ...(
    [
      [{ name: "relu" }, 20],
      [{ name: "softplus" }, 5],
      [{ name: "elu", alpha: 0.7, clip: 3 }, 40],
    ] as const
  ).map(([spec, most]): OperationCase => {
    const table = activationTable(spec, most, 28);
    return {
      name: `${spec.name}, inputs up to ${most}`,
      tensors: [],
      inputs: { x: { scale: table.inputScale, bound: most * 2 ** table.inputScale } },
      build: (p, { x }) => p.output("y", p.finish(p.activation(table, x!))),
      allowed: (y, { x }) => values(table, x!).includes(y),
      rounds: 2,
    };
  }),
  {
    name: "times",
    tensors: [],
    inputs: { x: { scale: 14, bound: 2 ** 30 } },
    build: (p, { x }) => p.output("y", p.times(x!, -12345, 3)),
    allowed: (y, { x }) => y === -12345 * x!,
    rounds: 0,
  },
  {
    name: "total",
    tensors: [],
    inputs: { x: { scale: 14, bound: 2 ** 40, length: 3 * N } },
    build: (p, { x }) => p.output("y", p.total(x!, 3)),
    allowed: (y, _, at, { x }) => y === x![at]! + x![at + N]! + x![at + 2 * N]!,
    rounds: 0,
  },
  {
    name: "lift, shifted",
    tensors: [],
    inputs: { x: { scale: 42, bound: 2 ** 44 } },
    build: (p, { x }) => p.output("y", p.lift(x!, 18)),
    allowed: (y, { x }) => floors(x!, 24).includes(y),
    rounds: 1,
  },
  {
    name: "lift, as it is, into a larger modulus",
    tensors: [],
    inputs: { x: { scale: 14, bound: 2 ** 17 } },
    build: (p, { x }) => p.output("y", p.times(p.lift(x!, 14), 2 ** 20)),
    allowed: (y, { x }) => y === x! * 2 ** 20,
    rounds: 1,
  },
  {
    name: "product",
    tensors: [],
    inputs: { x: { scale: 14, bound: 2 ** 18 }, v: { scale: 30, bound: 2 ** 33 } },
    build: (p, { x, v }) => p.output("y", p.product(x!, v!, 14, 16)),
    allowed: (y, { x, v }) => floors(v!, 14).some((w) => x! * w === y),
    rounds: 1,
  },
  {
    name: "square",
    tensors: [],
    inputs: { x: { scale: 14, bound: 2 ** 18 } },
    build: (p, { x }) => p.output("y", p.product(x!, x!, 14, 14)),
    allowed: (y, { x }) => y === x! * x!,
    rounds: 1,
  },
  {
    name: "interpolate",
    tensors: [],
    inputs: {
      x: { scale: 11, bound: 127 * 256 },
      z: { scale: 10, bound: 63 * 256 },
      h: { scale: 42, bound: 2 ** 42 },
    },
    build: (p, { x, z, h }) => {
      const gate = p.truncate(p.finish(p.activation(sigmoid, z!)), 14);
      p.output("y", p.interpolate(gate, h!, p.activation(tanh, x!)));
    },
    allowed: (y, { x, z, h }) =>
      values(sigmoid, z!)
        .flatMap((g) => floors(g, 14))
        .some((g) =>
          floors(h!, 14).some((s) => values(tanh, x!).some((n) => g * s + (2 ** 14 - g) * n === y)),
        ),
    rounds: 3,
    wan: 2,
  },
];

const runs = cases.flatMap(({ wan, ...test }) => [
  { ...test, profile: "lan" as const },
  ...(wan === undefined ? [] : [{ ...test, profile: "wan" as const, rounds: wan }]),
]);

describe.each(runs)("$name, profile $profile", (test) => {
  const build = (p: Builder) => {
    const nodes = Object.entries(test.inputs).map(([name, { scale, bound, length = N }]) => [
      name,
      p.input(name, length, scale, bound),
    ]);
    test.build(p, Object.fromEntries(nodes));
  };
  const network = programOf(test.tensors, build, test.profile);
  const tensors = test.tensors.length > 0 ? { W: weights } : ({} as Record<string, Float64Array>);

  /** Random integers within the bounds, a third of them at the very edges. */
  function integersOf(seed: string): Record<string, Float64Array> {
    const random = seededUniform(seed);
    return Object.fromEntries(
      Object.entries(test.inputs).map(([name, { bound, length = N }]) => [
        name,
        Float64Array.from({ length }, () => {
          const u = random();
          if (u < 1 / 6) return bound;
          if (u < 1 / 3) return -bound;
          return Math.round((2 * random() - 1) * bound);
        }),
      ]),
    );
  }

  it("gives an allowed integer for every element, also at the edges, in every run", () => {
    const deployment = deployTogether(ring, ownerOf(network, tensors), seededBytes("deploy"));
    for (let run = 0; run < 40; run++) {
      const x = integersOf(`input ${run}`);
      const reals = Object.fromEntries(
        Object.entries(x).map(([name, v]) => [name, v.map((k) => k / 2 ** test.inputs[name]!.scale)]),
      );
      const { outputs, transcript } = inferTogether(
        ring,
        network,
        deployment,
        reals,
        seededBytes(`run ${run}`),
      );
      expect(transcript.messages.length).toBe(test.rounds);
      const scale = network.program.outputs[0]!.scale;
      outputs.y!.data.forEach((y, at) => {
        const own = Object.fromEntries(Object.entries(x).map(([name, v]) => [name, v[at]!]));
        expect(
          test.allowed(y * 2 ** scale, own, at, x),
          `element ${at} of ${JSON.stringify(own)}: ${y}`,
        ).toBe(true);
      });
    }
  });

  it.each([0, 1] as const)(
    "shows server %i the same bytes for two secrets when masks shift by the difference",
    (server) => {
      const secretsOf = (seed: string): Secrets => {
        const random = seededUniform(seed);
        const words = (values: Float64Array) =>
          BigUint64Array.from(values, (v) => BigInt.asUintN(64, BigInt(v)));
        return {
          tensors: new Map(
            test.tensors.map((t) => [
              t.name,
              words(
                integers(
                  weights.map((w) => w * random()),
                  t.scale,
                ),
              ),
            ]),
          ),
          inputs: new Map(Object.entries(integersOf(seed)).map(([name, v]) => [name, words(v)])),
        };
      };
      const recorded = lockstep(ring, network, secretsOf("one"), server, seededBytes("one"));
      const replayed = lockstep(ring, network, secretsOf("two"), server, seededBytes("two"), recorded.view);
      expect(replayed.outputs).not.toEqual(recorded.outputs);
      expect(replayed.view).toEqual(recorded.view);
    },
  );
});
