import type { GruLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { isSorted, keepOrder, sortedSize } from "../sorted.js";
import { type ConstantValue, fillOf, type PrivateValue, type Size } from "../values.js";
import { type GruAttributes, gruAttributes } from "./gru-attributes.js";
import { materialise } from "./materialise.js";

/** ONNX's GRU, one layer for each direction. Its rows are the gates z, r, n, as in the description. */
export function gru(ctx: Context, node: Node): void {
  const attributes = gruAttributes(node);
  const directions = attributes.directions.length;
  const sequence = ctx.input(node, 0);
  const given =
    sequence.kind === "constant" || sequence.kind === "public"
      ? materialise(ctx, node, sequence)
      : ctx.privateInput(node, 0, "the sequence of a GRU comes from the data");
  const W = ctx.weight(node, 1, "input weights W");
  const R = ctx.weight(node, 2, "recurrent weights R");
  const B = ctx.optional(node, 3) && ctx.weight(node, 3, "biases B");
  const hidden = R.shape[2] ?? 0;
  const declared = attributes.hidden ?? hidden;
  if (hidden < 1 || declared !== hidden)
    badNode(node, `hidden_size is ${declared}, but recurrent weights R have shape [${R.shape}]`);
  expectShape(node, "W", W, [directions, 3 * hidden, W.shape[2] ?? 1]);
  expectShape(node, "R", R, [directions, 3 * hidden, hidden]);
  if (B) expectShape(node, "B", B, [directions, 6 * hidden]);

  const x = attributes.batchFirst ? ctx.move(node, given, { op: "transpose", perm: [1, 0, 2] }) : given;
  const lengths = sequenceLengths(ctx, node, x);
  if (isSorted(x.shape?.[1]) && !lengths)
    unsupportedNode(node, "its sequences are sorted, and it has no lengths");
  const weights = { W, R, B, hidden };
  // Then the layer's results are the node's.
  const plain = directions === 1 && !attributes.batchFirst;
  const results = attributes.directions.map((direction, index) => {
    const name =
      directions === 1 ? node.name : ctx.fresh(`${node.name}.${direction.reverse ? "reverse" : "forward"}`);
    const state = initialState(ctx, node, attributes, hidden, index, x.shape?.[1]);
    const layer: GruLayer = {
      op: "gru",
      name,
      hidden,
      resetAfter: attributes.resetAfter,
      inputs: [x.name],
      outputs: [0, 1].map((i) =>
        plain || !node.outputs[i] ? (node.outputs[i] ?? "") : ctx.fresh(`${name}.${i}`),
      ),
      ...tensors(ctx, name, weights, index),
      ...functions(attributes, index),
    };
    if (state?.tensor) layer.initial = state.tensor;
    if (state?.input || lengths) layer.inputs.push(state?.input ?? "");
    if (lengths) layer.inputs.push(lengths);
    const [steps, batch] = [x.shape?.[0], x.shape?.[1]];
    keepOrder(layer, state?.value ? [x, state.value] : [x], [batch]);
    ctx.layers.push(layer);
    return [
      { kind: "private" as const, name: layer.outputs[0]!, shape: [steps, 1, batch, hidden] },
      { kind: "private" as const, name: layer.outputs[1]!, shape: [1, batch, hidden] },
    ];
  });
  for (const [i, axis] of [1, 0].entries())
    deliver(
      ctx,
      node,
      i,
      axis,
      attributes,
      results.map((r) => r[i]!),
    );
}

/** Joins the directions' results, moves the batch to the front where layout says so, and names them. */
function deliver(
  ctx: Context,
  node: Node,
  position: number,
  axis: number,
  { batchFirst }: GruAttributes,
  parts: PrivateValue[],
): void {
  const name = node.outputs[position];
  if (!name) return;
  const [first] = parts as [PrivateValue];
  if (parts.length === 1 && !batchFirst) {
    ctx.define(name, first);
    return;
  }
  let joined = first;
  if (parts.length > 1) {
    const shape = first.shape?.map((d, i): Size => (i === axis ? parts.length : d));
    const outputs = [batchFirst ? ctx.fresh(`${name}.joined`) : name];
    joined = ctx.write(
      { op: "concat", name: node.name, inputs: parts.map((p) => p.name), outputs, axis },
      shape,
    );
  }
  const perm = position === 0 ? [2, 0, 1, 3] : [1, 0, 2];
  if (batchFirst) ctx.move(node, joined, { op: "transpose", perm }, name);
}

function tensors(
  ctx: Context,
  name: string,
  { W, R, B, hidden }: { W: ConstantValue; R: ConstantValue; B: ConstantValue | undefined; hidden: number },
  index: number,
): Pick<GruLayer, "W" | "U" | "bW" | "bU"> {
  // Steps of one cell that are layers of their own have one set of weights.
  const part = (what: string, t: ConstantValue, shape: number[], half = 0) =>
    ctx.sharedTensor(`${what} ${index} ${half} ${t.name}`, () => {
      const size = shape.reduce((a, b) => a * b, 1);
      const at = (index * t.data.length) / t.shape[0]! + half * size;
      return ctx.addTensor(`${name}.${what}`, shape, t.data.slice(at, at + size));
    });
  return {
    W: part("W", W, W.shape.slice(1)),
    U: part("U", R, R.shape.slice(1)),
    ...(B && { bW: part("bW", B, [3 * hidden]), bU: part("bU", B, [3 * hidden], 1) }),
  };
}

/** What differs from the usual GRU. */
function functions(attributes: GruAttributes, index: number): Partial<GruLayer> {
  const { reverse, gate, candidate } = attributes.directions[index]!;
  return {
    ...(reverse && { reverse }),
    ...(gate.name !== "sigmoid" && { gate }),
    ...(candidate.name !== "tanh" && { candidate }),
    ...(attributes.clip !== undefined && { clip: attributes.clip }),
  };
}

/** sequence_lens, unless they say that all sequences have all steps. @returns a name. */
function sequenceLengths(ctx: Context, node: Node, x: PrivateValue): string | undefined {
  const lengths = ctx.optional(node, 4);
  if (!lengths) return undefined;
  if (lengths.kind === "private" || lengths.kind === "token" || lengths.kind === "order")
    unsupportedNode(
      node,
      `sequence_lens ${quote(lengths.name)} is computed; supported are a model input of whole numbers, as it is, and constants`,
    );
  if (lengths.kind === "length") {
    if (lengths.shape?.length !== 1) badNode(node, "sequence_lens should have one axis");
    const sorted = x.shape?.[1] === sortedSize(lengths);
    if (sorted !== (lengths.sorted ?? false))
      unsupportedNode(node, "of its sequences and their lengths only one is sorted");
    return lengths.name;
  }
  if (lengths.type !== "integer") badNode(node, "sequence_lens should hold integers");
  const [steps, batch] = [x.shape?.[0], x.shape?.[1]];
  if (lengths.kind === "constant") {
    const { shape, data } = lengths;
    if (shape.length !== 1 || (typeof batch === "number" && shape[0] !== batch))
      badNode(node, `sequence_lens has shape [${shape}], expected [${batch ?? "batch"}]`);
    if (data.some((d) => d < 0 || (typeof steps === "number" && d > steps)))
      badNode(node, `sequence_lens has lengths outside 0 .. ${steps}`);
  }
  const fill = fillOf(lengths);
  return fill !== undefined && fill === steps ? undefined : lengths.name;
}

/** The initial state of one direction: a value's name, or a tensor's, or nothing: zero. */
function initialState(
  ctx: Context,
  node: Node,
  attributes: GruAttributes,
  hidden: number,
  index: number,
  batch: Size,
): { input?: string; tensor?: string; value?: PrivateValue } | undefined {
  const { batchFirst, directions } = attributes;
  const h0 = ctx.optional(node, 5);
  if (!h0) return undefined;
  if (h0.kind === "token" || h0.kind === "length" || h0.kind === "order")
    badNode(node, `initial_h ${quote(h0.name)} should hold reals`);
  if (h0.kind === "private") {
    const all = ctx.privateInput(node, 5, "");
    const turned = batchFirst ? ctx.move(node, all, { op: "transpose", perm: [1, 0, 2] }) : all;
    if (directions.length === 1) return { input: turned.name, value: turned };
    const own = ctx.move(node, turned, { op: "slice", parameters: [[index], [index + 1], [0]] });
    return { input: own.name, value: own };
  }
  const fill = fillOf(h0);
  const state = h0.kind === "constant" ? h0 : h0.expanded;
  if (state) checkState(node, state, attributes, hidden, batch, state !== h0);
  if (fill === 0) return undefined;
  const name = `${node.name}.initial`;
  if (typeof fill === "number")
    return { tensor: ctx.addTensor(name, [1, hidden], new Array<number>(hidden).fill(fill)) };
  if (!state)
    unsupportedNode(
      node,
      `initial_h ${quote(h0.name)} is made in a way that is not supported; supported are zero, a constant, and a model input`,
    );
  const rows = stateRows(state, batchFirst, hidden, index);
  const [first] = rows as [number[]];
  const same = rows.every((r) => r.every((v, i) => v === first[i]));
  const kept = same ? [first] : rows;
  if (kept.every((r) => r.every((v) => v === 0))) return undefined;
  if (!same && isSorted(batch))
    unsupportedNode(node, "its sequences are sorted, and its initial states differ");
  return { tensor: ctx.addTensor(name, [kept.length, hidden], kept.flat()) };
}

/** @param expanded whether the shape is that of an expansion's source, which may have size 1 everywhere. */
function checkState(
  node: Node,
  { shape }: ConstantValue,
  { batchFirst, directions }: GruAttributes,
  hidden: number,
  batch: Size,
  expanded: boolean,
): void {
  const [first, second, size] = shape;
  const [along, rows] = batchFirst ? [second, first] : [first, second];
  const fits = (found: number | undefined, wanted: Size) =>
    found === wanted || (found === 1 && expanded) || (typeof wanted !== "number" && found !== 0);
  const expected = [directions.length, typeof batch === "number" ? batch : "batch", hidden];
  if (shape.length !== 3 || !fits(along, directions.length) || !fits(rows, batch) || !fits(size, hidden))
    badNode(
      node,
      `initial_h has shape [${shape}], expected [${batchFirst ? [expected[1], expected[0], expected[2]] : expected}]`,
    );
}

/** One direction's states, a row for each sequence of the batch. */
function stateRows(state: ConstantValue, batchFirst: boolean, hidden: number, index: number): number[][] {
  const [first, second, size] = state.shape as [number, number, number];
  const [along, batch] = batchFirst ? [second, first] : [first, second];
  const direction = along === 1 ? 0 : index;
  return Array.from({ length: batch }, (_, b) =>
    Array.from({ length: hidden }, (_, i) => {
      const row = batchFirst ? b * along + direction : direction * batch + b;
      return state.data[row * size + (size === 1 ? 0 : i)]!;
    }),
  );
}

function expectShape(node: Node, what: string, tensor: ConstantValue, expected: number[]): void {
  if (`${tensor.shape}` !== `${expected}`)
    badNode(
      node,
      `${what} has shape [${tensor.shape}], expected [${expected}] for ${expected[0] === 1 ? "one direction" : "two directions"}`,
    );
}
