/**
 * What the layers that move elements (ViewLayer) and compute shapes (ShapeLayer) mean.
 *
 * A view is written once, generic over what the elements are: applied to a constant's data it
 * folds the constant; applied to the element numbers 0, 1, 2, ... of a private tensor it gives
 * the list of which element goes where. Semantics are ONNX's (opset 13).
 *
 * A failure is a SottoError: `bad-model` when shapes or parameters contradict each other,
 * `unsupported` when a parameter is not a public constant. Sizes are checked before allocation.
 */
import { SottoError } from "../errors.js";
import type { Constant, ShapeLayer, ViewLayer } from "./description.js";

/** No tensor may have more elements than this. */
export const MAX_ELEMENTS = 2 ** 26;

/** What elements are kept in; typed arrays spare memory where there are many. */
export type ElementArray = number[] | Float32Array | Float64Array | Int32Array;

/** Elements in row-major order: numbers, or the numbers of a private tensor's elements. */
export interface Elements<D extends ElementArray = ElementArray> {
  shape: number[];
  data: D;
}

/** The element numbers of a private tensor, counted from `first`, to apply views to. */
export function indexElements(shape: readonly number[], first = 0): Elements<Float64Array> {
  const data = new Float64Array(product(shape));
  return { shape: [...shape], data: data.map((_, i) => first + i) };
}

/** One axis of a result: how many steps, and where step i lies in the source. */
interface Walk {
  size: number;
  offset: (i: number) => number;
}

const SHAPE_OPS: ReadonlySet<string> = new Set(["shape", "constantOfShape", "add", "sub", "mul", "div"]);

/** Whether a layer is shape arithmetic, whose result is always a public constant. */
export function isShapeLayer(layer: { op: string }): layer is ShapeLayer {
  return SHAPE_OPS.has(layer.op);
}

/** How many data operands a view has: its first one, or for concat all its inputs. The rest are parameters. */
export function dataOperands(layer: ViewLayer): number {
  return layer.op === "concat" ? layer.inputs.length : 1;
}

/**
 * The value of a layer whose inputs are all public constants.
 * @param inputs aligned with layer.inputs; undefined for an optional input that is absent.
 */
export function foldConstant(
  layer: ViewLayer | ShapeLayer,
  inputs: readonly (Constant | undefined)[],
  limit = MAX_ELEMENTS,
): Constant[] {
  if (!isShapeLayer(layer)) return applyView(layer, inputs, inputs, limit);
  if (layer.op === "shape") return [shapeOf(layer, operand(layer, inputs, 0).shape)];
  if (layer.op === "constantOfShape") {
    const shape = integers(layer, inputs, 0, "shape") ?? missing(layer, "shape");
    return [{ shape, data: new Array<number>(sizeOf(layer, shape, limit)).fill(layer.value ?? 0) }];
  }
  return [arithmetic(layer, operand(layer, inputs, 0), operand(layer, inputs, 1), limit)];
}

/** The value of a `shape` layer for an input of this shape, which may be private: its sizes are public. */
export function shapeOf(layer: ShapeLayer, shape: readonly number[]): Constant {
  const clamp = (i: number) => Math.min(Math.max(i < 0 ? i + shape.length : i, 0), shape.length);
  const data = shape.slice(clamp(layer.start ?? 0), clamp(layer.end ?? shape.length));
  return { shape: [data.length], data };
}

/**
 * Applies a view to its data operands, whatever their elements stand for.
 * @param inputs the data operands, aligned with layer.inputs (only concat has several).
 * @param constants the public constants among layer.inputs, aligned with it; only parameters are read.
 * @returns the one result. Its data may be the operand's own array where nothing moves.
 */
