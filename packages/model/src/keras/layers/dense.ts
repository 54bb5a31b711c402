import type { DenseLayer, EmbeddingLayer } from "@sotto/core";
import type { LayerCall } from "../convert.js";
import type { Value } from "../values.js";
import { applyFunction, readFunction } from "./functions.js";
import { transpose } from "./gru-weights.js";

/** kernel [in, out], bias [out]; over the last axis, whatever the others. */
export function dense(call: LayerCall): Value[] {
  const x = call.input();
  const [size, units] = [call.lastSize(x), call.options.size("units")];
  const shapes: Record<string, number[]> = { kernel: [size, units] };
  if (call.options.boolean("use_bias", true)) shapes.bias = [units];
  const { kernel, bias } = call.weights(shapes);
  const A = call.tensor("A", [units, size], transpose(kernel!.data, size, units));
  const b = bias && call.tensor("b", [units], bias.data);
  const shape = [...x.shape.slice(0, -1), units];
  const layer: Omit<DenseLayer, "outputs"> = {
    op: "dense",
    name: call.name,
    inputs: [x.name],
    A,
    ...(b ? { b } : {}),
  };
  const y = call.ctx.add(layer, shape, x.mask);
  return [applyFunction(call, y, readFunction(call, "activation"))];
}

/** embeddings [rows, columns]. */
export function embedding(call: LayerCall): Value[] {
  const [x] = call.inputs;
  const { options } = call;
  if (x?.kind !== "token")
    call.options.unsupported(
      "indices of an embedding must be a model input as it is; move this to after the look-up",
    );
  const [rows, columns] = [options.size("input_dim"), options.size("output_dim")];
  const { embeddings } = call.weights({ embeddings: [rows, columns] });
  const table = call.tensor("table", [rows, columns], embeddings!.data);
  const mask = options.boolean("mask_zero", false) ? { input: x.name, value: 0, dirty: false } : undefined;
  const layer: Omit<EmbeddingLayer, "outputs"> = {
    op: "embedding",
    name: call.name,
    inputs: [x.name],
    table,
  };
  return [call.ctx.add(layer, [...x.shape, columns], mask)];
}
