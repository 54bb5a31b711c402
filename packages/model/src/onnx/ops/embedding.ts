import type { ViewLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { isKnown, position, viewShape } from "../sizes.js";
import { elementsOf, type PrivateValue, type TokenValue } from "../values.js";

/** Gather of a constant table's rows by a model input. */
export function embedding(ctx: Context, node: Node, tokens: TokenValue, axis: number): void {
  const table = ctx.input(node, 0);
  if (table.kind !== "constant" || table.type !== "float" || table.shape.length !== 2)
    unsupportedNode(
      node,
      `it looks up ${quote(table.name)} by the model input ${quote(tokens.name)}; supported is a constant table [rows, columns] of reals`,
    );
  if (axis !== 0 && axis !== -2)
    unsupportedNode(node, `attribute axis = ${axis} is not supported in a look-up; supported is 0`);
  const { views = [] } = tokens;
  const input = ctx.inputs.find((i) => i.name === tokens.name)!;
  const columns = table.shape[1]!;
  const name = node.outputs[0] ?? "";
  let rows = ctx.write(
    {
      op: "embedding",
      name: node.name,
      inputs: [tokens.name],
      outputs: [views.length === 0 ? name : ctx.fresh(`${name}.rows`)],
      table: ctx.addTensor(`${node.name}.table`, table.shape, table.data),
    },
    [...input.shape, columns],
  );
  views.forEach((view, i) => {
    rows = move(ctx, node, rows, view, i === views.length - 1 ? name : ctx.fresh(`${name}.moved`), columns);
  });
}

/** What the file does to indices, done to rows: the last axis stays. */
function move(
  ctx: Context,
  node: Node,
  rows: PrivateValue,
  { layer, rank }: { layer: ViewLayer; rank: number },
  name: string,
  columns: number,
): PrivateValue {
  const inputs = [...layer.inputs];
  const parameter = (i: number) => {
    const elements = inputs[i] ? elementsOf(ctx.value(inputs[i])) : undefined;
    return elements && isKnown(elements) ? elements : undefined;
  };
  const replace = (i: number, integers: number[]) => {
    inputs[i] = ctx.addIntegers(`${node.name}.${layer.op}.${i}`, integers);
  };
  const moved: ViewLayer = { ...layer, outputs: [name] };
  const axes = parameter(layer.op === "slice" ? 3 : 1);
  if (layer.op === "transpose")
    moved.perm = [...(layer.perm ?? Array.from({ length: rank }, (_, i) => rank - 1 - i)), rank];
  else if (layer.op === "gather") moved.axis = position(layer.axis ?? 0, rank);
  else if ((layer.op === "squeeze" || layer.op === "unsqueeze") && axes)
    replace(
      1,
      axes.map((a) => position(a, layer.op === "squeeze" ? rank : rank + axes.length)),
    );
  else if (layer.op === "slice" && (axes || !inputs[3])) {
    if (axes)
      replace(
        3,
        axes.map((a) => position(a, rank)),
      );
  } else if (layer.op === "reshape" && axes) replace(1, [...axes, columns]);
  else
    unsupportedNode(
      node,
      `its indices are moved by ${quote(layer.name)} (${layer.op}) first, in a way that is not supported; move this to after the look-up`,
    );
  moved.inputs = [rows.name, ...inputs.slice(1)];
  const parameters = moved.inputs.map((n, i) => (i > 0 && n ? elementsOf(ctx.value(n)) : undefined));
  const second = layer.op === "gather" ? ctx.value(moved.inputs[1]!).shape : undefined;
  return ctx.write(moved, viewShape(moved, [rows.shape, second], parameters));
}
