import { applyView, type DenseLayer, type Elements } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import type { ConstantValue, PrivateValue, Size, Value } from "../values.js";
import { affine, combine, widened } from "./arithmetic.js";

const HINT = "supported are products of a private value and a constant matrix";

/** alpha A B + beta C, one of A and B constant. */
export function gemm(ctx: Context, node: Node): void {
  const { attributes } = node;
  const transA = (attributes.integer("transA") ?? 0) !== 0;
  const transB = (attributes.integer("transB") ?? 0) !== 0;
  const alpha = attributes.float("alpha") ?? 1;
  const beta = attributes.float("beta") ?? 1;
  attributes.refuseRest();
  const C = ctx.optional(node, 2);
  const biased = C !== undefined && beta !== 0;
  const name = node.outputs[0] ?? "";
  const output = biased ? ctx.fresh(`${name}.product`) : name;
  let product: PrivateValue;
  if (ctx.input(node, 0).kind === "constant") {
    // (op(A) op(B))^T = op(B)^T op(A)^T: a dense layer on the columns of op(B).
    const x = ctx.privateInput(node, 1, HINT);
    const columns = transB ? x : turned(ctx, node, x);
    const A = matrix(ctx, node, 0, "left operand");
    const weights = transA ? transposed(A) : A;
    const y = dense(ctx, node, columns, weights, alpha, ctx.fresh(`${name}.transposed`));
    product = turned(ctx, node, { ...y, shape: y.shape ?? [undefined, undefined] }, output);
  } else {
    const x = ctx.privateInput(node, 0, HINT);
    const rows = transA ? turned(ctx, node, x) : x;
    const B = matrix(ctx, node, 1, "right operand");
    product = dense(ctx, node, rows, transB ? B : transposed(B), alpha, output);
  }
  if (!biased) return;
  const end: Node = { ...node, inputs: [], outputs: [name] };
  const bias = C.kind === "private" ? ctx.privateInput(node, 2, HINT) : ctx.weight(node, 2, "bias C");
  const scaledBias = bias.kind === "constant" ? { ...bias, data: scaled(bias.data, beta) } : bias;
  if (scaledBias.kind === "constant") {
    if (addBias(ctx, end, product, scaledBias)) return;
    affine(ctx, end, widened(ctx, end, product, scaledBias), { offset: scaledBias }, name);
    return;
  }
  const factor: ConstantValue = { kind: "constant", name: "", type: "float", shape: [], data: [beta] };
  const x =
    beta === 1 ? scaledBias : affine(ctx, end, scaledBias, { scale: factor }, ctx.fresh(`${name}.beta`));
  combine(ctx, end, "add", product, x, name);
}

/** A B, one of them constant. */
export function matMul(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const name = node.outputs[0] ?? "";
  const [left, right]: Value[] = [ctx.input(node, 0), ctx.input(node, 1)];
  if (left?.kind === "private" && right?.kind === "private")
    unsupportedNode(
      node,
      "both operands are private (attention, bilinear layers); supported are products with constant matrices",
    );
  if (left?.kind === "constant") {
    const x = ctx.privateInput(node, 1, HINT);
    const A = matrix(ctx, node, 0, "left operand");
    if (!x.shape)
      unsupportedNode(node, "the private right operand has an unknown number of axes; put it on the left");
    if (x.shape.length < 2) {
      dense(ctx, node, x, A, 1, name);
      return;
    }
    const y = dense(ctx, node, turned(ctx, node, x), A, 1, ctx.fresh(`${name}.transposed`));
    turned(ctx, node, y, name);
    return;
  }
  const x = ctx.privateInput(node, 0, HINT);
  const B = ctx.weight(node, 1, "right operand");
  if (B.shape.length === 1) {
    const column = { ...B, shape: [1, B.shape[0]!] };
    const y = dense(ctx, node, x, column, 1, ctx.fresh(`${name}.column`));
    ctx.move(node, y, { op: "squeeze", parameters: [[-1]] }, name);
    return;
  }
  dense(ctx, node, x, transposed(matrix(ctx, node, 1, "right operand")), 1, name);
}

/**
 * A constant added to a dense layer's result becomes its bias: the layer is written again with
 * it, and the one without is dropped at the end if nobody else reads it.
 * @returns whether it could be done so.
 */
export function addBias(ctx: Context, node: Node, x: PrivateValue, constant: ConstantValue): boolean {
  const { dense } = x;
  if (!dense || constant.type !== "float") return false;
  const outputs = ctx.tensors.get(dense.A)!.shape[0]!;
  const bias = row(constant, x.shape, outputs);
  if (!bias) return false;
  const before = dense.b === undefined ? undefined : ctx.tensors.get(dense.b)!.data;
  const b = bias.map((v, i) => v + (before?.[i] ?? 0));
  const layer: DenseLayer = {
    ...dense,
    outputs: [node.outputs[0] ?? ""],
    b: ctx.addTensor(`${dense.name}.b`, [outputs], b),
  };
  ctx.write(layer, x.shape, { dense: layer });
  return true;
}

/** x A^T, times a factor. A [out, in]. */
function dense(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  A: Elements,
  factor: number,
  name: string,
): PrivateValue {
  const layer: DenseLayer = {
    op: "dense",
    name: node.name,
    inputs: [x.name],
    outputs: [name],
    A: ctx.addTensor(`${node.name}.A`, A.shape, scaled(A.data, factor)),
  };
  const shape: Size[] | undefined = x.shape && [...x.shape.slice(0, -1), A.shape[0]];
  return ctx.write(layer, shape, { dense: layer });
}

/** With its last two axes exchanged. */
function turned(ctx: Context, node: Node, x: PrivateValue, name?: string): PrivateValue {
  const rank = x.shape?.length ?? 2;
  const perm = Array.from({ length: rank }, (_, i) => i);
  [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
  return ctx.move(node, x, { op: "transpose", perm }, name);
}

/** A constant matrix; axes of size 1 before its last two say nothing. */
function matrix(ctx: Context, node: Node, position: number, what: string): ConstantValue {
  const B = ctx.weight(node, position, what);
  const shape = B.shape.slice(-2);
  const leading = B.shape.slice(0, -2);
  if (B.data.length === 0) badNode(node, `the ${what} is empty`);
  if (shape.length !== 2 || leading.some((d) => d !== 1))
    unsupportedNode(node, `the ${what} has shape [${B.shape}]; supported are matrices`);
  const other = ctx.input(node, 1 - position);
  if (leading.length > 0 && !(other.shape && other.shape.length >= B.shape.length))
    unsupportedNode(
      node,
      `the ${what} has shape [${B.shape}], with more axes than the other; supported are matrices`,
    );
  return { ...B, shape };
}

function transposed(B: ConstantValue): Elements {
  return applyView({ op: "transpose", name: B.name, inputs: [B.name], outputs: [""] }, [B], [])[0]!;
}

function scaled(data: Elements["data"], factor: number): Elements["data"] {
  return factor === 1 ? data : Float64Array.from(data, (v) => v * factor);
}

/** A bias of shape [], [1], [n], [1, n] ... as the n numbers that are added to every row. */
function row(bias: ConstantValue, to: Size[] | undefined, n: number): number[] | undefined {
  const { shape, data } = bias;
  const rank = to?.length ?? 2;
  if (shape.length > rank || shape.slice(0, -1).some((d) => d !== 1)) return undefined;
  if (data.length === n) return Array.from(data);
  return data.length === 1 ? new Array<number>(n).fill(data[0]!) : undefined;
}
