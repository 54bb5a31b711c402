import type { Conv1dLayer } from "@sotto/core";
import type { Context } from "../context.js";
import { badNode, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import { position } from "../sizes.js";
import type { ConstantValue, PrivateValue, Size } from "../values.js";
import { zeros } from "./materialise.js";

interface Geometry {
  kernel: number[];
  strides: number[];
  dilations: number[];
  /** Before all axes, then after them. */
  pads: number[];
  groups: number;
}

/** Convolutions along one axis: of [B, C, L], or of [B, C, X, Y] where one axis has size 1 or is covered by the kernel. */
export function conv(ctx: Context, node: Node): void {
  const value = ctx.input(node, 0);
  const padded = value.kind === "private" ? value.padding : undefined;
  if (padded) {
    const { padding: _, ...bare } = value as PrivateValue;
    ctx.define(node.inputs[0]!, bare);
  }
  const x = ctx.privateInput(node, 0, "convolutions of constants are not supported");
  if (padded) ctx.define(node.inputs[0]!, value);
  const W = ctx.weight(node, 1, "kernel W");
  const axes = W.shape.length - 2;
  if (axes !== 1 && axes !== 2)
    unsupportedNode(node, `its kernel has shape [${W.shape}]; supported are convolutions along one axis`);
  const geometry = readGeometry(node, W, x);
  if (padded) {
    if (axes !== 1) unsupportedNode(node, "a Pad before it is supported only for convolutions of [B, C, L]");
    geometry.pads = [geometry.pads[0]! + padded[0], geometry.pads[1]! + padded[1]];
  }
  const b = ctx.optional(node, 2) && ctx.weight(node, 2, "bias B");
  const [M, inputs] = [W.shape[0]!, W.shape[1]!];
  if (W.data.length === 0) badNode(node, "its kernel is empty");
  if (b && b.data.length !== M) badNode(node, `bias has shape [${b.shape}], expected [${M}]`);
  const channels = x.shape?.[1];
  if (M % geometry.groups !== 0 || (typeof channels === "number" && channels !== inputs * geometry.groups))
    badNode(
      node,
      `kernel W has shape [${W.shape}] for ${geometry.groups} groups, but its input has shape [${x.shape?.map((d) => d ?? "?")}]`,
    );
  const bias = b && ctx.addTensor(`${node.name}.b`, [M], b.data);
  const name = node.outputs[0] ?? "";
  if (axes === 1) along(ctx, node, x, W, geometry, 0, bias, name);
  else twoAxes(ctx, node, x, W, geometry, bias, name);
}

/** The one axis' convolution. W [M, C / groups, K]. */
function along(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  W: Pick<ConstantValue, "shape" | "data">,
  g: Geometry,
  axis: number,
  bias: string | undefined,
  name: string,
): PrivateValue {
  const axes = g.kernel.length;
  const pads: [number, number] = [g.pads[axis]!, g.pads[axis + axes]!];
  const [stride, dilation] = [g.strides[axis]!, g.dilations[axis]!];
  const layer: Conv1dLayer = {
    op: "conv1d",
    name: node.name,
    inputs: [x.name],
    outputs: [name],
    W: ctx.addTensor(`${node.name}.W`, W.shape, W.data),
    ...(bias !== undefined && { b: bias }),
    stride,
    dilation,
    groups: g.groups,
    pads,
  };
  const L = x.shape?.[2];
  const span = (g.kernel[axis]! - 1) * dilation + 1;
  const steps = typeof L === "number" ? Math.floor((L + pads[0] + pads[1] - span) / stride) + 1 : undefined;
  const same = stride === 1 && pads[0] + pads[1] === span - 1;
  if (steps !== undefined && steps < 1)
    badNode(
      node,
      `its kernel spans ${span} steps, but with its padding the input has ${L! as number} + ${pads[0]} + ${pads[1]}`,
    );
  return ctx.write(layer, [x.shape?.[0], W.shape[0], same ? L : steps]);
}

function twoAxes(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  W: ConstantValue,
  g: Geometry,
  bias: string | undefined,
  name: string,
): void {
  const [M, C, K0, K1] = W.shape as [number, number, number, number];
  for (const across of [1, 0]) {
    const size: Size = x.shape?.[2 + across];
    const straight = g.pads[across] === 0 && g.pads[across + 2] === 0;
    const kernel = [K0, K1][across]!;
    // The kernel covers that axis, or it has size 1 anyhow: its elements become channels.
    if (!straight || size !== kernel || (size !== 1 && (g.groups !== 1 || g.dilations[across] !== 1)))
      continue;
    const n = size as number;
    const axis = 2 + across;
    const lines = n === 1 || across === 0 ? x : ctx.move(node, x, { op: "transpose", perm: [0, 1, 3, 2] });
    const merged =
      n === 1
        ? ctx.move(node, x, { op: "squeeze", parameters: [[axis]] })
        : ctx.move(node, lines, { op: "reshape", parameters: [[0, C * n, -1]] });
    const K = across === 1 ? K0 : K1;
    const data = new Float64Array(M * C * n * K);
    for (let mc = 0, to = 0; mc < M * C; mc++)
      for (let i = 0; i < n; i++)
        for (let k = 0; k < K; k++)
          data[to++] = W.data[across === 1 ? (mc * K0 + k) * K1 + i : (mc * K0 + i) * K1 + k]!;
    const one = { shape: [M, C * n, K], data };
    const y = along(ctx, node, merged, one, g, 1 - across, bias, ctx.fresh(`${name}.line`));
    ctx.move(node, y, { op: "unsqueeze", parameters: [[axis]] }, name);
    return;
  }
  unsupportedNode(
    node,
    `its kernel has shape [${W.shape}] and its input [${x.shape?.map((d) => d ?? "?") ?? "?"}]; supported are convolutions along one axis: ` +
      "the kernel has to cover the other axis, without padding",
  );
}

function readGeometry(node: Node, W: ConstantValue, x: PrivateValue): Geometry {
  const { attributes } = node;
  const axes = W.shape.length - 2;
  const list = (name: string, length: number, usual: number): number[] => {
    const values = attributes.integers(name) ?? new Array<number>(length).fill(usual);
    if (values.length !== length || values.some((v) => !(v >= usual && v < 2 ** 31)))
      badNode(node, `attribute ${name} is [${values}]; expected ${length} numbers not below ${usual}`);
    return values;
  };
  const kernel = attributes.integers("kernel_shape") ?? W.shape.slice(2);
  if (`${kernel}` !== `${W.shape.slice(2)}`)
    badNode(node, `kernel_shape is [${kernel}], but kernel W has shape [${W.shape}]`);
  const [strides, dilations] = [list("strides", axes, 1), list("dilations", axes, 1)];
  const groups = attributes.integer("group") ?? 1;
  if (!(groups >= 1)) badNode(node, `attribute group is ${groups}`);
  const automatic = attributes.string("auto_pad") ?? "NOTSET";
  const explicit = list("pads", 2 * axes, 0);
  attributes.refuseRest();
  const geometry = { kernel, strides, dilations, groups };
  if (automatic === "NOTSET") return { ...geometry, pads: explicit };
  if (automatic === "VALID") return { ...geometry, pads: explicit.map(() => 0) };
  if (automatic !== "SAME_UPPER" && automatic !== "SAME_LOWER")
    badNode(node, `attribute auto_pad is ${JSON.stringify(automatic)}`);
  const totals = kernel.map((k, i) => {
    const span = (k - 1) * dilations[i]! + 1;
    if (strides[i] === 1) return span - 1;
    const size = x.shape?.[2 + i];
    if (typeof size !== "number")
      unsupportedNode(
        node,
        `auto_pad = ${automatic} with a stride needs a fixed size; export with explicit pads`,
      );
    return Math.max(0, (Math.ceil(size / strides[i]!) - 1) * strides[i]! + span - size);
  });
  const less = totals.map((t) => Math.floor(t / 2));
  const more = totals.map((t) => Math.ceil(t / 2));
  return { ...geometry, pads: automatic === "SAME_UPPER" ? [...less, ...more] : [...more, ...less] };
}

/** Zeros along the last axis: left to the convolution that follows. */
export function pad(ctx: Context, node: Node): void {
  const mode = node.attributes.string("mode") ?? "constant";
  const attribute = node.attributes.integers("pads") ?? node.attributes.integers("paddings");
  const fill = node.attributes.float("value") ?? 0;
  node.attributes.refuseRest();
  const x = ctx.privateInput(node, 0, "padding of constants is not supported");
  const constant = (position: number) => {
    const input = ctx.optional(node, position);
    if (input && input.kind !== "constant") unsupportedNode(node, "its parameters are not constant");
    return input && Array.from(input.data);
  };
  const given = attribute ?? constant(1) ?? badNode(node, "pads are missing");
  const value = constant(2)?.[0] ?? fill;
  const axes = constant(3);
  const name = node.outputs[0] ?? "";
  if (given.every((p) => p === 0)) {
    ctx.define(name, x);
    return;
  }
  const rank = given.length / 2;
  const along = given.flatMap((p, i) => (p === 0 ? [] : [axes ? axes[i % rank]! : i % rank]));
  const padded = [...new Set(along)];
  const last = (x.shape?.length ?? rank) - 1;
  const usable = padded.every((a) => a === last || a === -1) && given.every((p) => p >= 0);
  const [axis] = padded;
  const grows = !usable && padded.length === 1 && axis !== undefined && given.every((p) => p >= 0);
  if (mode === "constant" && value === 0 && grows && x.shape) {
    const at = axes ? axes.indexOf(axis) : axis;
    besides(ctx, node, x, x.shape, position(axis, x.shape.length), [given[at]!, given[at + rank]!]);
    return;
  }
  if (mode !== "constant" || value !== 0 || !usable)
    unsupportedNode(
      node,
      `it pads axes [${padded}] (${mode}, value ${value}); supported are zeros along one axis that is not the last, and along the last right before a Conv`,
    );
  const at = axes ? axes.findIndex((a) => a === last || a === -1) : rank - 1;
  const padding: [number, number] = [given[at]!, given[at + rank]!];
  ctx.define(name, { kind: "private", name: x.name, ...(x.shape && { shape: x.shape }), padding });
}

/** Zeros before and after along an axis, as steps of the sequence. */
function besides(
  ctx: Context,
  node: Node,
  x: PrivateValue,
  shape: readonly Size[],
  axis: number,
  [before, after]: [number, number],
): void {
  const some = (n: number) =>
    n === 0
      ? []
      : [
          zeros(
            ctx,
            node,
            shape.map((d, a) => (a === axis ? n : d)),
          ).name,
        ];
  const [inputs, outputs] = [[...some(before), x.name, ...some(after)], [node.outputs[0] ?? ""]];
  const size = shape[axis];
  const sum = typeof size === "number" ? size + before + after : undefined;
  const padded = shape.map((d, a) => (a === axis ? sum : d));
  ctx.write({ op: "concat", name: node.name, inputs, outputs, axis }, padded);
}
