/**
 * Functions of several numbers at a network's end (softmax, argmax), and what is taken of their results. The client
 * computes them: the groups of numbers that they read are revealed, those of which nothing is taken are not.
 */
import { SottoError } from "../../errors.js";
import type { Activation, ArgMaxLayer, Constant, SoftmaxLayer, ViewLayer } from "../description.js";
import { applyView } from "../fold.js";
import type { GroupFunction, PrivateTensor } from "../values.js";
import type { Walk } from "./walk.js";

export interface GroupTensor extends PrivateTensor {
  pending: GroupFunction;
}

export function isGroups(t: PrivateTensor): t is GroupTensor {
  return t.pending !== undefined && "size" in t.pending;
}

export function walkSoftmax(walk: Walk, layer: SoftmaxLayer): void {
  const t = walk.computed(layer, 0);
  const { data, size, order } = grouped(t, axisOf(layer, t.shape));
  const picked = new Int32Array(order.length);
  order.forEach((element, i) => {
    picked[element] = i;
  });
  const inOrder = order.every((element, i) => element === i);
  walk.put(layer, { shape: t.shape, data, pending: { op: layer.op, size, ...(inOrder ? {} : { picked }) } });
}

export function walkArgMax(walk: Walk, layer: ArgMaxLayer): void {
  const t = beforeIncreasing(walk, layer);
  const axis = axisOf(layer, t.shape);
  const { data, size } = grouped(t, axis);
  const shape = layer.keepDims
    ? t.shape.map((d, a) => (a === axis ? 1 : d))
    : t.shape.filter((_, a) => a !== axis);
  walk.put(layer, { shape, data, pending: { op: layer.op, size } });
}

/** A view of what the client will have computed. */
export function viewOfResult(
  layer: ViewLayer,
  t: GroupTensor,
  constants: readonly (Constant | undefined)[],
): GroupTensor {
  const { op, size } = t.pending;
  const [view] = applyView(layer, [{ shape: t.shape, data: Float64Array.from(pickedOf(t)) }], constants);
  const { shape, data } = view!;
  const perGroup = op === "argMax" ? 1 : size;
  const groups = [...new Set(Array.from(data, (result) => Math.floor(result / perGroup)))].sort(
    (a, b) => a - b,
  );
  const place = new Map(groups.map((group, i) => [group, i]));
  const picked = Int32Array.from(
    data,
    (result) => place.get(Math.floor(result / perGroup))! * perGroup + (result % perGroup),
  );
  const revealed = new Float64Array(groups.length * size);
  groups.forEach((group, i) => {
    revealed.set(t.data.subarray(group * size, (group + 1) * size), i * size);
  });
  return { shape, data: revealed, pending: { op, size, picked } };
}

/** For each element of a tensor one of those that are revealed for it. */
export function revealedFor(t: PrivateTensor): Float64Array {
  if (!isGroups(t)) return t.data;
  const { op, size } = t.pending;
  return pickedOf(t).map((result) => t.data[op === "argMax" ? result * size : result]!);
}

/** The order of numbers before a function that keeps it is the same: the client need not compute the function. */
function beforeIncreasing(walk: Walk, layer: ArgMaxLayer): PrivateTensor {
  const t = walk.operand(layer, layer.inputs[0]!);
  if (t.pending?.op === "activation" && isStrictlyIncreasing(t.pending.activation))
    return { shape: t.shape, data: t.data };
  if (!isGroups(t) || t.pending.op === "argMax") return walk.computed(layer, 0);
  const { op, size } = t.pending;
  const picked = pickedOf(t);
  const softmaxes = grouped({ shape: t.shape, data: picked }, axisOf(layer, t.shape));
  if (!softmaxes.data.every((r, i, all) => same(r, all[i - (i % softmaxes.size)]!, size)))
    throw new SottoError(
      "unsupported",
      `layer ${layer.name}: argmax over results of several softmaxes (${op}); take it along the axis of the softmax`,
    );
  return { shape: t.shape, data: revealedFor(t) };
}

function same(a: number, b: number, size: number): boolean {
  return Math.floor(a / size) === Math.floor(b / size);
}

/** Equal numbers come of equal ones only. */
function isStrictlyIncreasing({ name, alpha = 1 }: Activation): boolean {
  if (name === "leakyRelu" || name === "elu") return alpha > 0;
  return ["sigmoid", "tanh", "softsign", "softplus"].includes(name);
}

function pickedOf({ shape, pending }: GroupTensor): Float64Array {
  if (pending.picked) return Float64Array.from(pending.picked);
  return Float64Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i);
}

/** Elements with those along an axis side by side. @returns also each one's position before. */
function grouped({ shape, data }: PrivateTensor, axis: number) {
  const size = shape[axis]!;
  const stride = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
  const order = Array.from({ length: data.length }, (_, i) => {
    const group = Math.floor(i / size);
    return (Math.floor(group / stride) * size + (i % size)) * stride + (group % stride);
  });
  return { size, order, data: Float64Array.from(order, (element) => data[element]!) };
}

function axisOf(layer: SoftmaxLayer | ArgMaxLayer, shape: readonly number[]): number {
  const axis = layer.axis < 0 ? layer.axis + shape.length : layer.axis;
  if (Number.isInteger(axis) && axis >= 0 && axis < shape.length) return axis;
  throw new SottoError(
    "bad-model",
    `layer ${layer.name}: axis ${layer.axis} of an input of shape [${shape}]`,
  );
}
