/** Constants where private values are expected: a GRU's sequence, steps in front of one. */
import type { Context } from "../context.js";
import { unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { type ConstantValue, fillOf, type PrivateValue, type PublicValue, type Size } from "../values.js";
import { affine } from "./arithmetic.js";

/**
 * A constant as a private value: zeros, to which the model owner's secret numbers are added.
 * @throws SottoError `unsupported` if its shape or its elements are not known while importing.
 */
export function materialise(ctx: Context, node: Node, value: ConstantValue | PublicValue): PrivateValue {
  const fill = fillOf(value);
  const source = value.kind === "constant" ? value : value.expanded;
  if (
    value.type !== "float" ||
    !value.shape ||
    value.shape.some((d) => d === undefined) ||
    (fill === undefined && !source)
  )
    unsupportedNode(
      node,
      `the constant "${value.name}" can't be joined with private values: supported are constants of reals, and what ` +
        "is made of zeros or of one number in a shape that follows from the inputs' sizes",
    );
  const zero = zeros(ctx, node, value.shape);
  if (fill === 0) return zero;
  const offset: ConstantValue =
    typeof fill === "number"
      ? { kind: "constant", name: value.name, type: "float", shape: [1], data: [fill] }
      : source!;
  return affine(ctx, node, zero, { offset }, ctx.fresh(`${value.name}.shared`));
}

/** Zeros in a shape of numbers and names of sizes. */
export function zeros(ctx: Context, node: Node, shape: readonly Size[]): PrivateValue {
  const sizes = ctx.sizes(node, shape);
  const name = ctx.fresh(`${node.outputs.find(Boolean)}.zeros`);
  return ctx.write({ op: "constantOfShape", name: node.name, inputs: [sizes], outputs: [name], value: 0 }, [
    ...shape,
  ]);
}
