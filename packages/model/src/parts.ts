/** What importers put a description together from. */
import type { Activation, Constant, Layer, Tensor } from "@sotto/core";

/** Layers are in order, so one walk from the end finds those that are read. */
export function needed(layers: readonly Layer[], outputs: readonly string[]): Layer[] {
  const wanted = new Set(outputs);
  const kept: Layer[] = [];
  for (const layer of [...layers].reverse()) {
    if (!layer.outputs.some((o) => wanted.has(o))) continue;
    for (const input of layer.inputs) if (input) wanted.add(input);
    kept.push(layer);
  }
  return kept.reverse();
}

/** The names of the tensors that a layer has. */
export function tensorsOf(layer: Layer): string[] {
  return all(layer).filter((name) => name !== undefined);
}

function all(layer: Layer): (string | undefined)[] {
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

/** Without a prototype: a value may be named "toString". */
export function record<T extends Tensor | Constant>(entries: [string, T][]): Record<string, T> {
  const result: Record<string, T> = Object.create(null);
  for (const [name, item] of entries) result[name] = item;
  return result;
}

/**
 * Whether f(max(a, b)) = max(f(a), f(b)). A maximum is then taken before such a function: the function is computed less
 * often, and where it makes equal numbers of many (ReLU), the maximum has not to tell them apart.
 */
export function isIncreasing({ name, alpha = 0 }: Activation): boolean {
  if (["leakyRelu", "elu", "thresholdedRelu"].includes(name)) return alpha >= 0;
  return ["relu", "sigmoid", "tanh", "softsign", "softplus", "clip"].includes(name);
}

/** Steps of a pool's window: each element of a window is a layer, and a few damaged bytes must not ask for millions. */
export const LARGEST_WINDOW = 100;
