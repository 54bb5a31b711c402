/** Folds what is constant before the graph is looked at, with the ordinary converters. */
import type { Context } from "../context.js";
import { isStandardDomain } from "../decode.js";
import type { Node } from "../graph.js";

const FOLDABLE: ReadonlySet<string> = new Set([
  "Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten", "Gather", "Identity",
  "Mul", "Reshape", "Shape", "Slice", "Split", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
]); // biome-ignore format: a list

/** @returns the nodes that are left. */
export function foldConstants(
  ctx: Context,
  nodes: readonly Node[],
  convert: (ctx: Context, node: Node) => void,
): Node[] {
  return nodes.filter((node) => {
    const foldable = FOLDABLE.has(node.opType) && isStandardDomain(node.domain);
    if (!foldable || !node.inputs.every((name) => name === "" || ctx.find(name)?.kind === "constant"))
      return true;
    convert(ctx, node);
    return false;
  });
}
