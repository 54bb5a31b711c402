/** Lengths of sequences, which are public: what may be done with them besides giving them to a GRU. */
import type { ReduceLayer, ViewLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { isSorted } from "../sorted.js";
import { elementsOf, type LengthValue, type PrivateValue, type Size } from "../values.js";

/** Where the axes of a batch and its steps are. */
interface Axes {
  batch: number;
  time: number;
}

export function refuseLengths(node: Node, lengths: LengthValue): never {
  unsupportedNode(
    node,
    `it uses ${quote(lengths.name)}, the lengths of sequences, for something else than a GRU's sequences; supported are ` +
      "packing and unpacking, and the mean over the true length of what a GRU gives, o.sum(1) / lengths[:, None]. " +
      "For each sequence's last state take the GRU's last state h[-1]",
  );
}

/** Lengths in a column or of another shape in which they are one after the other. */
export function viewOfLengths(
  ctx: Context,
  node: Node,
  layer: ViewLayer,
  lengths: LengthValue,
  shape: Size[] | undefined,
): void {
  const [batch] = lengths.shape ?? [];
  const kept = ["identity", "reshape", "squeeze", "unsqueeze"].includes(layer.op);
  const column = shape?.every((d, i) => d !== undefined && d === (i === 0 ? batch : 1));
  if (!kept || !column || !shape) refuseLengths(node, lengths);
  ctx.define(layer.outputs[0] ?? "", { ...lengths, shape });
}

/**
 * x / lengths: the mean over the true length, where x is a sum over all steps of what is 0 after a sequence's last step.
 */
export function overLengths(ctx: Context, node: Node, x: PrivateValue, lengths: LengthValue): void {
  const sum = ctx.layers.find((layer) => layer.outputs.includes(x.name));
  const { shape } = x;
  const column = shape && lengths.shape?.length === shape.length;
  if (sum?.op !== "reduce" || sum.fn !== "sum" || !column || lengths.sorted || shape.some(isSorted))
    refuseLengths(node, lengths);
  const source = ctx.value(sum.inputs[0]!) as PrivateValue;
  const rank = source.shape?.length ?? 0;
  const axes = sum.axes.map((a) => (a < 0 ? a + rank : a)).join();
  const name = node.outputs[0] ?? "";
  const mean = (of: PrivateValue): ReduceLayer => ({
    ...sum,
    name: node.name,
    fn: "mean",
    axes: [1],
    inputs: [of.name, lengths.name],
    outputs: [name],
  });
  if (axes === "1" && isZeroAfter(ctx, source.name, { batch: 0, time: 1 }, lengths))
    ctx.write(mean(source), shape);
  else if (axes === "0" && !sum.keepDims && isZeroAfter(ctx, source.name, { batch: 1, time: 0 }, lengths)) {
    const perm = Array.from({ length: rank }, (_, i) => (i < 2 ? 1 - i : i));
    ctx.write(mean(ctx.move(node, source, { op: "transpose", perm })), shape);
  } else
    unsupportedNode(
      node,
      `it divides a sum by ${quote(lengths.name)}, the lengths of sequences, and the sum is not over what a GRU with these ` +
        "lengths gives, which is 0 after a sequence's last step: other layers between them add something for the padding. " +
        "Take the mean right after the GRU, and apply them to it",
    );
}

/** Whether a value is a GRU's states with these lengths, moved, or a function of them that keeps 0. */
function isZeroAfter(ctx: Context, name: string, { batch, time }: Axes, lengths: LengthValue): boolean {
  const layer = ctx.layers.find((l) => l.outputs.includes(name));
  if (!layer) return false;
  const before = (axes: Axes) =>
    layer.inputs.slice(0, 1).every((input) => isZeroAfter(ctx, input, axes, lengths));
  const moved = (f: (axis: number) => number) => before({ batch: f(batch), time: f(time) });
  const parameter = (i: number) => {
    const value = layer.inputs[i] ? ctx.find(layer.inputs[i]) : undefined;
    const elements = value && elementsOf(value);
    return elements?.every((e) => typeof e === "number" && e >= 0) ? (elements as number[]) : undefined;
  };
  switch (layer.op) {
    case "gru":
      return layer.outputs[0] === name && layer.inputs[2] === lengths.name && time === 0 && batch === 2;
    case "identity":
      return before({ batch, time });
    case "activation":
      return KEEP_ZERO.has(layer.activation.name) && before({ batch, time });
    case "transpose": {
      const { perm } = layer;
      return perm !== undefined && moved((axis) => perm[axis]!);
    }
    case "squeeze": {
      const gone = parameter(1)?.sort((a, b) => a - b);
      return gone !== undefined && moved((axis) => gone.reduce((a, g) => (g <= a ? a + 1 : a), axis));
    }
    case "concat": {
      if (layer.axis === batch || layer.axis === time || (layer.axis ?? 0) < 0) return false;
      return layer.inputs.every((input) => isZeroAfter(ctx, input, { batch, time }, lengths));
    }
    case "slice": {
      const along = parameter(3);
      return (
        along !== undefined && !along.includes(batch) && !along.includes(time) && before({ batch, time })
      );
    }
    case "reshape": {
      // sizes in front that stay as they are stay the same axes
      const shapes = [layer.inputs[0]!, name].map((v) => ctx.find(v)?.shape);
      const [from, to] = shapes.map((s) => s?.slice(0, Math.max(batch, time) + 1));
      const same = from?.every((d, i) => d !== undefined && d === to?.[i]);
      return same === true && before({ batch, time });
    }
    default:
      return false;
  }
}

const KEEP_ZERO: ReadonlySet<string> = new Set(["tanh", "relu", "leakyRelu", "elu", "softsign"]);
