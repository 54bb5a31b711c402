/** A GRU over a sequence, in one direction, of rows that need not be equally long. */
import { SottoError } from "../../errors.js";
import {
  type GruFunctions,
  type GruStep,
  gruInput,
  gruStep,
  gruTables,
  type InputProducts,
  isUnit,
  stateScale,
} from "../../nets/gru.js";
import type { SharedNode } from "../../program/nodes.js";
import { type FunctionSpec, shapeOfFunction } from "../activation.js";
import { maxSteps } from "../bounds.js";
import type { GruLayer } from "../description.js";
import type { Operand } from "../operand.js";
import type { Precision } from "../plan.js";
import { initialTensors } from "../tensors.js";
import { unfold } from "./affine.js";
import { heldState, stateName } from "./carried.js";
import { realBound, type Walk } from "./walk.js";

export function walkGru(walk: Walk, layer: GruLayer): void {
  const { builder, pool, precision } = walk;
  const x = walk.computed(layer, 0);
  const [steps, batch, inputSize] = x.shape;
  if (steps === undefined || batch === undefined || inputSize === undefined || x.shape.length !== 3) {
    throw new SottoError(
      "bad-model",
      `layer ${layer.name}: input of shape [${x.shape}], expected [time, batch, features]`,
    );
  }
  const H = layer.hidden;
  const tooLong = (most: number) =>
    new SottoError(
      "bad-input",
      `layer ${layer.name}: ${steps} time steps; with states up to ${gruFunctions(layer).state} at most ${most} are proven safe` +
        (layer.stateBound === undefined ? "" : "; declare a smaller --state-bound"),
    );
  // no table is finer: the number comes from a client, and nothing is made for each step before it is known to be possible
  const longest = Math.floor(maxSteps(precision.activation, precision.operand));
  if (steps > longest) throw tooLong(longest);
  const spans = walk.spans(layer, 2, steps, batch);
  /** The rows that take part in each step. */
  const active = Array.from({ length: steps }, (_, t) =>
    spans.flatMap(([start, end], b) => (t >= start && t < end ? [b] : [])),
  );
  const order = active.flatMap((rows, t) => (rows.length > 0 ? [t] : []));
  if (layer.reverse) order.reverse();
  const [earliest] = order;
  if (earliest === undefined) {
    nothing(walk, layer, steps, batch);
    return;
  }

  const folded = unfold(walk, x.data, inputSize);
  const rowsOf = (t: number) =>
    pick(folded.elements.subarray(t * batch * inputSize, (t + 1) * batch * inputSize), active[t]!, batch);
  const everything =
    order.every((t) => active[t]!.length === batch) && order.length === steps
      ? folded.elements
      : joined(active.map((_, t) => rowsOf(t)));
  const together = pool.level(rowsOf(earliest)) === pool.level(everything);
  const parts = together ? [everything] : order.map(rowsOf);
  const factors = parts.map((elements) => walk.factor(pool.collect(elements)));

  walk.mapName(layer.name, folded.folds);
  const functions = gruFunctions(layer);
  const held = walk.states?.of(layer.name);
  const initial = held ? undefined : initialState(walk, layer, batch);
  const operand = common(factors.map((f) => f.operand));
  const bounds = walk.oracle.gruBounds(
    layer,
    folded.folds,
    functions,
    operand,
    stateOperand(functions, held?.start ?? (initial ? realBound(initial) : 0), precision),
  );
  const tables = gruTables(functions, bounds, precision);
  const most = Math.floor(maxSteps(tables.state?.outputScale ?? tables.n.outputScale, precision.operand));
  if (steps > most) throw tooLong(most);
  const gru: GruStep = { name: layer.name, resetAfter: layer.resetAfter, precision, bounds, tables };
  const scale = stateScale(tables, precision);
  // the same for every number of steps, so that the layers behind are, too
  const reach = Math.max(functions.state, held?.start ?? (initial ? realBound(initial) : 0));
  const largest = Math.ceil(reach * 2 ** scale) + 2 ** (scale - precision.operand - 1);
  const first = held
    ? heldState(builder, held, { length: batch * H, scale, reach, largest })
    : initial
      ? builder.rescale(initial, scale)
      : builder.zero(batch * H, scale);
  walk.states?.begins(layer.name, {
    start: initial ? realBound(initial) : 0,
    most: tables.state ? Infinity : most,
  });
  let h = pool.tensor([batch, H], [first]).data;

  builder.mayLift = false;
  const inputOf = ({ value }: { value: SharedNode }) =>
    gruInput(builder, gru, value, value.length / inputSize, value.scale - operand.scale);
  const products = together ? inputOf(factors[0]!) : undefined;
  const starts = offsets(active.map((rows) => rows.length * H));
  const zero = pool.tensor([batch, H], [builder.zero(batch * H, scale)]).data;
  /** What Y has of each row where nothing is computed. */
  let idle = zero;
  const sequence = new Array<Float64Array>(steps).fill(zero);
  for (const [i, t] of order.entries()) {
    const rows = active[t]!;
    const length = rows.length * H;
    const part = (n: SharedNode) => builder.slice(n, starts[t]!, length);
    const input: InputProducts = products
      ? { z: part(products.z), r: part(products.r), n: part(products.n) }
      : inputOf(factors[i]!);
    const state = pool.collect(pick(h, rows, batch));
    const next = gruStep(builder, gru, input, state, rows.length);
    // a step adds one place at most, and all steps together (maxSteps) no more than `largest` has room for
    if (Math.max(-next.lo, next.hi) > largest + 2 ** precision.gate)
      throw new SottoError(
        "internal",
        `layer ${layer.name}: its state may exceed the bound that was assumed`,
      );
    [next.lo, next.hi] = [-largest, largest];
    const elements = pool.tensor([rows.length, H], [next]).data;
    h = placed(h, elements, rows, batch);
    sequence[t] = placed(idle, elements, rows, batch);
    if (layer.padding === "carry") idle = sequence[t];
  }
  builder.mayLift = true;
  if (walk.states) builder.carry(stateName(layer.name), pool.collect(h));
  if (layer.padding === "carry") carry(sequence, active, zero, layer.reverse ?? false);
  const [Y, last] = layer.outputs;
  if (Y) walk.tensors.set(Y, { shape: [steps, 1, batch, H], data: joined(sequence) });
  if (layer.padding !== "carry") {
    const empty = spans.flatMap(([start, end], b) => (start < end ? [] : [b]));
    h = placed(h, pick(zero, empty, batch), empty, batch);
  }
  if (last) walk.tensors.set(last, { shape: [1, batch, H], data: h });
}

