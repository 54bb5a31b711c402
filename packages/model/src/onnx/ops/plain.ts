import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { elementType, type Literal, type Numbers } from "../tensor.js";
import type { Value } from "../values.js";

function alias(ctx: Context, node: Node, value: Value): void {
  ctx.define(node.outputs[0] ?? "", value);
}

export function identity(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  alias(ctx, node, ctx.input(node, 0));
}

/** In inference nothing is dropped. */
export function dropout(ctx: Context, node: Node): void {
  node.attributes.ignore("ratio", "seed");
  node.attributes.refuseRest();
  const training = ctx.optional(node, 2);
  if (training && (training.kind !== "constant" || training.data[0] !== 0))
    unsupportedNode(node, "training_mode is on; export the model in evaluation mode (model.eval())");
  alias(ctx, node, ctx.input(node, 0));
}

/** Constants are converted; of private values only the type of reals and of positions may change, which means nothing here. */
export function cast(ctx: Context, node: Node): void {
  const code = node.attributes.integer("to");
  node.attributes.ignore("saturate");
  node.attributes.refuseRest();
  const to = elementType(code ?? 0);
  if (!to)
    unsupportedNode(node, `attribute to = ${code} is not supported; supported are reals, integers and bool`);
  const value = ctx.input(node, 0);
  const name = node.outputs[0] ?? "";
  if (value.kind === "constant") {
    const convert = { float: (v: number) => v, integer: Math.trunc, boolean: (v: number) => (v ? 1 : 0) }[to];
    const data: Numbers = to === "float" ? value.data : Array.from(value.data, convert);
    ctx.define(name, { ...value, name, type: to, data });
    return;
  }
  const from = value.kind === "public" ? value.type : value.kind !== "private" ? "integer" : "float";
  const whole =
    (value.kind === "public" && from === "integer") ||
    (value.kind === "private" && value.whole) ||
    value.kind === "length";
  const harmless = from === to || (whole && to !== "boolean");
  if (!harmless)
    unsupportedNode(
      node,
      `${quote(value.name)} can't be converted from ${from} to ${to} when the model runs`,
    );
  ctx.define(name, value.kind === "public" ? { ...value, type: to } : value);
}

/** A constant in any of its forms. */
export function constant(ctx: Context, node: Node): void {
  const { attributes } = node;
  const name = node.outputs[0] ?? "";
  const forms = [
    attributes.tensor("value"),
    literal("float", [attributes.float("value_float")], []),
    literal("integer", [attributes.integer("value_int")], []),
    literal("float", attributes.floats("value_floats")),
    literal("integer", attributes.integers("value_ints")),
  ].filter((form) => form !== undefined);
  attributes.refuseRest();
  const [form] = forms;
  if (!form || forms.length > 1) badNode(node, `it should have exactly one value, and has ${forms.length}`);
  ctx.define(name, { kind: "constant", name, ...form });
}

function literal(
  type: Literal["type"],
  numbers: (number | undefined)[] | undefined,
  shape?: number[],
): Literal | undefined {
  const data = numbers?.filter((v) => v !== undefined);
  if (!data || data.length !== numbers?.length) return undefined;
  return { type, shape: shape ?? [data.length], data };
}