export function applyView<D extends ElementArray>(
  layer: ViewLayer,
  inputs: readonly (Elements<D> | undefined)[],
  constants: readonly (Constant | undefined)[],
  limit = MAX_ELEMENTS,
): Elements<D>[] {
  const x = operand(layer, inputs, 0);
  const { shape, data } = x;
  const rank = shape.length;
  switch (layer.op) {
    case "identity":
    case "cast":
      return [x];
    case "reshape": {
      const wanted = integers(layer, constants, 1, "shape") ?? missing(layer, "shape");
      return [{ shape: reshaped(layer, shape, wanted, limit), data }];
    }
    case "flatten": {
      const axis = inRange(layer, layer.axis ?? 1, rank, rank + 1);
      return [{ shape: [product(shape.slice(0, axis)), product(shape.slice(axis))], data }];
    }
    case "squeeze":
      return [{ shape: squeezed(layer, shape, integers(layer, constants, 1, "axes")), data }];
    case "unsqueeze": {
      const axes = integers(layer, constants, 1, "axes") ?? missing(layer, "axes");
      return [{ shape: unsqueezed(layer, shape, axes), data }];
    }
    case "transpose":
      return [pick(layer, x, transposeWalks(layer, shape), limit)];
    case "slice":
      return [pick(layer, x, sliceWalks(layer, shape, constants), limit)];
    case "expand": {
      const wanted = integers(layer, constants, 1, "shape") ?? missing(layer, "shape");
      return [pick(layer, x, expandWalks(shape, broadcast(layer, shape, wanted)), limit)];
    }
    case "gather": {
      const indices = constants[1] ?? missing(layer, "indices");
      return [gather(layer, x, indices, limit)];
    }
    case "concat":
      return [concat(layer, inputs, limit)];
  }
}

function reshaped(
  layer: ViewLayer,
  from: readonly number[],
  wanted: readonly number[],
  limit: number,
): number[] {
  const size = product(from);
  const shape = wanted.map((d, i) => {
    if (d !== 0 || layer.allowzero) return d;
    return from[i] ?? fail(layer, `shape [${wanted}] copies axis ${i}, which input [${from}] does not have`);
  });
  const open = shape.indexOf(-1);
  if (open >= 0) {
    const rest = product(shape.filter((_, i) => i !== open));
    shape[open] = rest > 0 ? size / rest : -1;
  }
  if (shape.some((d) => d < 0 || !Number.isInteger(d)) || sizeOf(layer, shape, limit) !== size)
    fail(layer, `can't reshape [${from}] to [${wanted}]`);
  return shape;
}

function squeezed(layer: ViewLayer, shape: readonly number[], axes: readonly number[] | undefined): number[] {
  if (axes === undefined) return shape.filter((d) => d !== 1);
  const gone = new Set(axes.map((a) => inRange(layer, a, shape.length, shape.length)));
  for (const axis of gone)
    if (shape[axis] !== 1) fail(layer, `axis ${axis} of [${shape}] is not of size 1, so it can't be removed`);
  return shape.filter((_, i) => !gone.has(i));
}

function unsqueezed(layer: ViewLayer, shape: readonly number[], axes: readonly number[]): number[] {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((a) => inRange(layer, a, rank, rank)));
  if (added.size !== axes.length) fail(layer, `axes [${axes}] repeat an axis`);
  let next = 0;
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : shape[next++]!));
}

function transposeWalks(layer: ViewLayer, shape: readonly number[]): Walk[] {
  const perm = layer.perm ?? shape.map((_, i) => shape.length - 1 - i);
  const named = new Set(perm);
  if (perm.length !== shape.length || shape.some((_, i) => !named.has(i)))
    fail(layer, `perm [${perm}] is not a permutation of the axes of [${shape}]`);
  const stride = strides(shape);
  return perm.map((p) => straight(shape[p]!, stride[p]!));
}

function sliceWalks(
  layer: ViewLayer,
  shape: readonly number[],
  constants: readonly (Constant | undefined)[],
): Walk[] {
  const starts = integers(layer, constants, 1, "starts") ?? missing(layer, "starts");
  const ends = integers(layer, constants, 2, "ends") ?? missing(layer, "ends");
  const axes = integers(layer, constants, 3, "axes") ?? starts.map((_, i) => i);
  const steps = integers(layer, constants, 4, "steps") ?? starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    fail(layer, `starts [${starts}], ends [${ends}], axes [${axes}] and steps [${steps}] differ in length`);
  const stride = strides(shape);
  const walks = shape.map((d, i) => straight(d, stride[i]!));
  const seen = new Set<number>();
  starts.forEach((from, i) => {
    const axis = inRange(layer, axes[i]!, shape.length, shape.length);
    const [d, step, unit] = [shape[axis]!, steps[i]!, stride[axis]!];
    if (seen.has(axis)) fail(layer, `axes [${axes}] repeat an axis`);
    if (step === 0) fail(layer, "a step is 0");
    seen.add(axis);
    // Going down, the first element can be d - 1 at most and the end may lie before element 0.
    const [low, high] = step > 0 ? [0, d] : [-1, d - 1];
    const clamp = (p: number) => Math.min(Math.max(p < 0 ? p + d : p, low), high);
    const start = step > 0 ? clamp(from) : Math.max(clamp(from), 0);
    const size = d === 0 ? 0 : Math.max(0, Math.ceil((clamp(ends[i]!) - start) / step));
    walks[axis] = { size, offset: (k) => (start + k * step) * unit };
  });
  return walks;
}

