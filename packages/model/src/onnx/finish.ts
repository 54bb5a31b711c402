import type { Constant, Layer, ModelDescription, ModelInput, Tensor } from "@sotto/core";
import type { Context } from "./context.js";
import { badModel, quote, unsupported } from "./errors.js";
import { isSorted } from "./sorted.js";
import type { ConstantValue } from "./values.js";

/**
 * Puts the description together: outputs under the file's names, only the layers that they
 * depend on, and only the tensors and constants that these refer to.
 */
export function finish(
  ctx: Context,
  name: string,
  inputs: ModelInput[],
  outputs: string[],
): ModelDescription {
  if (outputs.length === 0) badModel("the model has no outputs");
  if (new Set(outputs).size !== outputs.length) badModel("two model outputs have the same name");
  for (const output of outputs) nameOutput(ctx, output);
  const layers = needed(ctx.layers, outputs);
  const read = new Set([...layers.flatMap((l) => l.inputs), ...outputs]);
  for (const layer of layers) layer.outputs = layer.outputs.map((o) => (read.has(o) ? o : ""));
  const weights = uses(layers);
  return {
    name,
    inputs,
    outputs: outputs.map((output) => ({ name: output })),
    layers,
    tensors: record([...ctx.tensors].filter(([tensor]) => weights.has(tensor))),
    constants: record(constants(ctx, read)),
  };
}

/** An output that is another name for a value becomes that value's name, or a copy if it has to keep its own. */
function nameOutput(ctx: Context, output: string): void {
  const value = ctx.value(output);
  if (value.kind !== "private")
    unsupported(`the model's output ${quote(output)} does not depend on its real inputs`);
  if (value.padding) unsupported(`the model's output ${quote(output)} is the result of a Pad`);
  if (value.shape?.some(isSorted))
    unsupported(
      `the model's output ${quote(output)} has its sequences sorted by their lengths; bring them back into their order`,
    );
  if (value.name === output) return;
  const producer = ctx.layers.find((layer) => layer.outputs.includes(value.name));
  if (value.final && producer?.outputs.length === 1) {
    ctx.layers.push({ ...producer, outputs: [output] });
    return;
  }
  ctx.layers.push({ op: "identity", name: output, inputs: [value.name], outputs: [output] });
}

/** Layers are in order, so one walk from the end finds those that are read. */
function needed(layers: readonly Layer[], outputs: readonly string[]): Layer[] {
  const wanted = new Set(outputs);
  const kept: Layer[] = [];
  for (const layer of [...layers].reverse()) {
    if (!layer.outputs.some((o) => wanted.has(o))) continue;
    for (const input of layer.inputs) if (input) wanted.add(input);
    kept.push(layer);
  }
  return kept.reverse();
}

function uses(layers: readonly Layer[]): Set<string> {
  const names = new Set<string>();
  for (const layer of layers) {
    for (const t of weightsOf(layer)) if (t !== undefined) names.add(t);
  }
  return names;
}

/** The names of the tensors that a layer has; undefined for optional ones. */
export function weightsOf(layer: Layer): (string | undefined)[] {
  switch (layer.op) {
    case "gru":
      return [layer.W, layer.U, layer.bW, layer.bU, layer.initial];
    case "dense":
      return [layer.A, layer.b];
    case "conv1d":
      return [layer.W, layer.b];
    case "affine":
      return [layer.scale, layer.offset];
    case "embedding":
      return [layer.table];
    default:
      return [];
  }
}

function constants(ctx: Context, read: ReadonlySet<string>): [string, Constant][] {
  const kept: [string, Constant][] = [];
  for (const value of ctx.constants())
    if (read.has(value.name)) kept.push([value.name, publicConstant(value)]);
  return kept;
}

/** Constants are published in the plan. Several reals are more likely to be weights, which must not be. */
function publicConstant(value: ConstantValue): Constant {
  if (value.type === "float" && value.data.length > 1)
    unsupported(
      `the constant ${quote(value.name)} of shape [${value.shape}] is used outside of a layer's weights; ` +
        "it would have to be made public, so this is not supported",
    );
  return { shape: value.shape, data: Array.from(value.data) };
}

/** Without a prototype: a value may be named "toString". */
function record<T extends Tensor | Constant>(entries: [string, T][]): Record<string, T> {
  const result: Record<string, T> = Object.create(null);
  for (const [name, item] of entries) result[name] = item;
  return result;
}
