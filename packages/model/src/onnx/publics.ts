/** What is known of public values before sizes are, and how those that are made of sizes are written. */
import { applyView, type Layer, type ShapeLayer, SottoError, type ViewLayer } from "@sotto/core";
import type { Context } from "./context.js";
import { unsupportedNode } from "./errors.js";
import type { Node } from "./graph.js";
import { compute, isKnown, mapElements, position } from "./sizes.js";
import type { Numbers } from "./tensor.js";
import { type ConstantValue, elementsOf, type PublicValue, type Size, type Value } from "./values.js";

/** What is known of shape arithmetic's result. */
export function publicResult(
  layer: ShapeLayer,
  inputs: readonly Value[],
): Pick<PublicValue, "shape" | "elements" | "fill"> {
  if (layer.op === "shape") {
    const rank = inputs[0]?.shape?.length ?? 0;
    const clamp = (i: number) => Math.min(Math.max(i < 0 ? i + rank : i, 0), rank);
    const elements = inputs[0]?.shape?.slice(clamp(layer.start ?? 0), clamp(layer.end ?? rank));
    return elements ? { shape: [elements.length], elements } : {};
  }
  if (layer.op === "constantOfShape")
    return { shape: inputs[0] && elementsOf(inputs[0]), fill: layer.value ?? 0 };
  const operands = inputs.map((v) => ({ shape: v.shape, elements: elementsOf(v) }));
  return mapElements(operands, compute(layer.op, layer.integer ?? false)) ?? {};
}

/** The constant behind a view of public values, if these are that constant expanded along axes of size 1. */
export function expansion(
  layer: ViewLayer,
  value: ConstantValue | PublicValue,
  parameters: readonly (Size[] | undefined)[],
  shape: Size[] | undefined,
): ConstantValue | undefined {
  const source = value.kind === "constant" ? value : value.expanded;
  if (!source) return undefined;
  const rank = source.shape.length;
  if (layer.op === "expand") return shape?.length === rank ? source : undefined;
  if (layer.op !== "slice" && layer.op !== "transpose") return undefined;
  const given = parameters.map((p) => (p && isKnown(p) ? p : undefined));
  if (layer.inputs.some((name, i) => i > 0 && name && !given[i])) return undefined;
  const [, starts, ends, axes = starts?.map((_, i) => i), steps] = given;
  // What is sliced of an expanded axis has the same elements, as long as there are any.
  const kept = (axes ?? []).flatMap((a, i) => (source.shape[position(a, rank)] === 1 ? [] : [i]));
  const lists = [starts, ends, axes, steps].map((list) => list && kept.map((i) => list[i]!));
  const constants = [undefined, ...lists].map((data) => data && { shape: [data.length], data });
  try {
    const result = applyView<Numbers>(layer, [source], constants)[0]!;
    return { ...source, ...result };
  } catch (error) {
    if (error instanceof SottoError) return undefined;
    throw error;
  }
}

/** The layers that make a vector or a number of these sizes, some of which have names. */
export function sizeLayers(
  ctx: Context,
  node: Node,
  name: string,
  shape: readonly number[],
  elements: readonly Size[],
): Layer[] {
  if (shape.length > 1)
    unsupportedNode(
      node,
      `it makes a public value of shape [${shape}] from open sizes; supported are vectors`,
    );
  const layers: Layer[] = [];
  const parts = elements.map((element) => {
    if (typeof element === "number") return ctx.addIntegers(`${node.name}.size`, [element]);
    const input = ctx.inputs.find((i) => i.shape.includes(element as string));
    if (!input) unsupportedNode(node, `the size ${element} is not one of a model input`);
    const part = ctx.fresh(`${name}.${element}`);
    const start = input.shape.indexOf(element as string);
    layers.push({
      op: "shape",
      name: node.name,
      inputs: [input.name],
      outputs: [part],
      start,
      end: start + 1,
    });
    return part;
  });
  const scalar = shape.length === 0;
  const joined = scalar ? ctx.fresh(`${name}.joined`) : name;
  layers.push({ op: "concat", name: node.name, inputs: parts, outputs: [joined], axis: 0 });
  if (scalar) {
    const inputs = [joined, ctx.addIntegers(`${node.name}.scalar`, [])];
    layers.push({ op: "reshape", name: node.name, inputs, outputs: [name] });
  }
  return layers;
}
