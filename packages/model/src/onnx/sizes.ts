/**
 * What an importer can know of shapes before sizes are: each size is a number, a name, or unknown.
 * Nothing is checked here; contradictions show when the plan is compiled, with all sizes known.
 */
import {
  applyView,
  type ElementArray,
  foldConstant,
  type ShapeLayer,
  SottoError,
  type ViewLayer,
} from "@sotto/core";
import { MAX_KNOWN, type Size } from "./values.js";

type Sizes = readonly Size[];

/** The shape of a view's result. @param parameters the elements of the view's parameters, aligned with its inputs. */
export function viewShape(
  layer: ViewLayer,
  data: readonly (Sizes | undefined)[],
  parameters: readonly (Sizes | undefined)[],
): Size[] | undefined {
  const [x] = data;
  const given = (position: number) => Boolean(layer.inputs[position]);
  switch (layer.op) {
    case "identity":
    case "cast":
      return x && [...x];
    case "transpose":
      return x && (layer.perm ?? x.map((_, i) => x.length - 1 - i)).map((p) => x[p]);
    case "reshape":
      return reshaped(x, parameters[1], layer.allowzero ?? false);
    case "flatten":
      return x && flattened(x, layer.axis ?? 1);
    case "squeeze": {
      if (!given(1)) return x?.every((d) => typeof d === "number") ? x.filter((d) => d !== 1) : undefined;
      const gone = x && axesOf(parameters[1], x.length);
      return gone && x.filter((_, i) => !gone.includes(i));
    }
    case "unsqueeze": {
      const added = x && axesOf(parameters[1], x.length + (parameters[1]?.length ?? 0));
      if (!added) return undefined;
      let next = 0;
      return Array.from({ length: x.length + added.length }, (_, i) => (added.includes(i) ? 1 : x[next++]));
    }
    case "slice":
      return x && sliced(layer, x, parameters);
    case "gather": {
      const indices = data[1];
      if (!x || !indices) return undefined;
      const axis = position(layer.axis ?? 0, x.length);
      return [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)];
    }
    case "concat":
      return joined(data, layer.axis ?? 0);
    case "expand":
      return broadcastSizes(x, parameters[1]);
  }
}

/** NumPy's broadcasting. */
export function broadcastSizes(a: Sizes | undefined, b: Sizes | undefined): Size[] | undefined {
  if (!a || !b) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [
      i - rank + a.length < 0 ? 1 : a[i - rank + a.length],
      i - rank + b.length < 0 ? 1 : b[i - rank + b.length],
    ];
    if (p === 1 || p === q) return q;
    if (q === 1) return p;
    // One of two different sizes must be 1 at run time; a number above 1 is not.
    return typeof p === "number" ? p : typeof q === "number" ? q : undefined;
  });
}

/** An axis counted from either end, from the front. */
export function position(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Elements of which only some are known. */
export interface Known {
  shape?: Size[];
  elements?: Size[];
}

/** Applies a view to elements of which only some are known. @param parameters aligned with the view's inputs. */
export function viewElements(
  layer: ViewLayer,
  data: readonly Known[],
  parameters: readonly (Known | undefined)[],
  limit = MAX_KNOWN,
): { shape: number[]; elements: Size[] } | undefined {
  const all: Size[] = [];
  const operands: { shape: number[]; data: number[] }[] = [];
  for (const { shape, elements } of data) {
    if (!elements || !shape || !isKnown(shape)) return undefined;
    operands.push({ shape, data: elements.map((_, i) => all.length + i) });
    for (const element of elements) all.push(element);
  }
  const constants = layer.inputs.map((_, i) => {
    const { shape, elements } = parameters[i] ?? {};
    return shape && elements && isKnown(shape) && isKnown(elements) ? { shape, data: elements } : undefined;
  });
  const result = attempt(() => applyView<ElementArray>(layer, operands, constants, limit)[0]);
  return result && { shape: result.shape, elements: Array.from(result.data, (i) => all[i]) };
}

/** Applies a function to elements of which only some are known, broadcasting. */
export function mapElements(
  operands: readonly Known[],
  f: (...elements: Size[]) => Size,
  limit = MAX_KNOWN,
): { shape: number[]; elements: Size[] } | undefined {
  const shape = operands.map((o) => o.shape).reduce(broadcastSizes, []);
  if (!shape || !isKnown(shape)) return undefined;
  const wide = operands.map((o) => {
    const layer: ViewLayer = { op: "expand", name: "", inputs: ["x", "shape"], outputs: [""] };
    return viewElements(layer, [o], [undefined, { shape: [shape.length], elements: shape }], limit);
  });
  if (!wide.every((w) => w !== undefined)) return undefined;
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, elements: Array.from({ length: size }, (_, i) => f(...wide.map((w) => w.elements[i]))) };
}

