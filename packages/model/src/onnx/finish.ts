import type { Constant, ModelDescription, ModelInput } from "@sotto/core";
import { needed, record, tensorsOf } from "../parts.js";
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
  const weights = new Set(layers.flatMap(tensorsOf));
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
