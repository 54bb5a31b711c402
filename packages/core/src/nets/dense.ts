/** A dense layer, y = A x + b: one opening (of x), one matrix product. docs/protocol.md, "Linear layer". */
import type { Builder } from "../program/builder.js";
import type { SharedNode } from "../program/nodes.js";

/** x [rows, in], shifted right by `shift` when opened, gives [rows, out]. */
export function dense(p: Builder, name: string, x: SharedNode, rows: number, shift: number): SharedNode {
  return p.add(p.linear(`${name}.A`, x, rows, shift), p.parameter(`${name}.b`, rows));
}
