/** Shapes and small integers that follow from those of a node's inputs; what is not known stays undefined. */
import type { Node } from "../graph.js";
import type { Fact, Size } from "./facts.js";
import { axisOf, cutsOf, integersOf, partsOf } from "./parameters.js";

type Get = (name: string) => Fact;
type Found = Pick<Fact, "shape" | "ints" | "fill">;
type Rule = (node: Node, get: Get) => Found[];

const UNARY = [
  "Sigmoid", "Tanh", "Relu", "Neg", "HardSigmoid", "LeakyRelu", "Elu", "Softsign", "Softplus", "ThresholdedRelu",
  "Clip", "Softmax", "LogSoftmax", "Abs", "Exp", "Sqrt", "Erf", "BatchNormalization", "LayerNormalization",
]; // biome-ignore format: a list

function broadcast(a: Size[] | undefined, b: Size[] | undefined): Size[] | undefined {
  if (!a || !b) return undefined;
  const rank = Math.max(a.length, b.length);
  const at = (s: Size[], i: number) => (i < rank - s.length ? 1 : s[i - (rank - s.length)]);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [at(a, i), at(b, i)];
    if (p === q || q === 1) return p;
    return p === 1 ? q : (p ?? q) === undefined ? undefined : p === undefined ? q : p;
  });
}

/** Sizes that a vector holds; at least how many. */
function sizesOf({ ints, shape }: Fact): Size[] | undefined {
  const length = shape?.length === 1 ? shape[0] : undefined;
  return ints ?? (length !== undefined && length <= 16 ? new Array<Size>(length).fill(undefined) : undefined);
}

function arithmetic(f: (a: number, b: number) => number): Rule {
  return (node, get) => {
    const [a, b] = [get(node.inputs[0] ?? ""), get(node.inputs[1] ?? "")];
    const shape = broadcast(a.shape, b.shape);
    let ints: Size[] | undefined;
    if (a.ints && b.ints) {
      const at = (v: Size[], i: number) => v[v.length === 1 ? 0 : i];
      const length = Math.max(a.ints.length, b.ints.length);
      ints = Array.from({ length }, (_, i) => {
        const [p, q] = [at(a.ints!, i), at(b.ints!, i)];
        return p === undefined || q === undefined ? undefined : f(p, q);
      });
    }
    return [{ shape, ints }];
  };
}

const first: Rule = (node, get) => [{ shape: get(node.inputs[0] ?? "").shape }];

const same: Rule = (node, get) => {
  const { shape, ints, fill } = get(node.inputs[0] ?? "");
  return [{ shape, ints, fill }];
};

