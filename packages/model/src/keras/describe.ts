import type { Dimension, ModelDescription } from "@sotto/core";
import { Context } from "./context.js";
import { LayerCall } from "./convert.js";
import { badModel, quote, unsupported } from "./errors.js";
import { finish } from "./finish.js";
import { type Call, type Graph, type Layer, type Ref, readGraph } from "./graph.js";
import type { ModelJson } from "./json.js";
import { CONVERTERS, OPERATIONS } from "./layers/index.js";
import { Options } from "./options.js";
import type { Shape, Value } from "./values.js";
import type { WeightSource } from "./weights.js";

/**
 * The description of a Keras model.
 * @param keras the version whose meanings count.
 * @throws SottoError `bad-model` if topology and weights contradict each other, `unsupported` for layers and
 *   options that this version does not do; the message names the layer.
 */
export function describe(
  model: ModelJson,
  weightsOf: (layers: readonly Layer[]) => WeightSource,
  keras: 2 | 3,
  name?: string,
): ModelDescription {
  const graph = readGraph(model);
  const weights = weightsOf(graph.layers);
  const ctx = new Context(keras);
  const values = new Map<string, Value[]>();
  const at = (ref: Ref): Value => {
    const outputs = values.get(keyOf(ref)) ?? badModel(`the output of ${quote(ref.layer)} is missing`);
    return outputs[ref.output] ?? badModel(`layer ${quote(ref.layer)} has no output ${ref.output}`);
  };
  declareInputs(ctx, graph, values);
  const outputNames = graph.outputs.map(({ layer, output }) =>
    ctx.unique(output === 0 ? layer : `${layer}_${output}`),
  );
  const called = new Set<Layer>();
  for (const call of graph.calls) {
    if (call.layer.json.class_name === "InputLayer") continue;
    called.add(call.layer);
    const inputs = call.inputs.map(at);
    const mask = call.mask && at(call.mask).mask;
    if (mask && inputs[0]) inputs[0] = { ...inputs[0], mask };
    values.set(
      keyOf({ layer: call.layer.name, call: call.index }),
      convert(call, new LayerCall(ctx, call.layer, inputs, weights, call.values)),
    );
  }
  for (const layer of called) weights.done?.(layer);
  return finish(ctx, name ?? model.name, graph.outputs.map(at), outputNames);
}

function keyOf({ layer, call }: Pick<Ref, "layer" | "call">): string {
  return JSON.stringify([layer, call]);
}

function convert({ layer }: Call, call: LayerCall): Value[] {
  const { class_name: kind, module } = layer.json;
  const operation = module?.includes(".ops.") ?? false;
  const converter = (operation ? OPERATIONS : CONVERTERS).get(kind);
  const own =
    !module || /^(keras|tf_keras|tensorflow|tensorflow\.python\.keras|keras_core)(\.|$)/.test(module);
  if (converter && own) return converter(call);
  unsupported(`layer ${quote(layer.name)} is of class ${quote(kind)}, ${advice(kind, operation, own)}`);
}

function advice(kind: string, operation: boolean, own: boolean): string {
  if (operation || kind === "TFOpLambda" || kind === "SlicingOpLambda" || kind === "TensorFlowOpLayer")
    return "an operation between layers, which is not supported; use layers instead (Add, Multiply, Concatenate, Reshape, ...)";
  if (kind === "Lambda") return "which holds Python code; use layers instead";
  if (["Sequential", "Functional", "Model"].includes(kind))
    return "a model inside of the model, which is not supported; call its layers directly";
  if (kind === "LayerNormalization")
    return "which is not supported: it would need division of secrets at every step";
  if (!own || kind.includes(">")) return "a class of its own, which is not supported; supported are Keras's";
  return `which is not supported; supported are InputLayer, ${[...CONVERTERS.keys()].join(", ")}`;
}

function declareInputs(ctx: Context, graph: Graph, values: Map<string, Value[]>): void {
  const tokens = new Set(
    graph.calls
      .filter((c) => c.layer.json.class_name === "Embedding")
      .flatMap((c) => c.inputs.map((ref) => ref.layer)),
  );
  const used = new Set([...graph.inputs.map((ref) => ref.layer)]);
  for (const { layer } of graph.calls)
    if (layer.json.class_name === "InputLayer" && !used.has(layer.name))
      badModel(`the input ${quote(layer.name)} is not among the model's inputs`);
  for (const ref of graph.inputs) {
    const layer = graph.layers.find((l) => l.name === ref.layer)!;
    if (layer.json.class_name !== "InputLayer")
      badModel(`the model's input ${quote(ref.layer)} is no InputLayer`);
    if (values.has(keyOf(ref))) badModel(`the input ${quote(layer.name)} is listed twice`);
    const options = new Options(layer.name, "InputLayer", layer.json.config);
    for (const option of ["ragged", "sparse"]) options.refuse(option, "use dense inputs");
    const shape = inputShape(options);
    const kind = tokens.has(layer.name) ? "token" : "real";
    const name = ctx.unique(layer.name);
    ctx.inputs.push({ name, shape: shape.map((size, axis) => size ?? sizeName(name, axis)), kind });
    values.set(keyOf(ref), [{ name, shape, kind, input: true }]);
  }
}

function sizeName(input: string, axis: number): Dimension {
  return axis === 0 ? "batch" : `${input}.${axis}`;
}

function inputShape(options: Options): Shape {
  const shape = ["batch_shape", "batch_input_shape"]
    .map((name) => options.raw(name))
    .find((s) => s !== undefined);
  if (!Array.isArray(shape) || shape.length === 0 || shape.length > 32)
    options.bad("its shape (batch_shape or batch_input_shape) is missing");
  for (const size of shape)
    if (size !== null && !(Number.isSafeInteger(size) && size > 0 && size < 2 ** 31))
      options.bad(`its shape has the size ${quote(size)}`);
  return shape;
}
