import type { ReduceLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { isKnown, position } from "../sizes.js";
import type { ConstantValue, PrivateValue, Size } from "../values.js";
import { affine, minus } from "./arithmetic.js";

/** ReduceSum, ReduceMean, ReduceMax, ReduceMin; axes are an attribute in old operator sets, an input in new ones. */
export function reduce(fn: ReduceLayer["fn"] | "min" | "prod") {
  return (ctx: Context, node: Node): void => {
    const attribute = node.attributes.integers("axes");
    const keepDims = (node.attributes.integer("keepdims") ?? 1) !== 0;
    const idle = (node.attributes.integer("noop_with_empty_axes") ?? 0) !== 0;
    node.attributes.refuseRest();
    const input = ctx.optional(node, 1);
    if (input && input.kind !== "constant")
      unsupportedNode(node, `its axes ${JSON.stringify(input.name)} are not constant`);
    const axes = attribute ?? (input && Array.from(input.data)) ?? [];
    const value = ctx.input(node, 0);
    const name = node.outputs[0] ?? "";
    if (axes.length === 0 && idle) {
      ctx.define(name, value);
      return;
    }
    if (value.kind === "constant") {
      fold(ctx, node, fn, value, axes, keepDims);
      return;
    }
    if (value.kind === "public" && value.elements?.length === 1) {
      const op = keepDims ? "identity" : "squeeze";
      ctx.view(node, { op, name: node.name, inputs: [value.name], outputs: [name] });
      return;
    }
    const x = ctx.privateInput(node, 0, "reductions of open sizes are not supported");
    if (fn === "prod") unsupportedNode(node, "products over an axis of private values are not supported");
    const over = axes.length > 0 ? axes : x.shape?.map((_, i) => i);
    if (!over)
      unsupportedNode(node, "it runs over all axes, and their number is unknown; export it with axes");
    if (fn !== "min") {
      write(ctx, node, x, fn, over, keepDims, name);
      return;
    }
    const most = write(
      ctx,
      node,
      minus(ctx, node, x, ctx.fresh(`${name}.negative`)),
      "max",
      over,
      keepDims,
      ctx.fresh(`${name}.max`),
    );
    minus(ctx, node, most, name);
  };
}

/** GlobalAveragePool and GlobalMaxPool: over all axes but the first two. */
export function globalPool(fn: "mean" | "max") {
  return (ctx: Context, node: Node): void => {
    node.attributes.refuseRest();
    const x = ctx.privateInput(node, 0, "pooling of constants is not supported");
    if (!x.shape) unsupportedNode(node, "the number of axes of its input is unknown");
    const axes = x.shape.map((_, i) => i).slice(2);
    if (axes.length === 0) badNode(node, `its input has shape [${x.shape}]; expected [batch, channels, ...]`);
    write(ctx, node, x, fn, axes, true, node.outputs[0] ?? "");
  };
}

/** Inference form: (x - mean) / sqrt(var + epsilon) * scale + B, by channel (axis 1). */
export function batchNormalization(ctx: Context, node: Node): void {
  const epsilon = node.attributes.float("epsilon") ?? 1e-5;
  const spatial = node.attributes.integer("spatial") ?? 1;
  const training = node.attributes.integer("training_mode") ?? 0;
  node.attributes.ignore("momentum");
  node.attributes.refuseRest();
  if (training !== 0)
    unsupportedNode(node, "training_mode is on; export the model in evaluation mode (model.eval())");
  if (spatial !== 1) unsupportedNode(node, "attribute spatial = 0 is not supported; supported is 1");
  const x = ctx.privateInput(node, 0, "normalisation of constants is not supported");
  const names = ["scale", "bias B", "mean", "variance"];
  const [scale, bias, mean, variance] = names.map((what, i) => ctx.weight(node, i + 1, what).data) as [
    ConstantValue["data"],
    ConstantValue["data"],
    ConstantValue["data"],
    ConstantValue["data"],
  ];
  const channels = scale.length;
  const declared = x.shape?.[1];
  if ([bias, mean, variance].some((t) => t.length !== channels))
    badNode(node, "its scale, bias, mean and variance differ in size");
  if (!x.shape || x.shape.length < 2)
    unsupportedNode(node, "the number of axes of its input is unknown; export the model with shapes");
  if (typeof declared === "number" && declared !== channels)
    badNode(node, `it has ${channels} channels, but its input has shape [${x.shape.map((d) => d ?? "?")}]`);
  const factors = Float64Array.from(scale, (s, i) => s / Math.sqrt(variance[i]! + epsilon));
  if (!factors.every(Number.isFinite)) badNode(node, "a variance is negative or zero");
  const shape = [channels, ...new Array<number>(x.shape.length - 2).fill(1)];
  const constant = (data: Float64Array): ConstantValue => ({
    kind: "constant",
    name: "",
    type: "float",
    shape,
    data,
  });
  affine(ctx, node, x, {
    scale: constant(factors),
    offset: constant(Float64Array.from(bias, (b, i) => b - mean[i]! * factors[i]!)),
  });
}

function write(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  fn: ReduceLayer["fn"],
  axes: number[],
  keepDims: boolean,
  name: string,
): PrivateValue {
  const rank = x.shape?.length;
  const gone = rank === undefined ? [] : axes.map((a) => position(a, rank));
  if (rank !== undefined && gone.some((a) => !(a >= 0 && a < rank)))
    badNode(node, `axes [${axes}] are out of range: its input has ${rank}`);
  const shape = x.shape?.flatMap((d, i): Size[] => (!gone.includes(i) ? [d] : keepDims ? [1] : []));
  return ctx.write(
    { op: "reduce", name: node.name, inputs: [x.name], outputs: [name], fn, axes, keepDims },
    shape,
  );
}

/** Of constants: one axis after the other. */
function fold(
  ctx: Context,
  node: Node,
  fn: ReduceLayer["fn"] | "min" | "prod",
  value: ConstantValue,
  axes: number[],
  keepDims: boolean,
): void {
  const rank = value.shape.length;
  const gone = (axes.length > 0 ? axes : value.shape.map((_, i) => i)).map((a) => position(a, rank));
  if (gone.some((a) => !(a >= 0 && a < rank)))
    badNode(node, `axes [${axes}] are out of range: there are ${rank}`);
  if (value.data.length === 0 || !isKnown(value.shape)) badNode(node, "it reduces an empty constant");
  let { shape, data } = value as { shape: number[]; data: ArrayLike<number> };
  for (const axis of new Set(gone)) {
    const [outer, n, inner] = [size(shape.slice(0, axis)), shape[axis]!, size(shape.slice(axis + 1))];
    const from = data;
    data = Float64Array.from({ length: outer * inner }, (_, i) => {
      const at = (k: number) => from[(Math.floor(i / inner) * n + k) * inner + (i % inner)]!;
      let result = at(0);
      for (let k = 1; k < n; k++) result = COMBINE[fn](result, at(k));
      return fn === "mean" ? result / n : result;
    });
    shape = shape.map((d, i) => (i === axis ? 1 : d));
  }
  const kept = keepDims ? shape : shape.filter((_, i) => !gone.includes(i));
  const numbers = Float64Array.from(data);
  const name = node.outputs[0] ?? "";
  ctx.define(name, { kind: "constant", name, type: value.type, shape: kept, data: numbers });
}

const COMBINE = {
  sum: (a: number, b: number) => a + b,
  mean: (a: number, b: number) => a + b,
  prod: (a: number, b: number) => a * b,
  max: Math.max,
  min: Math.min,
};

function size(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
