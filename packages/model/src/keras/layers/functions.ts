/** Activation functions, by name in layers' configurations and as layers of their own. */
import type { Activation, ActivationLayer, SoftmaxLayer } from "@sotto/core";
import type { LayerCall } from "../convert.js";
import { quote } from "../errors.js";
import { isRecord } from "../graph.js";
import { parseLayer } from "../json.js";
import { Options } from "../options.js";
import type { Value } from "../values.js";

type Function = Activation | "linear" | "softmax" | "logSoftmax";

const NAMED: Record<string, Function> = {
  linear: "linear",
  sigmoid: { name: "sigmoid" },
  tanh: { name: "tanh" },
  relu: { name: "relu" },
  relu6: { name: "clip", alpha: 0, beta: 6 },
  elu: { name: "elu", alpha: 1 },
  softplus: { name: "softplus" },
  softsign: { name: "softsign" },
  leaky_relu: { name: "leakyRelu", alpha: 0.2 },
  softmax: "softmax",
  log_softmax: "logSoftmax",
};

/** The function that an option names; absent and null are linear. */
export function readFunction(call: LayerCall, option: string, otherwise?: string): Function {
  const given = call.options.raw(option);
  return named(call, given === undefined ? otherwise : given, option);
}

function named(call: LayerCall, given: unknown, option: string): Function {
  if (given === null || given === undefined) return "linear";
  if (isRecord(given)) {
    // Keras 2.13+: {class_name: "function", config: "relu"}, or a layer as function.
    if (typeof given.config === "string") return named(call, given.config, option);
    const { class_name, config } = parseLayer(given, `${option} of layer ${quote(call.name)}`);
    const read = Object.hasOwn(LAYERS, class_name) ? LAYERS[class_name] : undefined;
    return read?.(new Options(call.name, class_name, config)) ?? unknown(call, option, class_name);
  }
  // Keras 2: clip(0.2 x + 0.5); Keras 3: relu6(x + 3) / 6 (keras-team/keras, src/activations/activations.py).
  if (given === "hard_sigmoid")
    return { name: "hardSigmoid", alpha: call.ctx.keras === 3 ? 1 / 6 : 0.2, beta: 0.5 };
  return (
    (typeof given === "string" && Object.hasOwn(NAMED, given) && NAMED[given]) || unknown(call, option, given)
  );
}

function unknown(call: LayerCall, option: string, given: unknown): never {
  const known = [...Object.keys(NAMED), "hard_sigmoid"].join(", ");
  call.options.unsupported(`${option} = ${quote(given)} is not supported; supported are ${known}`);
}

/** A function inside of a recurrent layer. */
export function readGate(call: LayerCall, option: string, otherwise: string): Activation {
  const found = readFunction(call, option, otherwise);
  if (found === "linear") return { name: "affine", alpha: 1, beta: 0 };
  if (typeof found === "string") call.options.unsupported(`${option} = ${found} inside of a recurrent layer`);
  return found;
}

/** Applies a function to a value. */
export function applyFunction(call: LayerCall, x: Value, f: Function, axis = -1): Value {
  const { ctx, name } = call;
  if (f === "linear") return x;
  if (f === "softmax" || f === "logSoftmax") {
    const layer: Omit<SoftmaxLayer, "outputs"> = { op: f, name, inputs: [x.name], axis };
    return { ...ctx.add(layer, x.shape, x.mask), final: true };
  }
  return ctx.add<ActivationLayer>(
    { op: "activation", name, inputs: [x.name], activation: f },
    x.shape,
    x.mask,
  );
}

export function activation(call: LayerCall): Value[] {
  return [applyFunction(call, call.input(), readFunction(call, "activation"))];
}

/** Layers that are one function; undefined for combinations of options that none here computes. */
const LAYERS: Record<string, (options: Options) => Activation | undefined> = {
  ReLU: (options) => {
    const max = options.has("max_value") ? options.number("max_value", 0) : undefined;
    const slope = options.number("negative_slope", 0);
    const threshold = options.number("threshold", 0);
    if (threshold !== 0)
      return slope === 0 && max === undefined ? { name: "thresholdedRelu", alpha: threshold } : undefined;
    if (max === undefined) return slope === 0 ? { name: "relu" } : { name: "leakyRelu", alpha: slope };
    return slope === 0 ? { name: "clip", alpha: 0, beta: max } : undefined;
  },
  // Keras 2 calls it alpha, Keras 3 negative_slope.
  LeakyReLU: (options) => ({
    name: "leakyRelu",
    alpha: options.number(options.has("negative_slope") ? "negative_slope" : "alpha", 0.3),
  }),
  ELU: (options) => ({ name: "elu", alpha: options.number("alpha", 1) }),
  ThresholdedReLU: (options) => ({ name: "thresholdedRelu", alpha: options.number("theta", 1) }),
};

export function functionLayer(call: LayerCall): Value[] {
  const f = LAYERS[call.type]!(call.options);
  if (!f)
    call.options.unsupported(
      "this combination of options is not supported; supported is one of threshold, slope, limit",
    );
  return [applyFunction(call, call.input(), f)];
}

export function softmax(call: LayerCall): Value[] {
  const x = call.input();
  const axes = call.options.has("axis") ? call.options.integers("axis") : [-1];
  if (axes.length !== 1) call.options.unsupported("a softmax over several axes");
  if (x.mask) call.options.unsupported("a softmax of masked steps; remove the masking");
  return [applyFunction(call, x, "softmax", axes[0])];
}
