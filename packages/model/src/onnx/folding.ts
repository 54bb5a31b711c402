import {
  applyView,
  type Constant,
  dataOperands,
  foldConstant,
  isShapeLayer,
  type ShapeLayer,
  SottoError,
  type ViewLayer,
} from "@sotto/core";
import { badNode } from "./errors.js";
import type { Node } from "./graph.js";
import type { Numbers } from "./tensor.js";
import type { ConstantValue } from "./values.js";

/** Folds layers of constants, within a budget of elements, so that a few damaged bytes can't ask for gigabytes. */
export class Folder {
  constructor(private budget: number) {}

  /** Takes so many elements off the budget. @returns what is left. */
  spend(node: Node, elements: number): number {
    if (elements > this.budget) badNode(node, "its constants are too large to fold");
    this.budget -= elements;
    return this.budget;
  }

  fold(node: Node, layer: ViewLayer | ShapeLayer, inputs: readonly (ConstantValue | undefined)[]) {
    try {
      const result = this.evaluate(layer, inputs);
      const moved = inputs.every((v) => v?.data !== result.data);
      if (moved) this.budget -= result.data.length;
      return { shape: result.shape, data: result.data };
    } catch (error) {
      if (error instanceof SottoError && error.code === "bad-model")
        badNode(node, "its constants don't fit", error);
      throw error;
    }
  }

  private evaluate(layer: ViewLayer | ShapeLayer, inputs: readonly (ConstantValue | undefined)[]) {
    const plain = (v: ConstantValue | undefined): Constant | undefined =>
      v && { shape: v.shape, data: Array.from(v.data) };
    const limit = Math.max(0, this.budget);
    if (isShapeLayer(layer)) return foldConstant(layer, inputs.map(plain), limit)[0]!;
    // Weights may be large: move them as they are instead of copying them to plain arrays.
    const parameters = inputs.map((v, i) => (i < dataOperands(layer) ? undefined : plain(v)));
    return applyView<Numbers>(layer, inputs, parameters, limit)[0]!;
  }
}
