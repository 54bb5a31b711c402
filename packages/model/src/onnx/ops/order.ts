/** Sorting sequences by their lengths, and back (see ../sorted.ts). */
import type { Context } from "../context.js";
import { quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { position } from "../sizes.js";
import { sortedSize } from "../sorted.js";
import { fillOf, type OrderValue } from "../values.js";
import { refuseLengths } from "./lengths.js";

/** TopK of all lengths: sorted lengths, and the order. */
export function topK(ctx: Context, node: Node): void {
  node.attributes.ignore("axis", "largest", "sorted");
  node.attributes.refuseRest();
  const lengths = ctx.input(node, 0);
  const count = ctx.input(node, 1);
  const all = count.kind === "constant" || count.kind === "public" ? fillOf(count) : undefined;
  const batch = lengths.shape?.[0];
  if (
    lengths.kind !== "length" ||
    lengths.sorted ||
    lengths.shape?.length !== 1 ||
    all === undefined ||
    all !== batch
  )
    unsupportedNode(
      node,
      `it sorts ${quote(lengths.name)}; supported is sorting all of a model input of sequences' lengths`,
    );
  const [values, indices] = node.outputs;
  ctx.define(values ?? "", { ...lengths, sorted: true });
  ctx.define(indices ?? "", {
    kind: "order",
    name: lengths.name,
    of: lengths,
    inverse: false,
    shape: [batch],
  });
}

/** The inverse of an order: counting numbers, scattered to where the order says. */
export function scatter(ctx: Context, node: Node): void {
  const axis = node.attributes.integer("axis") ?? 0;
  node.attributes.ignore("reduction");
  node.attributes.refuseRest();
  const [into, order, numbers] = [0, 1, 2].map((i) => ctx.input(node, i));
  const counts =
    numbers?.kind === "constant"
      ? numbers.data.every((v, i) => v === i)
      : numbers?.kind === "public" && numbers.counts;
  const fits =
    into?.shape?.length === 1 &&
    into.shape[0] === order?.shape?.[0] &&
    numbers?.shape?.[0] === order?.shape?.[0];
  if (order?.kind !== "order" || order.inverse || !counts || !fits || (axis !== 0 && axis !== -1))
    unsupportedNode(
      node,
      "it is supported only where it inverts the order of sequences sorted by their lengths",
    );
  ctx.define(node.outputs[0] ?? "", { ...order, inverse: true });
}

/** Gather by an order: no element moves, but the axis is called sorted, or no longer so. */
export function gatherSorted(ctx: Context, node: Node, order: OrderValue, axis: number): void {
  const found = ctx.input(node, 0);
  if (found.kind === "length") {
    const fits = found.name === order.of.name && (found.sorted ?? false) === order.inverse;
    if (!fits || found.shape?.length !== 1) refuseLengths(node, found);
    ctx.define(node.outputs[0] ?? "", { ...found, sorted: !order.inverse });
    return;
  }
  const x = ctx.privateInput(node, 0, "only sequences are brought into the order of their lengths");
  const at = x.shape && position(axis, x.shape.length);
  const size = at === undefined ? undefined : x.shape?.[at];
  const sorted = sortedSize(order.of);
  const batch = order.shape?.[0];
  if (!x.shape || at === undefined || size !== (order.inverse ? sorted : batch))
    unsupportedNode(
      node,
      `it ${order.inverse ? "brings back" : "sorts"} axis ${axis} of ${quote(x.name)}, which ${order.inverse ? "was not sorted" : "has another size than the lengths"}`,
    );
  const shape = x.shape.map((d, i) => (i !== at ? d : order.inverse ? batch : sorted));
  // A value of its own, so that the two shapes are not taken for each other.
  const name = node.outputs[0] ?? "";
  ctx.layers.push({ op: "identity", name: node.name, inputs: [x.name], outputs: [name] });
  ctx.define(name, { kind: "private", name, shape });
}
