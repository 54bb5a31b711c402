/** Layers that move elements, and shape arithmetic, which is folded. */
import { SottoError } from "../../errors.js";
import type { ShapeLayer, SoftmaxLayer, ViewLayer } from "../description.js";
import { applyView, dataOperands, foldConstant, isShapeLayer, shapeOf } from "../fold.js";
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
  // what is not alike is computed first
  const alike = moved.every((t) => JSON.stringify(t.pending) === JSON.stringify(moved[0]!.pending));
  if (!alike) moved = names.map((_, i) => walk.computed(layer, i));
  const { pending } = moved[0]!;
  if (pending && "axis" in pending && layer.op !== "identity") {
    throw new SottoError(
      "unsupported",
      `layer ${layer.name}: ${pending.op} before ${layer.op}; apply it last`,
    );
  }
  const [result] = applyView(layer, moved, constants);
  walk.put(layer, { ...result!, ...(pending ? { pending } : {}) });
}

/** Left to the client. */
export function walkSoftmax(walk: Walk, layer: SoftmaxLayer): void {
  const t = walk.computed(layer, 0);
  const axis = layer.axis < 0 ? layer.axis + t.shape.length : layer.axis;
  if (!(Number.isInteger(axis) && axis >= 0 && axis < t.shape.length))
    throw new SottoError(
      "bad-model",
      `layer ${layer.name}: axis ${layer.axis} of an input of shape [${t.shape}]`,
    );
  walk.put(layer, { ...t, pending: { op: layer.op, axis } });
}
