import type { ModelDescription } from "@sotto/core";
import { needed, record, tensorsOf } from "../parts.js";
import type { Context } from "./context.js";
import { quote, unsupported } from "./errors.js";
import type { Value } from "./values.js";

/** Puts the description together: outputs under their names, and only what they depend on. */
export function finish(
  ctx: Context,
  name: string,
  outputs: readonly Value[],
  names: readonly string[],
): ModelDescription {
  const renamed = new Map<string, string>();
  outputs.forEach((value, i) => {
    check(value, names[i]!);
    const known = ctx.inputs.some((input) => input.name === value.name) || renamed.has(value.name);
    if (known)
      ctx.layers.push({ op: "identity", name: names[i]!, inputs: [value.name], outputs: [names[i]!] });
    else renamed.set(value.name, names[i]!);
  });
  const rename = (value: string) => renamed.get(value) ?? value;
  for (const layer of ctx.layers) {
    layer.inputs = layer.inputs.map(rename);
    layer.outputs = layer.outputs.map(rename);
  }
  const layers = needed(ctx.layers, names);
  const read = new Set([...layers.flatMap((layer) => layer.inputs), ...names]);
  for (const layer of layers) layer.outputs = layer.outputs.map((output) => (read.has(output) ? output : ""));
  const weights = new Set(layers.flatMap(tensorsOf));
  return {
    name,
    inputs: ctx.inputs.filter((input) => input.kind !== "length" || read.has(input.name)),
    outputs: names.map((output) => ({ name: output })),
    layers,
    tensors: record([...ctx.tensors].filter(([tensor]) => weights.has(tensor))),
    constants: record([...ctx.constants].filter(([constant]) => read.has(constant))),
  };
}

function check(value: Value, name: string): void {
  if (value.kind !== "real")
    unsupported(`the model's output ${quote(name)} does not depend on its real inputs`);
  if (value.pads)
    unsupported(`the model's output ${quote(name)} is a ZeroPadding1D; it is supported only before a Conv1D`);
  if (value.mask?.dirty)
    unsupported(
      `the model's output ${quote(name)} has steps that a Masking layer with mask_value = ${value.mask.value} has set to 0; use mask_value = 0`,
    );
}