function expandWalks(shape: readonly number[], wanted: readonly number[]): Walk[] {
  const stride = strides(shape);
  const added = wanted.length - shape.length;
  return wanted.map((d, i) => straight(d, i < added || shape[i - added] === 1 ? 0 : stride[i - added]!));
}

function gather<D extends ElementArray>(layer: ViewLayer, x: Elements<D>, indices: Constant, limit: number) {
  const { shape } = x;
  const axis = inRange(layer, layer.axis ?? 0, shape.length, shape.length);
  const rows = indices.data.map((i) => inRange(layer, i, shape[axis]!, shape[axis]!));
  const stride = strides(shape);
  const walks = shape.map((d, i) => straight(d, stride[i]!));
  walks[axis] = { size: rows.length, offset: (k) => rows[k]! * stride[axis]! };
  const result = pick(layer, x, walks, limit);
  return { shape: [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)], data: result.data };
}

function concat<D extends ElementArray>(
  layer: ViewLayer,
  inputs: readonly (Elements<D> | undefined)[],
  limit: number,
): Elements<D> {
  const parts = layer.inputs.map((_, i) => operand(layer, inputs, i));
  const first = parts[0]!;
  const axis = inRange(layer, layer.axis ?? missing(layer, "axis"), first.shape.length, first.shape.length);
  const shape = [...first.shape];
  for (const part of parts.slice(1)) {
    const same = part.shape.every((d, i) => i === axis || d === first.shape[i]);
    if (part.shape.length !== shape.length || !same)
      fail(layer, `can't join [${first.shape}] and [${part.shape}] along axis ${axis}`);
    shape[axis]! += part.shape[axis]!;
  }
  const data = allocate(first.data, sizeOf(layer, shape, limit));
  const blocks = product(shape.slice(0, axis));
  let to = 0;
  for (let b = 0; b < blocks; b++)
    for (const part of parts) {
      const length = part.data.length / blocks;
      for (let i = b * length; i < (b + 1) * length; i++) data[to++] = part.data[i]!;
    }
  return { shape, data };
}

function arithmetic(layer: ShapeLayer, a: Constant, b: Constant, limit: number): Constant {
  const shape = broadcast(layer, a.shape, b.shape);
  const x = pick(layer, a, expandWalks(a.shape, shape), limit).data;
  const y = pick(layer, b, expandWalks(b.shape, shape), limit).data;
  const data = x.map((u, i) => {
    const v = y[i]!;
    if (layer.op === "add") return u + v;
    if (layer.op === "sub") return u - v;
    if (layer.op === "mul") return u * v;
    if (v === 0) fail(layer, "division by zero");
    return layer.integer ? Math.trunc(u / v) : u / v;
  });
  return { shape, data };
}

/** ONNX's multidirectional broadcasting of two shapes. */
function broadcast(layer: ViewLayer | ShapeLayer, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (p !== q && p !== 1 && q !== 1) fail(layer, `shapes [${a}] and [${b}] don't fit together`);
    return p === 1 ? q : p;
  });
}

/** NumPy's broadcasting of two shapes. @throws SottoError bad-model. */
export function broadcastShape(layer: string, a: readonly number[], b: readonly number[]): number[] {
  return broadcast({ op: "expand", name: layer, inputs: [], outputs: [] }, a, b);
}

