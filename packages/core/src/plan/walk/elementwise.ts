/** Affine layers, sums, products and reductions of private values. */
import { SottoError } from "../../errors.js";
import type { SharedNode } from "../../program/nodes.js";
import type { AffineLayer, Layer, ProductLayer, ReduceLayer, SumLayer } from "../description.js";
import { broadcastShape, broadcastTo } from "../fold.js";
import { inputScale, operandOf } from "../operand.js";
import { type ActivationTable, activationTable, nodeValue } from "../table.js";
import type { Entry } from "../tensors.js";
import type { PrivateTensor } from "../values.js";
import { realBound, type Walk } from "./walk.js";

/** Bits of 1 / n where a mean is taken. */
const MEAN_BITS = 16;
/** Bounds are below 2^53; a bit to spare. */
const EXACT_BITS = 52;

/** Nothing is computed: the elements know what they are made from (plan/values.ts). */
export function walkAffine(walk: Walk, layer: AffineLayer): void {
  const x = walk.computed(layer, 0);
  const indexOf = (name: string | undefined, shape: number[] | undefined): Int32Array | undefined => {
    if (!name) return undefined;
    if (!shape)
      throw new SottoError("plan-mismatch", `layer ${layer.name}: the plan lacks the shape of ${name}`);
    return broadcastTo(layer.name, shape, x.shape);
  };
  const scale = indexOf(layer.scale, layer.shapes?.scale);
  const offset = indexOf(layer.offset, layer.shapes?.offset);
  const entry = (name: string | undefined, index: Int32Array | undefined, i: number): Entry | undefined =>
    index && [name!, index[i]!];
  const data = walk.pool.affine(layer.name, x.data, (i) => ({
    scale: entry(layer.scale, scale, i),
    offset: entry(layer.offset, offset, i),
  }));
  walk.put(layer, { shape: x.shape, data });
}

export function walkSum(walk: Walk, layer: SumLayer): void {
  const { shape, parts } = broadcast(walk, layer);
  const { builder } = walk;
  let sum: SharedNode | undefined;
  parts.forEach((elements, i) => {
    const x = builder.times(walk.collect(elements), layer.signs?.[i] ?? 1);
    sum = sum ? builder.add(sum, x) : x;
  });
  walk.put(layer, walk.pool.tensor(shape, [sum!]));
}

/** Both are opened; what is too long for a product of 53 bits is shifted as the operand of a matrix would be. */
export function walkProduct(walk: Walk, layer: ProductLayer): void {
  const { shape, parts } = broadcast(walk, layer);
  const [a, b] = parts.map((elements) => walk.collect(elements));
  if (!a || !b || parts.length !== 2)
    throw new SottoError("bad-model", `layer ${layer.name}: a product has two factors`);
  const scale = (x: SharedNode) => x.scale - operandOf(x, walk.precision).shift;
  walk.put(layer, walk.pool.tensor(shape, [walk.builder.product(a, b, scale(a), scale(b))]));
}

export function walkReduce(walk: Walk, layer: ReduceLayer): void {
  const x = walk.computed(layer, 0);
  const rank = x.shape.length;
  const axes = new Set(layer.axes.map((a) => (a < 0 ? a + rank : a)));
  for (const a of axes)
    if (!(Number.isInteger(a) && a >= 0 && a < rank))
      throw new SottoError(
        "bad-model",
        `layer ${layer.name}: axes [${layer.axes}] of an input of shape [${x.shape}]`,
      );
  const shape = x.shape.flatMap((d, i) => (axes.has(i) ? (layer.keepDims ? [1] : []) : [d]));
  const groups = groupsOf(walk, layer, x, axes);
  // equally large groups are reduced together
  const bySize = new Map<number, number[]>();
  groups.forEach((g, i) => {
    const list = bySize.get(g.length);
    if (list) list.push(i);
    else bySize.set(g.length, [i]);
  });
  const data = new Float64Array(groups.length);
  for (const [count, members] of bySize) {
    if (count === 0)
      throw new SottoError(
        "bad-input",
        `layer ${layer.name}: there is nothing to reduce: a sequence is empty`,
      );
    // block k holds the k-th element of each group
    const blocks = Float64Array.from({ length: count * members.length }, (_, i) => {
      const [k, m] = [Math.floor(i / members.length), i % members.length];
      return groups[members[m]!]![k]!;
    });
    const y = layer.fn === "max" ? maximum(walk, layer, blocks, count) : summed(walk, layer, blocks, count);
    const result = walk.pool.tensor([members.length], [y]).data;
    members.forEach((g, i) => {
      data[g] = result[i]!;
    });
  }
  walk.put(layer, { shape, data });
}