/** Shape arithmetic on two elements. */
export function compute(op: ShapeLayer["op"], integer: boolean) {
  return (a: Size, b: Size): Size => {
    if ((op === "add" || op === "sub") && b === 0) return a;
    if ((op === "mul" || op === "div") && b === 1) return a;
    if ((op === "add" && a === 0) || (op === "mul" && a === 1)) return b;
    if (typeof a !== "number" || typeof b !== "number") return undefined;
    const layer: ShapeLayer = { op, name: "", inputs: ["a", "b"], outputs: [""], integer };
    return attempt(
      () =>
        foldConstant(layer, [
          { shape: [], data: [a] },
          { shape: [], data: [b] },
        ])[0]?.data[0],
    );
  };
}

export function isKnown(sizes: Sizes): sizes is number[] {
  return sizes.every((d) => typeof d === "number");
}

function reshaped(x: Sizes | undefined, wanted: Sizes | undefined, allowzero: boolean): Size[] | undefined {
  if (!wanted) return undefined;
  const shape = wanted.map((d, i) => (d === 0 && !allowzero ? x?.[i] : d));
  const open = wanted.indexOf(-1);
  if (open >= 0)
    shape[open] = rest(
      x,
      shape.filter((_, i) => i !== open),
    );
  return shape;
}

/** The size that is left of x's elements beside others: equal names cancel. */
function rest(x: Sizes | undefined, others: Sizes): Size {
  const left = [...(x ?? [undefined])];
  let divisor = 1;
  for (const d of others) {
    const same = typeof d === "number" ? -1 : left.indexOf(d);
    if (typeof d === "number") divisor *= d;
    else if (d === undefined || same < 0) return undefined;
    else left.splice(same, 1);
  }
  return product(left, divisor);
}

function flattened(x: Sizes, axis: number): Size[] {
  const at = position(axis, x.length);
  return [product(x.slice(0, at)), product(x.slice(at))];
}

function product(sizes: Sizes, divisor = 1): Size {
  const names = sizes.filter((d) => typeof d !== "number");
  const factor = sizes.filter((d) => typeof d === "number").reduce((a, b) => a * b, 1) / divisor;
  if (names.length === 0) return Number.isInteger(factor) ? factor : undefined;
  return names.length === 1 && factor === 1 ? names[0] : undefined;
}

function axesOf(parameter: Sizes | undefined, rank: number): number[] | undefined {
  return parameter && isKnown(parameter) ? parameter.map((a) => position(a, rank)) : undefined;
}

function sliced(layer: ViewLayer, x: Sizes, parameters: readonly (Sizes | undefined)[]): Size[] | undefined {
  const [, starts, ends] = parameters;
  const named = layer.inputs[3] ? parameters[3] : starts?.map((_, i) => i);
  const axes = axesOf(named, x.length);
  if (!axes) return layer.inputs[3] || starts ? undefined : x.map(() => undefined);
  const shape = [...x];
  axes.forEach((axis, i) => {
    const step = layer.inputs[4] ? parameters[4]?.[i] : 1;
    shape[axis] = sliceSize(x[axis], starts?.[i], ends?.[i], step);
  });
  return shape;
}

function sliceSize(d: Size, start: Size, end: Size, step: Size): Size {
  if (step !== 1 && step !== -1) return undefined;
  if (start === 0 && step === 1 && (end === d || (typeof end === "number" && end >= 2 ** 31 - 1))) return d;
  // sizes are at least 1
  if (start === 0 && step === 1 && end === 1 && typeof d === "string") return 1;
  if (start === -1 && step === 1 && typeof end === "number" && end >= 2 ** 31 - 1) return 1;
  if (typeof d !== "number" || typeof start !== "number" || typeof end !== "number") return undefined;
  const [low, high] = step > 0 ? [0, d] : [-1, d - 1];
  const clamp = (p: number) => Math.min(Math.max(p < 0 ? p + d : p, low), high);
  return Math.max(0, (clamp(end) - clamp(start)) * step);
}

function joined(data: readonly (Sizes | undefined)[], axis: number): Size[] | undefined {
  const known = data.find((d) => d !== undefined);
  if (!known) return undefined;
  const at = position(axis, known.length);
  return known.map((_, i) => {
    if (i !== at) return data.map((d) => d?.[i]).find((d) => d !== undefined);
    const parts = data.map((d) => d?.[i]);
    return isKnown(parts) ? parts.reduce((a, b) => a + b, 0) : undefined;
  });
}

/** What can't be folded here is reported when the plan is compiled. */
function attempt<T>(f: () => T): T | undefined {
  try {
    return f();
  } catch (error) {
    if (error instanceof SottoError) return undefined;
    throw error;
  }
}