/** For each element of `to`, the element of `from` that is there when it is broadcast. @throws SottoError bad-model. */
export function broadcastTo(layer: string, from: readonly number[], to: readonly number[]): Int32Array {
  const named: ViewLayer = { op: "expand", name: layer, inputs: [], outputs: [] };
  const shape = broadcast(named, from, to);
  if (shape.join() !== to.join()) fail(named, `[${from}] can't be broadcast to [${to}]`);
  const source = { shape: [...from], data: Int32Array.from({ length: product(from) }, (_, i) => i) };
  return pick(named, source, expandWalks(from, shape), MAX_ELEMENTS).data;
}

/** Walks all axes of a result, the last one fastest, and takes the source's elements met. */
function pick<D extends ElementArray>(
  layer: ViewLayer | ShapeLayer,
  source: Elements<D>,
  walks: readonly Walk[],
  limit: number,
): Elements<D> {
  const shape = walks.map((w) => w.size);
  const size = sizeOf(layer, shape, limit);
  const data = allocate(source.data, size);
  if (size === 0) return { shape, data };
  let places = new Float64Array(1);
  for (const { size: steps, offset } of walks) {
    const offsets = Float64Array.from({ length: steps }, (_, k) => offset(k));
    const next = new Float64Array(places.length * steps);
    for (let p = 0; p < places.length; p++)
      for (let k = 0; k < steps; k++) next[p * steps + k] = places[p]! + offsets[k]!;
    places = next;
  }
  for (let i = 0; i < size; i++) data[i] = source.data[places[i]!]!;
  return { shape, data };
}

function straight(size: number, stride: number): Walk {
  return { size, offset: (i) => i * stride };
}

function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length);
  for (let i = shape.length - 1, s = 1; i >= 0; s *= shape[i]!, i--) result[i] = s;
  return result;
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** The number of elements; each size is checked too, so that no axis alone is absurd beside a 0. */
function sizeOf(layer: ViewLayer | ShapeLayer, shape: readonly number[], limit: number): number {
  const size = product(shape);
  if (shape.some((d) => !Number.isInteger(d) || d < 0)) fail(layer, `[${shape}] is not a shape`);
  if (size > limit || shape.some((d) => d > limit))
    fail(layer, `a tensor of shape [${shape}] would have more than ${limit} elements`);
  return size;
}

function allocate<D extends ElementArray>(like: D, size: number): D {
  const fresh: ElementArray = Array.isArray(like)
    ? new Array<number>(size)
    : new (like.constructor as new (n: number) => Exclude<ElementArray, number[]>)(size);
  return fresh as D;
}

/** A data operand, whose element count must be what its shape says. */
function operand<D extends ElementArray>(
  layer: ViewLayer | ShapeLayer,
  inputs: readonly (Elements<D> | undefined)[],
  position: number,
): Elements<D> {
  const x = inputs[position] ?? missing(layer, `input ${position}`);
  if (x.data.length !== product(x.shape))
    fail(
      layer,
      `input ${position} has ${x.data.length} elements, which is not what shape [${x.shape}] holds`,
    );
  return x;
}

/** A parameter: a vector (or scalar) of integers; undefined if the layer does without. */
function integers(
  layer: ViewLayer | ShapeLayer,
  constants: readonly (Constant | undefined)[],
  position: number,
  what: string,
): number[] | undefined {
  if (!layer.inputs[position]) return undefined;
  const constant = constants[position] ?? missing(layer, what);
  if (constant.shape.length > 1 || constant.data.some((v) => !Number.isInteger(v)))
    fail(layer, `${what} should be a vector of integers`);
  return [...constant.data];
}

/** An axis or index counted from either end, as its position from the front. */
function inRange(layer: ViewLayer | ShapeLayer, index: number, from: number, size: number): number {
  const position = index < 0 ? index + from : index;
  if (!Number.isInteger(position) || position < 0 || position >= size)
    fail(layer, `index or axis ${index} is out of range: there are ${from}`);
  return position;
}

function missing(layer: ViewLayer | ShapeLayer, what: string): never {
  throw new SottoError(
    "unsupported",
    `layer ${JSON.stringify(layer.name)} (${layer.op}): its ${what} is missing or depends on the model's inputs; ` +
      "only values and sizes that are known before the computation starts can be used here",
  );
}

function fail(layer: ViewLayer | ShapeLayer, message: string): never {
  throw new SottoError("bad-model", `layer ${JSON.stringify(layer.name)} (${layer.op}): ${message}`);
}
