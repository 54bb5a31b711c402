import { applyView, type DenseLayer, type Elements, SottoError } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import type { ConstantValue, PrivateValue } from "../values.js";

const HINT = "supported are products of private values with constant matrices, the private value on the left";

/** alpha A B + beta C with B and C constant. */
export function gemm(ctx: Context, node: Node): void {
  const { attributes } = node;
  if ((attributes.integer("transA") ?? 0) !== 0)
    unsupportedNode(node, "attribute transA = 1 is not supported; supported is 0");
  const transB = (attributes.integer("transB") ?? 0) !== 0;
  const alpha = attributes.float("alpha") ?? 1;
  const beta = attributes.float("beta") ?? 1;
  attributes.refuseRest();
  const x = ctx.privateInput(node, 0, HINT);
  const B = matrix(ctx, node);
  const A = transB ? B : transposed(B);
  const C = ctx.optional(node, 2) && ctx.weight(node, 2, "bias C");
  const layer: DenseLayer = {
    op: "dense",
    name: node.name,
    inputs: [x.name],
    outputs: [node.outputs[0] ?? ""],
    A: ctx.addTensor(`${node.name}.A`, A.shape, scaled(A.data, alpha)),
  };
  if (C) {
    const bias = row(node, C, A.shape[0]!);
    layer.b = ctx.addTensor(`${node.name}.b`, [A.shape[0]!], scaled(bias, beta));
  }
  push(ctx, layer);
}

/** x B with B constant. */
export function matMul(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const x = ctx.privateInput(node, 0, HINT);
  const A = transposed(matrix(ctx, node));
  push(ctx, {
    op: "dense",
    name: node.name,
    inputs: [x.name],
    outputs: [node.outputs[0] ?? ""],
    A: ctx.addTensor(`${node.name}.A`, A.shape, A.data),
  });
}

/**
 * A constant added to a dense layer's result becomes its bias: the layer is written again with
 * it, and the one without is dropped at the end if nobody else reads it.
 */
export function addBias(ctx: Context, node: Node, x: PrivateValue, constant: ConstantValue): void {
  const { dense } = x;
  if (!dense)
    unsupportedNode(
      node,
      `adding the constant ${quote(constant.name)} is supported only right after a Gemm or MatMul`,
    );
  if (constant.type !== "float") badNode(node, `bias ${quote(constant.name)} should hold reals`);
  const outputs = ctx.tensors.get(dense.A)!.shape[0]!;
  const bias = row(node, constant, outputs);
  const before = dense.b === undefined ? undefined : ctx.tensors.get(dense.b)!.data;
  const b = bias.map((v, i) => v + (before?.[i] ?? 0));
  push(ctx, {
    ...dense,
    outputs: [node.outputs[0] ?? ""],
    b: ctx.addTensor(`${dense.name}.b`, [outputs], b),
  });
}

function push(ctx: Context, layer: DenseLayer): void {
  const [name] = layer.outputs as [string];
  ctx.layers.push(layer);
  ctx.define(name, { kind: "private", name, dense: layer });
}

function matrix(ctx: Context, node: Node): ConstantValue {
  const B = ctx.weight(node, 1, "right operand");
  if (B.shape.length !== 2 || B.data.length === 0)
    unsupportedNode(node, `the right operand has shape [${B.shape}]; supported are matrices`);
  return B;
}

function transposed(B: ConstantValue): Elements {
  return applyView({ op: "transpose", name: B.name, inputs: [B.name], outputs: [""] }, [B], [])[0]!;
}

function scaled(data: Iterable<number>, factor: number): Iterable<number> {
  return factor === 1 ? data : Float64Array.from(data, (v) => v * factor);
}

/** A bias of shape [], [1], [n] or [1, n], as the n numbers that are added to every row. */
function row(node: Node, bias: ConstantValue, n: number): number[] {
  const { shape, data } = bias;
  const leading = shape.slice(0, -1);
  if (shape.length <= 2 && leading.every((d) => d === 1)) {
    if (data.length === n) return Array.from(data);
    if (data.length === 1) return new Array<number>(n).fill(data[0]!);
  }
  throw new SottoError(
    "unsupported",
    `ONNX: node ${quote(node.name)} (${node.opType}): bias ${quote(bias.name)} has shape [${shape}]; ` +
      `supported are one number, [${n}] and [1, ${n}]`,
  );
}
