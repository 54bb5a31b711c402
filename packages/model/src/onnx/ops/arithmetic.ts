import type { Activation, ShapeLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, quote, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { broadcastSizes } from "../sizes.js";
import {
  type ConstantValue,
  fillOf,
  type PrivateValue,
  type PublicValue,
  type Size,
  type Value,
} from "../values.js";
import { addBias } from "./dense.js";
import { overLengths, refuseLengths } from "./lengths.js";

type Op = "add" | "sub" | "mul" | "div";

/** Add, Sub, Mul, Div: of public values, of a private one and a constant, of two private ones. */
export function arithmetic(op: Op) {
  return (ctx: Context, node: Node): void => {
    // Broadcasting by attributes ended with opset 7.
    node.attributes.refuseRest();
    const divisor = op === "div" ? ctx.input(node, 1) : undefined;
    if (divisor?.kind === "length" && ctx.input(node, 0).kind === "private") {
      overLengths(ctx, node, ctx.privateInput(node, 0, ""), divisor);
      return;
    }
    const [a, b] = [operand(ctx, node, 0), operand(ctx, node, 1)];
    if (a.kind === "private" && b.kind === "private") joined(ctx, node, op, a, b);
    else if (a.kind === "private") withPublic(ctx, node, op, a, b as ConstantValue | PublicValue);
    else if (b.kind === "private") withPublic(ctx, node, op, b, a as ConstantValue | PublicValue, true);
    else {
      const [p, q] = [a as ConstantValue | PublicValue, b as ConstantValue | PublicValue];
      if (p.type !== q.type) badNode(node, `its operands are of types ${p.type} and ${q.type}`);
      const layer: ShapeLayer = { op, name: node.name, inputs: [], outputs: [node.outputs[0] ?? ""] };
      if (op === "div") layer.integer = p.type === "integer";
      ctx.shape(node, layer, [p, q], p.type);
    }
  };
}

export function negate(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const x = operand(ctx, node, 0);
  if (x.kind === "private") {
    minus(ctx, node, x, node.outputs[0] ?? "");
    return;
  }
  const known = x as ConstantValue | PublicValue;
  ctx.elementwise(node, [known], known.type, (v) => (typeof v === "number" ? 0 - v : undefined));
}

/** Whole positive powers; anything of constants. */
export function power(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const [x, exponent] = [operand(ctx, node, 0), operand(ctx, node, 1)];
  if (exponent.kind === "private") unsupportedNode(node, "the exponent is private; supported are 1, 2 and 3");
  if (x.kind !== "private") {
    const known = x as ConstantValue | PublicValue;
    ctx.elementwise(node, [known, exponent as ConstantValue | PublicValue], known.type, (v, e) =>
      typeof v === "number" && typeof e === "number" ? v ** e : undefined,
    );
    return;
  }
  const e = fillOf(exponent as ConstantValue | PublicValue);
  if (e !== 1 && e !== 2 && e !== 3)
    unsupportedNode(node, `the exponent is ${e ?? "not one number"}; supported are 1, 2 and 3`);
  const output = node.outputs[0] ?? "";
  let y = x;
  for (let i = 2; i <= e; i++) y = product(ctx, node, y, x, i === e ? output : ctx.fresh(`${output}.power`));
  if (e === 1) ctx.define(output, x);
}

/** Max and Min of private values, or of one and a number. */
export function extreme(op: "max" | "min") {
  return (ctx: Context, node: Node): void => {
    node.attributes.refuseRest();
    const values = node.inputs.map((_, i) => operand(ctx, node, i));
    if (values.length === 0) badNode(node, "it has no inputs");
    if (values.every((v) => v.kind !== "private")) {
      const known = values as (ConstantValue | PublicValue)[];
      const f = op === "max" ? Math.max : Math.min;
      ctx.elementwise(node, known, known[0]!.type, (...e) =>
        e.every((v) => typeof v === "number") ? f(...e) : undefined,
      );
      return;
    }
    // max(a, b) = b + relu(a - b), min(a, b) = a - relu(a - b)
    const output = node.outputs[0] ?? "";
    const [first, ...others] = [...values].sort((a, b) => rankOf(a) - rankOf(b)) as [PrivateValue];
    let most = first;
    (others as Value[]).forEach((other, i) => {
      const name = i === others.length - 1 ? output : undefined;
      const relu = write(ctx, node, combine(ctx, node, "sub", most, other), { name: "relu" });
      most =
        op === "max"
          ? combine(ctx, node, "add", other, relu, name)
          : combine(ctx, node, "sub", most, relu, name);
    });
    if (others.length === 0) ctx.define(output, first);
  };
}

/** Any number of summands. */
export function sum(ctx: Context, node: Node): void {
  node.attributes.refuseRest();
  const [first, ...others] = node.inputs;
  if (first === undefined) badNode(node, "it has no inputs");
  const output = node.outputs[0] ?? "";
  let total = first;
  for (const [i, other] of others.entries()) {
    const name = i === others.length - 1 ? output : ctx.fresh(`${output}.sum`);
    arithmetic("add")(ctx, { ...node, inputs: [total, other], outputs: [name] });
    total = name;
  }
  if (others.length === 0) ctx.define(output, ctx.input(node, 0));
}

/** a + b or a - b, at least one of them private. */
export function combine(
  ctx: Context,
  node: Node,
  op: "add" | "sub",
  a: Value,
  b: Value,
  name = ctx.fresh(`${node.outputs[0]}.${op}`),
): PrivateValue {
  const step: Node = { ...node, inputs: [a.name, b.name], outputs: [name] };
  if (a.kind === "private" && b.kind === "private") joined(ctx, step, op, a, b);
  else if (a.kind === "private") withPublic(ctx, step, op, a, b as ConstantValue);
  else withPublic(ctx, step, op, b as PrivateValue, a as ConstantValue, true);
  return ctx.value(name) as PrivateValue;
}

/** x * scale + offset by tensors whose shapes broadcast to x's. */
export function affine(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  by: { scale?: ConstantValue; offset?: ConstantValue },
  name = node.outputs[0] ?? "",
): PrivateValue {
  const keep = (what: "scale" | "offset") => {
    const constant = by[what];
    return constant && { [what]: ctx.addTensor(`${node.name}.${what}`, constant.shape, constant.data) };
  };
  return ctx.write(
    { op: "affine", name: node.name, inputs: [x.name], outputs: [name], ...keep("scale"), ...keep("offset") },
    x.shape,
  );
}

export function write(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  activation: Activation,
  name = ctx.fresh(`${node.outputs[0]}.${activation.name}`),
): PrivateValue {
  return ctx.write(
    { op: "activation", name: node.name, inputs: [x.name], outputs: [name], activation },
    x.shape,
  );
}

export function minus(ctx: Context, node: Node, x: PrivateValue, name: string): PrivateValue {
  return ctx.write({ op: "sum", name: node.name, inputs: [x.name], outputs: [name], signs: [-1] }, x.shape);
}

function rankOf(value: Value): number {
  return value.kind === "private" ? 0 : 1;
}

/** An operand of arithmetic: anything but indices. */
function operand(ctx: Context, node: Node, position: number): Value {
  const value = ctx.input(node, position);
  if (value.kind === "length") refuseLengths(node, value);
  if (value.kind === "token" || value.kind === "order")
    unsupportedNode(
      node,
      `it computes with the integers of model input ${quote(value.name)}; supported are indices of an embedding, as they are`,
    );
  return value.kind === "private" ? ctx.privateInput(node, position, "") : value;
}

function joined(ctx: Context, node: Node, op: Op, a: PrivateValue, b: PrivateValue): void {
  const name = node.outputs[0] ?? "";
  if (op === "div") unsupportedNode(node, "division by a private value is not supported");
  if (op === "mul") {
    product(ctx, node, a, b, name);
    return;
  }
  const shape = fitting(node, a, b);
  const signs: (1 | -1)[] = [1, op === "add" ? 1 : -1];
  ctx.write(
    {
      op: "sum",
      name: node.name,
      inputs: [a.name, b.name],
      outputs: [name],
      ...(op === "sub" ? { signs } : {}),
    },
    shape,
  );
}

export function product(
  ctx: Context,
  node: Node,
  a: PrivateValue,
  b: PrivateValue,
  name: string,
): PrivateValue {
  const shape = fitting(node, a, b);
  return ctx.write({ op: "product", name: node.name, inputs: [a.name, b.name], outputs: [name] }, shape);
}

/** x op c, or c op x if turned. */
function withPublic(
  ctx: Context,
  node: Node,
  op: Op,
  x: PrivateValue,
  c: ConstantValue | PublicValue,
  turned = false,
): void {
  const name = node.outputs[0] ?? "";
  if (op === "div" && turned) unsupportedNode(node, "division by a private value is not supported");
  if (op === "div" && c.kind === "public" && mean(ctx, node, x, c)) return;
  const constant = c.kind === "constant" ? c : filled(node, c);
  if (constant.type !== "float") badNode(node, `the constant ${quote(c.name)} should hold reals`);
  if (constant.data.length === 0) badNode(node, `the constant ${quote(c.name)} is empty`);
  const map = (f: (v: number) => number): ConstantValue => ({
    ...constant,
    data: Float64Array.from(constant.data, f),
  });
  if (op === "add" || (op === "sub" && !turned)) {
    const bias = op === "add" ? constant : map((v) => -v);
    if (c.kind === "constant" && addBias(ctx, node, x, bias)) return;
  }
  const wide = widened(ctx, node, x, c);
  if (op === "sub" && turned) {
    const negative = minus(ctx, node, wide, ctx.fresh(`${name}.negative`));
    affine(ctx, node, negative, { offset: constant }, name);
  } else if (op === "add") affine(ctx, node, wide, { offset: constant }, name);
  else if (op === "sub") affine(ctx, node, wide, { offset: map((v) => -v) }, name);
  else if (op === "mul") affine(ctx, node, wide, { scale: constant }, name);
  else {
    if (constant.data.some((v) => v === 0)) badNode(node, `it divides by ${quote(c.name)}, which has a zero`);
    affine(ctx, node, wide, { scale: map((v) => 1 / v) }, name);
  }
}

/** A sum over an axis that is divided by the axis' open size: a mean. @returns whether it is. */
function mean(ctx: Context, node: Node, x: PrivateValue, size: PublicValue): boolean {
  const sum = ctx.layers.find((layer) => layer.outputs.includes(x.name));
  if (sum?.op !== "reduce" || sum.fn !== "sum" || sum.axes.length !== 1) return false;
  const { shape } = ctx.value(sum.inputs[0]!);
  const reduced = shape?.at(sum.axes[0]!);
  const one = size.shape?.every((d) => d === 1) && size.shape.length <= (x.shape?.length ?? 0);
  if (!one || reduced === undefined || fillOf(size) !== reduced) return false;
  ctx.write({ ...sum, name: node.name, fn: "mean", outputs: [node.outputs[0] ?? ""] }, x.shape);
  return true;
}

/** The number that a public value is made of, as a constant of shape []. */
function filled(node: Node, value: PublicValue): ConstantValue {
  const fill = fillOf(value);
  if (typeof fill !== "number")
    unsupportedNode(
      node,
      `it combines private values with ${quote(value.name)}, which is known only when the model runs; ` +
        "export the model with fixed sizes",
    );
  return { kind: "constant", name: value.name, type: value.type, shape: [], data: [fill] };
}

/** Broadcasting's result. @throws SottoError `bad-model` if the shapes can't fit together. */
function fitting(node: Node, a: Value, b: Value): Size[] | undefined {
  const [p, q] = [a.shape ?? [], b.shape ?? []];
  for (let i = 1; i <= Math.min(p.length, q.length); i++) {
    const [d, e] = [p.at(-i), q.at(-i)];
    if (typeof d === "number" && typeof e === "number" && d !== e && d !== 1 && e !== 1)
      badNode(node, `its operands of shapes [${p}] and [${q}] don't fit together`);
  }
  return broadcastSizes(a.shape, b.shape);
}

/** x with the shape that broadcasting with c gives it. */
export function widened(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  c: ConstantValue | PublicValue,
): PrivateValue {
  const { shape } = c;
  const wide = fitting(node, x, c);
  const [xs, n] = [x.shape, shape?.length ?? 0];
  const same = (d: unknown, i: number) => d === 1 || (xs && d === xs[xs.length - n + i] && d !== undefined);
  if (shape && (n === 0 || (xs && n <= xs.length && shape.every(same)) || shape.length === 0)) return x;
  if (c.kind === "constant" && c.data.length === 1 && xs && n <= xs.length) return x;
  const name = ctx.fresh(`${node.outputs[0]}.expanded`);
  const wanted = ctx.fresh(`${node.outputs[0]}.shape`);
  if (c.kind === "constant") return ctx.move(node, x, { op: "expand", parameters: [[...c.shape]] }, name);
  ctx.layers.push({ op: "shape", name: node.name, inputs: [c.name], outputs: [wanted] });
  return ctx.write({ op: "expand", name: node.name, inputs: [x.name, wanted], outputs: [name] }, wide);
}