/** All sequences are empty: the states are those before the first step (Keras), or zero (ONNX Runtime). */
function nothing(walk: Walk, layer: GruLayer, steps: number, batch: number): void {
  const { builder, pool } = walk;
  const size = batch * layer.hidden;
  const zeros = (n: number) => builder.zero(n, INITIAL_SCALE);
  const initial = (layer.padding === "carry" && initialState(walk, layer, batch)) || zeros(size);
  const [Y, last] = layer.outputs;
  if (Y) walk.tensors.set(Y, pool.tensor([steps, 1, batch, layer.hidden], [zeros(steps * size)]));
  if (last) walk.tensors.set(last, pool.tensor([1, batch, layer.hidden], [initial]));
}

/** The layer's functions; the candidate limited to the state's bound where it has none by itself. */
export function gruFunctions(layer: GruLayer): GruFunctions {
  const { clip, stateBound } = layer;
  const withClip = (spec: FunctionSpec) => (clip === undefined ? spec : { ...spec, clip });
  const gate = withClip(layer.gate ?? { name: "sigmoid" });
  const candidate = withClip(layer.candidate ?? { name: "tanh" });
  const { range } = shapeOfFunction(candidate);
  const unit = isUnit(gate);
  if (unit && range) {
    return { gate, candidate, state: Math.max(-range[0], range[1]), clipped: false };
  }
  if (stateBound === undefined || !(stateBound > 0)) {
    const why = unit
      ? `its candidate ${candidate.name} is not bounded`
      : `its gates, ${gate.name}, are not within 0 and 1`;
    throw new SottoError(
      "does-not-fit",
      `layer ${layer.name}: ${why}, so nothing bounds its state. Give a bound that it keeps (--state-bound B: a state ` +
        "outside [-B, B] is clipped), export with a clip, or train with tanh and sigmoid",
    );
  }
  return { gate, candidate: { ...candidate, limit: stateBound }, state: stateBound, clipped: !unit };
}

