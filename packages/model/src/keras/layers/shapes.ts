/** Layers that only move numbers. None of them supports masks in Keras. */
import { type LayerCall, shapeText } from "../convert.js";
import type { Shape, Value } from "../values.js";

function plainInput(call: LayerCall): Value {
  const x = call.input();
  call.dropMask(x);
  return x;
}

const product = (sizes: Shape): number | null =>
  sizes.some((size) => size === null) ? null : (sizes as number[]).reduce((a, b) => a * b, 1);

export function flatten(call: LayerCall): Value[] {
  const x = plainInput(call);
  if (call.options.string("data_format", "channels_last") !== "channels_last")
    call.options.unsupported("data_format = channels_first is not supported");
  if (x.shape.length === 1) return [call.ctx.unsqueeze(call.name, x, 1)];
  const rest = product(x.shape.slice(1));
  return [call.ctx.reshape(call.name, x, [0, rest ?? -1], [x.shape[0]!, rest])];
}

export function reshape(call: LayerCall): Value[] {
  const x = plainInput(call);
  // TensorFlow.js writes null for the open size.
  const given = call.options.raw("target_shape");
  const target = Array.isArray(given) ? given.map((size) => size ?? -1) : [];
  if (!Array.isArray(given) || !target.every((size) => Number.isSafeInteger(size)))
    call.options.bad("target_shape should be whole numbers");
  const total = product(x.shape.slice(1));
  const known = target.filter((s) => s !== -1).reduce((a, b) => a * b, 1);
  const open = target.filter((s) => s === -1).length;
  const fits = open === 0 ? total === null || total === known : total === null || total % known === 0;
  if (target.some((s) => s < 1 && s !== -1) || open > 1 || !fits)
    call.options.bad(`target_shape [${target}] doesn't fit its input [${shapeText(x.shape)}]`);
  const rest = target.map((s) => (s !== -1 ? s : total === null ? null : total / known));
  return [call.ctx.reshape(call.name, x, [0, ...target], [x.shape[0]!, ...rest])];
}

/** dims count from 1, without the batch. */
export function permute(call: LayerCall): Value[] {
  const x = plainInput(call);
  const dims = call.options.integers("dims");
  if ([...dims].sort((a, b) => a - b).some((d, i) => d !== i + 1) || dims.length !== x.shape.length - 1)
    call.options.bad(`dims [${dims}] don't fit its input [${shapeText(x.shape)}]`);
  return [call.ctx.transpose(call.name, x, [0, ...dims])];
}

/** [B, C] to [B, n, C]. */
export function repeatVector(call: LayerCall): Value[] {
  const x = plainInput(call);
  call.rank(x, 2);
  const n = call.options.size("n");
  const column = call.ctx.unsqueeze(call.name, x, 1);
  return [call.ctx.expand(call.name, column, [1, n, 1], [x.shape[0]!, n, x.shape[1]!])];
}