const RULES = new Map<string, Rule>([
  ...UNARY.map((op): [string, Rule] => [op, first]),
  [
    "Where",
    (node, get) => {
      const [a, b, c] = [0, 1, 2].map((i) => get(node.inputs[i] ?? "").shape);
      return [{ shape: broadcast(a, broadcast(b, c)) }];
    },
  ],
  [
    "Equal",
    (node, get) => [{ shape: broadcast(get(node.inputs[0] ?? "").shape, get(node.inputs[1] ?? "").shape) }],
  ],
  ["Identity", same],
  ["Cast", same],
  ["Dropout", same],
  ["Add", arithmetic((a, b) => a + b)],
  ["Sub", arithmetic((a, b) => a - b)],
  ["Mul", arithmetic((a, b) => a * b)],
  ["Div", arithmetic((a, b) => Math.trunc(a / b))],
  [
    "MatMul",
    (node, get) => {
      const [a, b] = [get(node.inputs[0] ?? "").shape, get(node.inputs[1] ?? "").shape];
      return [{ shape: a && a.length > 0 && b?.length === 2 ? [...a.slice(0, -1), b[1]] : undefined }];
    },
  ],
  [
    "Gemm",
    (node, get) => {
      const [a, b] = [get(node.inputs[0] ?? "").shape, get(node.inputs[1] ?? "").shape];
      const rows = a?.[node.attributes.integer("transA") ? 1 : 0];
      return [{ shape: [rows, b?.[node.attributes.integer("transB") ? 0 : 1]] }];
    },
  ],
  [
    "GRU",
    (node, get) => {
      const x = get(node.inputs[0] ?? "").shape;
      const hidden = get(node.inputs[2] ?? "").shape;
      const [d, h] = [hidden?.[0], hidden?.[2]];
      if (node.attributes.integer("layout")) return [];
      return [{ shape: [x?.[0], d, x?.[1], h] }, { shape: [d, x?.[1], h] }];
    },
  ],
  [
    "Shape",
    (node, get) => {
      const { shape } = get(node.inputs[0] ?? "");
      const [start, end] = [node.attributes.integer("start"), node.attributes.integer("end")];
      const ints = shape?.slice(start ?? 0, end ?? shape.length);
      return [{ shape: [ints?.length], ints }];
    },
  ],
  [
    "ConstantOfShape",
    (node, get) => {
      const value = node.attributes.tensor("value");
      return [{ shape: sizesOf(get(node.inputs[0] ?? "")), fill: value ? value.data[0] : 0 }];
    },
  ],
  [
    "Expand",
    (node, get) => {
      const x = get(node.inputs[0] ?? "");
      const wanted = get(node.inputs[1] ?? "");
      return [{ shape: broadcast(x.shape, sizesOf(wanted)), fill: x.fill }];
    },
  ],
  [
    "Transpose",
    (node, get) => {
      const { shape, fill } = get(node.inputs[0] ?? "");
      const perm = node.attributes.integers("perm") ?? shape?.map((_, i) => shape.length - 1 - i);
      return [{ shape: shape && perm?.map((p) => shape[p]), fill }];
    },
  ],
  [
    "Reshape",
    (node, get) => {
      const x = get(node.inputs[0] ?? "");
      const { ints } = get(node.inputs[1] ?? "");
      return [{ shape: ints && reshaped(x.shape, ints), fill: x.fill }];
    },
  ],
  [
    "Squeeze",
    (node, get) => {
      const { shape, ints, fill } = get(node.inputs[0] ?? "");
      const axes = integersOf(node, "axes", 1, get);
      const gone = axes && shape && axes.map((a) => (a === undefined ? undefined : axisOf(a, shape.length)));
      if (!gone || gone.includes(undefined)) return [{ fill, ints }];
      return [{ shape: shape.filter((_, i) => !gone.includes(i)), ints, fill }];
    },
  ],
  [
    "Unsqueeze",
    (node, get) => {
      const { shape, ints, fill } = get(node.inputs[0] ?? "");
      const axes = integersOf(node, "axes", 1, get);
      if (!shape || !axes || shape.length + axes.length > 64) return [{ fill }];
      const rank = shape.length + axes.length;
      const added = new Set(axes.map((a) => (a === undefined ? undefined : axisOf(a, rank))));
      if (added.has(undefined) || added.size !== axes.length) return [{ fill }];
      let next = 0;
      const wide = Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : shape[next++]));
      return [{ shape: wide, ints: rank === 1 ? ints : undefined, fill }];
    },
  ],
  [
    "Gather",
    (node, get) => {
      const [x, at] = [get(node.inputs[0] ?? ""), get(node.inputs[1] ?? "")];
      const axis = x.shape && axisOf(node.attributes.integer("axis") ?? 0, x.shape.length);
      if (!x.shape || axis === undefined || !at.shape) return [{ fill: x.fill }];
      const shape = [...x.shape.slice(0, axis), ...at.shape, ...x.shape.slice(axis + 1)];
      const { ints } = x;
      const picked =
        ints && at.ints?.map((i) => (i === undefined ? undefined : ints[i < 0 ? i + ints.length : i]));
      return [{ shape, ints: picked, fill: x.fill }];
    },
  ],
  [
    "Slice",
    (node, get) => {
      const { shape, ints, fill } = get(node.inputs[0] ?? "");
      const cuts = cutsOf(node, get);
      if (!shape || !cuts) return [{ shape: shape?.map(() => undefined), fill }];
      const sizes = [...shape];
      for (const cut of cuts) sizes[cut.axis] = cut.size;
      const [only] = cuts;
      const simple = ints && shape.length === 1 && only && only.step === 1 && only.size !== undefined;
      return [
        { shape: sizes, ints: simple ? ints.slice(only.start, only.start + only.size!) : undefined, fill },
      ];
    },
  ],
  [
    "Split",
    (node, get) => {
      const { shape, fill } = get(node.inputs[0] ?? "");
      const axis = shape && axisOf(node.attributes.integer("axis") ?? 0, shape.length);
      if (!shape || axis === undefined) return [];
      const parts = partsOf(node, get);
      return node.outputs.map((_, i) => ({
        shape: shape.map((d, k) => (k === axis ? parts?.[i] : d)),
        fill,
      }));
    },
  ],
  [
    "Concat",
    (node, get) => {
      const facts = node.inputs.map(get);
      const shape = facts[0]?.shape;
      const axis = shape && axisOf(node.attributes.integer("axis") ?? 0, shape.length);
      if (!shape || axis === undefined) return [];
      const sizes = facts.map((f) => f.shape?.[axis]);
      const size = sizes.includes(undefined) ? undefined : sizes.reduce<number>((a, b) => a + b!, 0);
      const whole = shape.map((d, k) =>
        k === axis ? size : (d ?? facts.find((f) => f.shape?.[k])?.shape?.[k]),
      );
      const joined = facts.every((f) => f.ints) ? facts.flatMap((f) => f.ints!) : undefined;
      return [
        { shape: whole, ints: shape.length === 1 && (joined?.length ?? 0) <= 1024 ? joined : undefined },
      ];
    },
  ],
]);

function reshaped(from: Size[] | undefined, wanted: Size[]): Size[] {
  const sizes = wanted.map((d, i) => (d === 0 ? from?.[i] : d));
  const open = sizes.indexOf(-1);
  if (open < 0) return sizes;
  const others = sizes.filter((_, i) => i !== open);
  const whole = !from || from.includes(undefined) || others.includes(undefined);
  const product = (s: Size[]) => s.reduce<number>((a, b) => a * b!, 1);
  sizes[open] = whole ? undefined : product(from) / product(others);
  return sizes;
}

export function infer(node: Node, get: Get): Found[] {
  return RULES.get(node.opType)?.(node, get) ?? [];
}
