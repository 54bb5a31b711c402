/**
 * Batches that are sorted by their sequences' lengths, as PyTorch writes packed sequences: they are sorted, go through
 * a GRU, and are brought back into their order. A GRU needs no order, so nothing of this is done; but what happens
 * between must not depend on the order either. The axis of sorted sequences is known by the name of its size.
 */
import type { Layer } from "@sotto/core";
import { quote, unsupported } from "./errors.js";
import type { LengthValue, Size, Value } from "./values.js";

const PREFIX = "\u0000sorted by ";

/** What the number of sequences sorted by these lengths is called. */
export function sortedSize(lengths: LengthValue): string {
  return `${PREFIX}${lengths.name}`;
}

export function isSorted(size: Size): boolean {
  return typeof size === "string" && size.startsWith(PREFIX);
}

/** @throws SottoError `unsupported` where a layer may depend on the order of sorted sequences. */
export function keepOrder(
  layer: Layer,
  inputs: readonly (Value | undefined)[],
  output: readonly Size[] | undefined,
): void {
  const found = inputs.map((v) => v?.shape?.find(isSorted));
  const name = found.find((size) => size !== undefined);
  if (name === undefined) return;
  const same = inputs.every((v) => v?.shape?.filter((d) => d === name).length === 1);
  if (!same || output?.filter((d) => d === name).length !== 1 || mixes(layer, inputs[0]?.shape, name))
    unsupported(
      `node ${quote(layer.name)} depends on the order of sequences that were sorted by their lengths; ` +
        "supported are a GRU and what acts on each sequence alone, before they are brought back into their order",
    );
}

/** Layers that compute across an axis whose size they don't change. */
function mixes(layer: Layer, shape: readonly Size[] | undefined, name: Size): boolean {
  const axis = shape?.indexOf(name) ?? -1;
  if (layer.op === "dense") return axis === (shape?.length ?? 0) - 1;
  return layer.op === "conv1d" && axis !== 0;
}
