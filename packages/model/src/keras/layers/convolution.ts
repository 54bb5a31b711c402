import type { Conv1dLayer, ReduceLayer } from "@sotto/core";
import type { LayerCall } from "../convert.js";
import { quote } from "../errors.js";
import type { Value } from "../values.js";
import { applyFunction, readFunction } from "./functions.js";

/** kernel [K, channels / groups, filters], bias [filters]; x [B, L, channels]. */
export function conv1d(call: LayerCall): Value[] {
  const { ctx, options, name } = call;
  if (call.inputs.length !== 1) options.bad(`it has ${call.inputs.length} inputs, expected one`);
  const given = call.inputs[0]!;
  const zeros = given.pads ?? [0, 0];
  const x = given.pads ? { ...given, pads: undefined } : call.input();
  call.rank(x, 3);
  call.dropMask(x);
  if (options.string("data_format", "channels_last") !== "channels_last")
    options.unsupported("data_format = channels_first is not supported; supported is channels_last");
  const [size, stride, dilation] = (["kernel_size", "strides", "dilation_rate"] as const).map((option) =>
    single(call, option),
  ) as [number, number, number];
  const [filters, groups] = [options.size("filters"), options.size("groups", 1)];
  const channels = call.lastSize(x);
  if (channels % groups !== 0 || filters % groups !== 0)
    options.bad(`${channels} channels and ${filters} filters can't be split into ${groups} groups`);
  const shapes: Record<string, number[]> = { kernel: [size, channels / groups, filters] };
  if (options.boolean("use_bias", true)) shapes.bias = [filters];
  const { kernel, bias } = call.weights(shapes);
  const length = x.shape[1] === null ? null : x.shape[1]! + zeros[0] + zeros[1];
  const own = padding(call, length, { size, stride, dilation });
  const pads: [number, number] = [zeros[0] + own[0], zeros[1] + own[1]];
  const W = call.tensor(
    "W",
    [filters, channels / groups, size],
    turned(kernel!.data, size, channels / groups, filters),
  );
  const b = bias && call.tensor("b", [filters], bias.data);
  const out =
    length === null ? null : Math.floor((length + own[0] + own[1] - (size - 1) * dilation - 1) / stride) + 1;
  if (out !== null && out < 1) options.bad(`its input of ${length} steps is shorter than its kernel`);
  const layer = { op: "conv1d", name, W, ...(b ? { b } : {}), stride, dilation, groups, pads } as const;
  const first = ctx.transpose(name, x, [0, 2, 1]);
  const y = ctx.add<Conv1dLayer>({ ...layer, inputs: [first.name] }, [x.shape[0]!, filters, out]);
  return [applyFunction(call, ctx.transpose(name, y, [0, 2, 1]), readFunction(call, "activation"))];
}

export function single(call: LayerCall, option: string): number {
  const [value = 1] = call.options.has(option) ? call.options.integers(option) : [];
  if (value < 1 || value > 2 ** 20) call.options.bad(`${option} is ${value}`);
  return value;
}

/** Zeros before and after, as TensorFlow puts them; for strides over 1 they depend on the length. */
export function padding(
  call: LayerCall,
  length: number | null,
  k: { size: number; stride: number; dilation: number },
): [number, number] {
  const reach = (k.size - 1) * k.dilation;
  const mode = call.options.string("padding", "valid");
  if (mode === "valid") return [0, 0];
  if (mode === "causal") return [reach, 0];
  if (mode !== "same") call.options.bad(`padding = ${quote(mode)} is unknown`);
  if (length === null && k.stride > 1)
    call.options.unsupported(
      "padding = same with strides needs a known number of steps; give the input a fixed length",
    );
  const total =
    k.stride === 1
      ? reach
      : Math.max(0, (Math.ceil(length! / k.stride) - 1) * k.stride + reach + 1 - length!);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** [K, C, M] to [M, C, K]. */
function turned(data: Float32Array, K: number, C: number, M: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let k = 0; k < K; k++)
    for (let c = 0; c < C; c++)
      for (let m = 0; m < M; m++) result[(m * C + c) * K + k] = data[(k * C + c) * M + m]!;
  return result;
}

/** Left to the convolution that follows. */
export function zeroPadding1d(call: LayerCall): Value[] {
  const x = call.input();
  call.rank(x, 3);
  call.dropMask(x);
  const list = call.options.has("padding") ? call.options.integers("padding") : [1];
  const [before, after] = list.length === 1 ? [list[0]!, list[0]!] : (list as [number, number]);
  if (list.length > 2 || Math.min(before, after) < 0) call.options.bad(`padding is [${list}]`);
  if (call.options.string("data_format", "channels_last") !== "channels_last")
    call.options.unsupported("data_format = channels_first is not supported");
  return [{ ...x, mask: undefined, input: false, pads: [before, after] }];
}

/** GlobalAveragePooling1D: steps of padding don't count; GlobalMaxPooling1D: they do, as in Keras. */
export function globalPooling(fn: "mean" | "max") {
  return (call: LayerCall): Value[] => {
    const { ctx, options, name } = call;
    const x = call.input();
    call.rank(x, 3);
    const last = options.string("data_format", "channels_last") === "channels_last";
    const axis = last ? 1 : 2;
    const keepDims = options.boolean("keepdims", false);
    const inputs = [x.name];
    if (fn === "mean" && x.mask) {
      if (!last) options.unsupported("a mask together with data_format = channels_first");
      inputs.push(...ctx.lengthsOf(x.mask));
    } else call.dropMask(x);
    const shape = keepDims
      ? x.shape.map((s, i) => (i === axis ? 1 : s))
      : x.shape.filter((_, i) => i !== axis);
    return [ctx.add<ReduceLayer>({ op: "reduce", fn, name, inputs, axes: [axis], keepDims }, shape)];
  };
}
