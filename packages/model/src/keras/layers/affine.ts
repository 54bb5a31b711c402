/** Layers that scale and shift by numbers known once trained. */
import type { AffineLayer } from "@sotto/core";
import { type LayerCall, shapeText } from "../convert.js";
import type { Value } from "../values.js";

function affine(
  call: LayerCall,
  x: Value,
  shape: number[],
  scale: Float32Array,
  offset: Float32Array,
): Value {
  const names = { scale: call.tensor("scale", shape, scale), offset: call.tensor("offset", shape, offset) };
  return call.ctx.add<AffineLayer>(
    { op: "affine", name: call.name, inputs: [x.name], ...names },
    x.shape,
    x.mask,
  );
}

/** (x - moving_mean) / sqrt(moving_variance + epsilon) * gamma + beta. */
export function batchNormalization(call: LayerCall): Value[] {
  const { options } = call;
  const x = call.input();
  const rank = x.shape.length;
  const axes = options.has("axis") ? options.integers("axis") : [-1];
  const axis = axes[0]! < 0 ? axes[0]! + rank : axes[0]!;
  if (axes.length !== 1) options.unsupported("normalisation over several axes");
  if (axis < 1 || axis >= rank)
    options.bad(`axis is ${axes[0]}, but its input has shape [${shapeText(x.shape)}]`);
  const size = x.shape[axis];
  if (typeof size !== "number") call.options.unsupported("the normalised axis needs a known size");
  const shapes: Record<string, number[]> = {};
  if (options.boolean("scale", true)) shapes.gamma = [size];
  if (options.boolean("center", true)) shapes.beta = [size];
  const { gamma, beta, mean, variance } = call.weights({ ...shapes, mean: [size], variance: [size] });
  const epsilon = options.number("epsilon", 1e-3);
  const scale = variance!.data.map((v, i) => (gamma?.data[i] ?? 1) / Math.sqrt(v + epsilon));
  const offset = mean!.data.map((m, i) => (beta?.data[i] ?? 0) - m * scale[i]!);
  return [affine(call, x, [size, ...Array<number>(rank - 1 - axis).fill(1)], scale, offset)];
}

/** x * scale + offset. */
export function rescaling(call: LayerCall): Value[] {
  const x = call.input();
  const [scale, offset] = [listed(call, "scale", 1), listed(call, "offset", 0)];
  const size = Math.max(scale.length, offset.length);
  const wide = (list: number[]) =>
    Float32Array.from({ length: size }, (_, i) => list[list.length === 1 ? 0 : i]!);
  if ((scale.length !== 1 && scale.length !== size) || (offset.length !== 1 && offset.length !== size))
    call.options.bad(`scale has ${scale.length} numbers, offset ${offset.length}`);
  if (size !== 1 && size !== call.lastSize(x))
    call.options.bad(`its numbers don't fit [${shapeText(x.shape)}]`);
  return [affine(call, x, [size], wide(scale), wide(offset))];
}

/**
 * (x - mean) / max(sqrt(variance), 1e-7); the numbers are in the configuration, or have been learnt: then the weights
 * are mean, variance and count (keras-team/keras, src/layers/preprocessing/normalization.py).
 */
export function normalization(call: LayerCall): Value[] {
  const { options } = call;
  options.refuse("invert", "apply the inverse outside of the model");
  const x = call.input();
  const axes = options.raw("axis") === null ? [] : options.has("axis") ? options.integers("axis") : [-1];
  const rank = x.shape.length;
  if (axes.length > 1 || (axes.length === 1 && axes[0] !== -1 && axes[0] !== rank - 1))
    options.unsupported(`axis = [${axes}] is not supported; supported are the last axis and none`);
  const size = axes.length === 0 ? 1 : call.lastSize(x);
  let [mean, variance]: Float32Array[] = [];
  if (options.has("mean")) {
    [mean, variance] = ["mean", "variance"].map((name) => {
      const list = listed(call, name, 0);
      if (list.length !== 1 && list.length !== size)
        options.bad(`${name} has ${list.length} numbers, expected ${size}`);
      return Float32Array.from({ length: size }, (_, i) => list[list.length === 1 ? 0 : i]!);
    });
  } else {
    const shape = axes.length === 0 ? [] : [size];
    const weights = call.weights({ mean: shape, variance: shape, count: [] });
    [mean, variance] = [weights.mean!.data, weights.variance!.data];
  }
  call.dropMask(x);
  const scale = variance!.map((v) => 1 / Math.max(Math.sqrt(v), 1e-7));
  const offset = mean!.map((m, i) => -m * scale[i]!);
  return [{ ...affine(call, x, [size], scale, offset), mask: undefined }];
}

/** A number, or numbers in any nesting. */
function listed(call: LayerCall, option: string, otherwise: number): number[] {
  const value = call.options.raw(option) ?? otherwise;
  const list = (Array.isArray(value) ? value.flat(10) : [value]) as unknown[];
  if (list.length === 0 || list.some((v) => typeof v !== "number" || !Number.isFinite(v)))
    call.options.bad(`${option} should be numbers`);
  return list as number[];
}
