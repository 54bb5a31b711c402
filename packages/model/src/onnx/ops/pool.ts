import type { ReduceLayer } from "@sotto/core";
import { isIncreasing, LARGEST_WINDOW } from "../../parts.js";
import type { Context } from "../context.js";
import { badNode, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import type { PrivateValue, Size } from "../values.js";
import { write } from "./arithmetic.js";

/** What a slice means by its axis' end. */
const END = 2 ** 31 - 1;

/**
 * MaxPool and AveragePool of [B, C, L]: a slice for each element of the window, of which element i of all windows
 * is element i; then their maximum or mean.
 */
export function windowPool(fn: "max" | "mean") {
  return (ctx: Context, node: Node): void => {
    const { size, stride, dilation } = windowOf(node);
    if (node.outputs[1]) unsupportedNode(node, "the indices of maxima are not supported");
    const given = ctx.privateInput(node, 0, "pooling of constants is not supported");
    const before = fn === "max" ? beforeFunction(ctx, given) : undefined;
    if (before) {
      const name = ctx.fresh(`${node.outputs[0]}.max`);
      pool(ctx, { ...node, outputs: [name] }, before.x, fn, { size, stride, dilation });
      write(ctx, node, ctx.value(name) as PrivateValue, before.activation, node.outputs[0]);
    } else pool(ctx, node, given, fn, { size, stride, dilation });
  };
}

/** What goes into the increasing function that a value is the result of. */
function beforeFunction(ctx: Context, x: PrivateValue) {
  const layer = ctx.layers.find((l) => l.outputs.includes(x.name));
  if (layer?.op !== "activation" || !isIncreasing(layer.activation)) return undefined;
  const source = ctx.find(layer.inputs[0]!);
  return source?.kind === "private" ? { x: source, activation: layer.activation } : undefined;
}

function pool(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  fn: ReduceLayer["fn"],
  { size, stride, dilation }: Windows,
): void {
  if (x.shape && x.shape.length !== 3)
    unsupportedNode(
      node,
      `its input has shape [${x.shape.map((d) => d ?? "?")}]; supported is pooling along one axis, of [batch, channels, steps]`,
    );
  const span = (size - 1) * dilation + 1;
  const L = x.shape?.[2];
  if (typeof L === "number" && L < span)
    badNode(node, `its windows span ${span} steps, but its input has ${L}`);
  if (L === size && dilation === 1) {
    reduce(ctx, node, x, fn, 2, true, [x.shape?.[0], x.shape?.[1], 1]);
    return;
  }
  if (size > LARGEST_WINDOW)
    unsupportedNode(
      node,
      `its windows have ${size} steps; supported are ${LARGEST_WINDOW}, or all of a fixed number of steps`,
    );
  const steps = typeof L === "number" ? Math.floor((L - span) / stride) + 1 : undefined;
  const shape: Size[] = [x.shape?.[0], x.shape?.[1], steps];
  const parts = Array.from({ length: size }, (_, i): PrivateValue => {
    const end = (i - size + 1) * dilation;
    const parameters = [[i * dilation], [end === 0 ? END : end], [2], [stride]];
    const part = { ...ctx.move(node, x, { op: "slice", parameters }), shape };
    return ctx.move(node, part, { op: "unsqueeze", parameters: [[3]] });
  });
  const outputs = [ctx.fresh(`${node.outputs[0]}.windows`)];
  const windows = ctx.write(
    { op: "concat", name: node.name, inputs: parts.map((p) => p.name), outputs, axis: 3 },
    [...shape, size],
  );
  reduce(ctx, node, windows, fn, 3, false, shape);
}

function reduce(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  fn: ReduceLayer["fn"],
  axis: number,
  keepDims: boolean,
  shape: Size[],
): void {
  const [inputs, outputs] = [[x.name], [node.outputs[0] ?? ""]];
  ctx.write({ op: "reduce", name: node.name, inputs, outputs, fn, axes: [axis], keepDims }, shape);
}

interface Windows {
  size: number;
  stride: number;
  dilation: number;
}

function windowOf(node: Node): Windows {
  const { attributes } = node;
  const kernel = attributes.integers("kernel_shape") ?? [];
  const strides = attributes.integers("strides") ?? kernel.map(() => 1);
  const dilations = attributes.integers("dilations") ?? kernel.map(() => 1);
  const pads = attributes.integers("pads") ?? [];
  const auto = attributes.string("auto_pad") ?? "NOTSET";
  const ceil = attributes.integer("ceil_mode") ?? 0;
  // Without padding both say nothing.
  attributes.ignore("count_include_pad", "storage_order");
  attributes.refuseRest();
  if (kernel.length !== 1)
    unsupportedNode(node, `its windows have the shape [${kernel}]; supported is pooling along one axis`);
  if (pads.some((p) => p !== 0) || auto.startsWith("SAME"))
    unsupportedNode(node, "it pads its input; supported is pooling without padding");
  if (ceil !== 0) unsupportedNode(node, "ceil_mode is on; supported are whole windows only");
  const [size, stride, dilation] = [kernel[0]!, strides[0] ?? 0, dilations[0] ?? 0];
  if (!(size >= 1 && stride >= 1 && dilation >= 1 && strides.length === 1 && dilations.length === 1))
    badNode(node, `windows of ${kernel} with strides ${strides} and dilations ${dilations} are impossible`);
  return { size, stride, dilation };
}
