/** Layers that move elements, and shape arithmetic, which is folded. */
import { SottoError } from "../../errors.js";
import type { ShapeLayer, ViewLayer } from "../description.js";
import { applyView, dataOperands, foldConstant, isShapeLayer, shapeOf } from "../fold.js";
import { isGroups, viewOfResult } from "./groups.js";
import type { Walk } from "./walk.js";

export function walkView(walk: Walk, layer: ViewLayer | ShapeLayer): void {
  const constants = layer.inputs.map((name) => walk.constants.get(name));
  if (layer.inputs.every((name, i) => name === "" || constants[i])) {
    foldConstant(layer, constants).forEach((c, i) => {
      if (layer.outputs[i]) walk.constants.set(layer.outputs[i], c);
    });
    return;
  }
  if (isShapeLayer(layer)) {
    const shape = walk.tokens.get(layer.inputs[0]!) ?? walk.tensors.get(layer.inputs[0]!)?.shape;
    if (layer.op !== "shape" || !shape) {
      throw new SottoError(
        "unsupported",
        `layer ${layer.name}: ${layer.op} of private values; only of constants`,
      );
    }
    walk.constants.set(layer.outputs[0]!, shapeOf(layer, shape));
    return;
  }
  const names = layer.inputs.slice(0, dataOperands(layer));
  let moved = names.map((name) => walk.operand(layer, name));
  const [only] = moved;
  if (moved.length === 1 && only && isGroups(only)) {
    walk.put(layer, viewOfResult(layer, only, constants));
    return;
  }
  // what is not alike is computed first; results of the client's are refused there
  const alike = moved.every((t) => JSON.stringify(t.pending) === JSON.stringify(only!.pending));
  if (!alike || moved.some(isGroups)) moved = names.map((_, i) => walk.computed(layer, i));
  const { pending } = moved[0]!;
  const [result] = applyView(layer, moved, constants);
  walk.put(layer, { ...result!, ...(pending ? { pending } : {}) });
}