function initialState(walk: Walk, layer: GruLayer, batch: number): SharedNode | undefined {
  const { builder, oracle } = walk;
  if (layer.inputs[1]) {
    const t = walk.computed(layer, 1);
    if (t.data.length !== batch * layer.hidden)
      throw new SottoError(
        "bad-model",
        `layer ${layer.name}: initial state of shape [${t.shape}], expected [1, ${batch}, ${layer.hidden}]`,
      );
    return walk.collect(t.data);
  }
  if (!layer.initial) return undefined;
  oracle.vector(layer.name, (model) => initialTensors(model, layer), INITIAL_SCALE);
  const { cols } = oracle.tensor(`${layer.name}.h0`);
  const rows = (batch * layer.hidden) / cols;
  if (!Number.isInteger(rows) || (rows !== batch && rows !== 1)) {
    throw new SottoError(
      "bad-input",
      `layer ${layer.name}: its initial state is for a batch of ${cols / layer.hidden}, not ${batch}`,
    );
  }
  return builder.parameter(`${layer.name}.h0`, rows);
}

const WORD = 64;
/** One scale and one bound for the parts of an input that come one after the other: the coarsest, the largest. */
function common(operands: readonly Operand[]): Operand {
  const coarsest = operands.reduce((a, b) => (b.scale < a.scale ? b : a));
  const { scale } = coarsest;
  const bound = operands.reduce((most, o) => {
    const shift = o.scale - scale;
    return Math.max(most, shift > 0 ? Math.floor(o.bound / 2 ** shift) + 1 : o.bound);
  }, 0);
  const alike = operands.filter((o) => o.scale === scale).map((o) => o.weightScale);
  return { ...coarsest, bound, weightScale: Math.min(...alike) };
}

/** A state's own scale may be more than 40 bits; its start needs no more than these. */
const INITIAL_SCALE = 28;

/** The state as operand of products: the larger of its bound and that of its start. @param initial |start| at most. */
function stateOperand(f: GruFunctions, initial: number, { operand, weight }: Precision): Operand {
  const start = initial > 0 ? Math.floor(initial * 2 ** operand) + 1 : 0;
  const bound = Math.max(Math.ceil(f.state * 2 ** operand), start);
  return { shift: 0, scale: operand, bound, room: WORD - operand, weightScale: weight };
}

/** Keras: a step of padding has the output of the step before it; before the first one it is zero. */
function carry(sequence: Float64Array[], active: number[][], zero: Float64Array, reverse: boolean): void {
  let last = zero;
  const times = active.map((_, t) => t);
  for (const t of reverse ? times.reverse() : times) {
    if (active[t]!.length === 0) sequence[t] = last;
    last = sequence[t]!;
  }
}

/** Some rows of elements [batch, width]. */
function pick(elements: Float64Array, rows: readonly number[], batch: number): Float64Array {
  if (rows.length === batch) return elements;
  const width = elements.length / batch;
  return joined(rows.map((b) => elements.subarray(b * width, (b + 1) * width)));
}

/** Elements [batch, width] with some rows replaced. */
function placed(
  elements: Float64Array,
  rows: Float64Array,
  places: readonly number[],
  batch: number,
): Float64Array {
  if (places.length === batch) return rows;
  const width = elements.length / batch;
  const out = elements.slice();
  places.forEach((b, i) => {
    out.set(rows.subarray(i * width, (i + 1) * width), b * width);
  });
  return out;
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function offsets(lengths: readonly number[]): number[] {
  let at = 0;
  return lengths.map((n) => {
    at += n;
    return at - n;
  });
}
