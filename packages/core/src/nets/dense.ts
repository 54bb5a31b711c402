/** A dense layer, y = A x + b: one opening (of x), one matrix product. docs/protocol.md, "Linear layer". */
import type { Builder } from "../program/builder.js";
import type { SharedNode } from "../program/nodes.js";

/** x [rows, in] gives [rows, out], at the weights' scale + operandScale. */
export function dense(
  p: Builder,
  name: string,
  x: SharedNode,
  rows: number,
  operandScale: number,
): SharedNode {
  return p.add(p.linear(`${name}.A`, x, rows, operandScale), p.parameter(`${name}.b`, rows));
}
