import type { ActivationLayer, ReduceLayer } from "@sotto/core";
import { LARGEST_WINDOW } from "../../parts.js";
import type { LayerCall } from "../convert.js";
import type { Value } from "../values.js";
import { padding, single } from "./convolution.js";

/** MaxPooling1D and AveragePooling1D: a slice for each element of the windows, then their maximum or mean. */
export function windowPooling(fn: "mean" | "max") {
  return (call: LayerCall): Value[] => {
    const { ctx, options, name } = call;
    const given = call.input();
    const before = fn === "max" ? ctx.beforeFunction(given) : undefined;
    const x = before ? { ...given, name: before.input } : given;
    call.rank(x, 3);
    call.dropMask(x);
    if (options.string("data_format", "channels_last") !== "channels_last")
      options.unsupported("data_format = channels_first is not supported; supported is channels_last");
    const size = options.has("pool_size") ? single(call, "pool_size") : 2;
    const stride = options.has("strides") ? single(call, "strides") : size;
    const length = x.shape[1]!;
    if (size > LARGEST_WINDOW)
      options.unsupported(`windows of ${size} steps; supported are ${LARGEST_WINDOW}, or all steps`);
    const mode = options.string("padding", "valid");
    const zeros = mode === "valid" ? [] : padding(call, length, { size, stride, dilation: 1 });
    if (zeros.some((n) => n > 0))
      options.unsupported(`padding = ${mode} has windows in parts here; supported are whole windows (valid)`);
    if (length !== null && length < size)
      options.bad(`its input of ${length} steps is shorter than a window`);
    const steps = length === null ? null : Math.floor((length - size) / stride) + 1;
    const shape = [x.shape[0]!, steps, x.shape[2]!];
    const parts = Array.from({ length: size }, (_, i) =>
      ctx.unsqueeze(
        name,
        ctx.slice(name, x, { axis: 1, start: i, end: i + 1 - size, step: stride }, shape),
        3,
      ),
    );
    const windows = ctx.concat(name, parts, 3, [...shape, size]);
    const inputs = [windows.name];
    const y = ctx.add<ReduceLayer>({ op: "reduce", fn, name, inputs, axes: [3], keepDims: false }, shape);
    if (!before) return [y];
    const { activation } = before;
    return [ctx.add<ActivationLayer>({ op: "activation", name, inputs: [y.name], activation }, shape)];
  };
}
