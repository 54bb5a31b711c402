import type { Node } from "../program/nodes.js";
import { carried, carry } from "./carry.js";
import { input, output, parameter, zero } from "./input.js";
import { lift } from "./lift.js";
import { linear } from "./linear.js";
import { add, concat, gather, slice, times, total } from "./local.js";
import { lookup, scaled } from "./lookup.js";
import { open } from "./open.js";
import type { Operation } from "./operation.js";
import { product } from "./product.js";
import { select } from "./select.js";
import { finish, interpolate, multiply } from "./selection.js";
import { truncate } from "./truncate.js";

const operations: { [K in Node["op"]]: Operation<Extract<Node, { op: K }>> } = {
  input,
  carried,
  parameter,
  zero,
  linear,
  add,
  times,
  total,
  truncate,
  slice,
  concat,
  gather,
  open,
  select,
  finish,
  multiply,
  lookup,
  scaled,
  lift,
  product,
  interpolate,
  output,
  carry,
};

/** The operation of a node, at the node's type. */
export function operation(node: Node): Operation {
  return operations[node.op] as unknown as Operation;
}