/** For each element of the result, the elements that go into it. */
function groupsOf(walk: Walk, layer: ReduceLayer, x: PrivateTensor, axes: ReadonlySet<number>): number[][] {
  const spans =
    layer.inputs[1] || layer.inputs[2] ? walk.spans(layer, 1, x.shape[1]!, x.shape[0]!) : undefined;
  if (spans && !(axes.size === 1 && axes.has(1)))
    throw new SottoError(
      "unsupported",
      `layer ${layer.name}: lengths with axes [${layer.axes}]; expected axis 1, the time`,
    );
  const strides = x.shape.map((_, i) => x.shape.slice(i + 1).reduce((n, d) => n * d, 1));
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.has(i));
  const groups: number[][] = Array.from({ length: kept.reduce((n, i) => n * x.shape[i]!, 1) }, () => []);
  for (let i = 0; i < x.data.length; i++) {
    const at = (axis: number) => Math.floor(i / strides[axis]!) % x.shape[axis]!;
    if (spans) {
      const [start, end] = spans[at(0)]!;
      if (at(1) < start || at(1) >= end) continue;
    }
    groups[kept.reduce((n, axis) => n * x.shape[axis]! + at(axis), 0)]!.push(x.data[i]!);
  }
  return groups;
}

/**
 * Shares are added up; the mean is a product with a public integer of 16 bits, whose scale takes 2^-k of 1 / count, and
 * is made fresh at a scale that does not depend on the count: the layers that read it are the same for every length.
 * The builder makes a value fresh before, where a word has no room for the product.
 */
function summed(walk: Walk, layer: ReduceLayer, blocks: Float64Array, count: number): SharedNode {
  const { builder } = walk;
  const x = walk.collect(blocks);
  const whole = Math.max(0, Math.ceil(Math.log2(realBound(x))));
  const k = Math.floor(Math.log2(count));
  const bits = layer.fn === "sum" ? 0 : MEAN_BITS;
  const fine = Math.max(0, Math.min(x.scale, EXACT_BITS - bits - k - whole - 1));
  const total = builder.total(builder.truncate(x, fine), count);
  if (layer.fn === "sum") return total;
  const mean = builder.times(total, Math.round(2 ** (bits + k) / count), bits + k, 1 / count);
  return builder.lift(mean, Math.min(fine, inputScale(realBound(x))));
}

/** How far the table of relu is above relu at most: around its kink; elsewhere its nodes are exact. */
function excess(table: ActivationTable): number {
  const step = 2 ** table.stepBits;
  let most = 0;
  for (let x = 1 - 2 * step; x < 2 * step; x++) {
    for (const node of [Math.floor(x / step), Math.ceil(x / step)]) {
      const above =
        nodeValue(table, node, x) / 2 ** table.outputScale - Math.max(0, x / 2 ** table.inputScale);
      most = Math.max(most, above);
    }
  }
  return most;
}

/** max(a, b) = b + relu(a - b), in a tree: two rounds a level. */
function maximum(walk: Walk, layer: ReduceLayer, blocks: Float64Array, count: number): SharedNode {
  const { builder, precision } = walk;
  const values = walk.collect(blocks);
  let x = builder.truncate(values, Math.min(values.scale, precision.activation));
  const width = x.length / count;
  // each level may add what a look-up is off by, and a unit of its input
  const most = realBound(x) * (1 + 2 ** -6) + 2 ** -6;
  const table = activationTable({ name: "relu" }, 2 * most, precision.activation, 4);
  const levels = Math.ceil(Math.log2(count));
  if (levels * (excess(table) + 2 ** -table.inputScale) > most - realBound(x)) {
    throw new SottoError(
      "does-not-fit",
      `layer ${layer.name}: the maximum of ${count} values up to ${realBound(x).toPrecision(3)} is not exact enough; ` +
        "scale the values down",
    );
  }
  for (let left = count; left > 1; left = Math.ceil(left / 2)) {
    const half = Math.floor(left / 2);
    const a = builder.slice(x, 0, half * width);
    const b = builder.slice(x, half * width, half * width);
    const greater = builder.finish(builder.activation(table, builder.add(a, builder.times(b, -1))));
    const sum = builder.add(b, greater);
    const larger = builder.within(sum, Math.ceil(most * 2 ** sum.scale));
    const rest = left % 2 ? builder.slice(x, 2 * half * width, width) : undefined;
    x = rest ? builder.concat([larger, builder.rescale(rest, larger.scale)]) : larger;
  }
  return x;
}

/** The operands' elements, brought to one shape. */
function broadcast(walk: Walk, layer: Layer): { shape: number[]; parts: Float64Array[] } {
  const inputs = layer.inputs.map((_, i) => walk.computed(layer, i));
  const shape = inputs.map((t) => t.shape).reduce((a, b) => broadcastShape(layer.name, a, b));
  const parts = inputs.map((t) =>
    t.shape.join() === shape.join()
      ? t.data
      : Float64Array.from(broadcastTo(layer.name, t.shape, shape), (i) => t.data[i]!),
  );
  return { shape, parts };
}
