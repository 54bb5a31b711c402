/**
 * What becomes of affine layers. docs/protocol.md, "Affine layers". In this order: into the weights of the linear map that
 * reads them; into those of the one that they read; an offset alone is added to shares; else a product with a
 * diagonal matrix. All but the last cost nothing.
 */
import { SottoError } from "../../errors.js";
import { dense } from "../../nets/dense.js";
import type { SharedNode } from "../../program/nodes.js";
import { diagonalTensors, type Entry, type FeatureAffine, type Fold, offsetTensors } from "../tensors.js";
import type { AffineEntry, Pool } from "../values.js";
import type { Walk } from "./walk.js";

/** A diagonal matrix has the square of so many entries. */
const MAX_FEATURES = 2048;

/**
 * Elements [rows, features] without the affine layers that act on every row alike, and these, the last one first.
 * Others are computed.
 */
export function unfold(
  walk: Walk,
  elements: Float64Array,
  features: number,
): { elements: Float64Array; folds: Fold[] } {
  const { pool } = walk;
  if (!pool.derived) return { elements, folds: [] };
  const known = walk.unfolded.get(elements);
  if (known?.features === features) return known;
  const folds: Fold[] = [];
  let current = elements;
  for (;;) {
    const peeled = peel(pool, current, features);
    if (peeled === "plain") break;
    if (!peeled) {
      current = settle(walk, current);
      break;
    }
    folds.push(peeled.fold);
    current = peeled.base;
  }
  const result = { features, elements: current, folds };
  walk.unfolded.set(elements, result);
  return result;
}

/** The last affine layer of each feature, if it is the same in every row. */
function peel(
  pool: Pool,
  elements: Float64Array,
  features: number,
): { base: Float64Array; fold: Fold } | "plain" | undefined {
  const base = elements.slice();
  const fold: Fold = new Array<FeatureAffine | undefined>(features).fill(undefined);
  let any = false;
  for (let i = 0; i < elements.length; i++) {
    const entry = pool.find(elements[i]!);
    const j = i % features;
    let here: FeatureAffine | undefined;
    if (entry.kind === "affine") {
      const k = elements[i]! - entry.first;
      here = entry.at(k);
      base[i] = entry.base[k]!;
      any = true;
    }
    if (i < features) fold[j] = here;
    else if (!same(fold[j], here)) return undefined;
  }
  return any ? { base, fold } : "plain";
}

function same(a: FeatureAffine | undefined, b: FeatureAffine | undefined): boolean {
  return a === b || (sameEntry(a?.scale, b?.scale) && sameEntry(a?.offset, b?.offset));
}

function sameEntry(a: Entry | undefined, b: Entry | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a[0] === b[0] && a[1] === b[1]);
}

/** The same elements, those of affine layers computed. */
export function settle(walk: Walk, elements: Float64Array): Float64Array {
  const { pool } = walk;
  if (!pool.derived) return elements;
  let settled = elements;
  for (let i = 0; i < elements.length; i++) {
    const entry = pool.find(elements[i]!);
    if (entry.kind !== "affine") continue;
    // all of the layer at once, whatever is read of it: then no tensor depends on the sizes of a run
    entry.computed ??= intoProducer(pool, entry) ?? byItself(walk, entry);
    if (settled === elements) settled = elements.slice();
    settled[i] = entry.computed[elements[i]! - entry.first]!;
  }
  return settled;
}

/** The linear map whose result the layer reads, once more, with the layer in its weights. */
function intoProducer(pool: Pool, entry: AffineEntry): Float64Array | undefined {
  const source = pool.find(entry.base[0]!);
  if (source.kind !== "value" || !source.map) return undefined;
  const { features, emit } = source.map;
  const fold: Fold = new Array<FeatureAffine | undefined>(features).fill(undefined);
  const seen = new Uint8Array(features);
  for (let i = 0; i < entry.length; i++) {
    const at = entry.base[i]! - source.first;
    if (at < 0 || at >= source.length) return undefined;
    const j = at % features;
    if (!seen[j]) [fold[j], seen[j]] = [entry.at(i), 1];
    else if (!same(fold[j], entry.at(i))) return undefined;
  }
  // a second layer behind the first one goes into the weights as well
  const map = { features, emit: (...next: Fold[]) => emit(fold, ...next) };
  const { data } = pool.mapped([source.length], map);
  return entry.base.map((b) => data[b - source.first]!);
}

/** By an addition, or a product with a diagonal matrix. */
function byItself(walk: Walk, entry: AffineEntry): Float64Array {
  const { pool, builder, oracle } = walk;
  const { order, features } = periodic(entry);
  const fold: Fold = Array.from({ length: features }, (_, j) => entry.at(order[j]!));
  // with the affine layers that it reads: each by itself would round
  const base = unfold(
    walk,
    Float64Array.from(order, (i) => entry.base[i]!),
    features,
  );
  const folds = [fold, ...base.folds];
  const x = pool.collect(base.elements);
  const rows = order.length / features;
  walk.mapName(entry.name, folds);
  const label = builder.label;
  builder.label = entry.name;
  let node: SharedNode;
  if (folds.some((f) => f.some((a) => a?.scale))) {
    const { value, operand } = walk.factor(x);
    oracle.linear(entry.name, (model) => diagonalTensors(model, entry.name, folds), operand);
    node = dense(builder, entry.name, value, rows, operand.shift);
  } else {
    const scale = Math.min(x.scale, walk.precision.activation);
    oracle.vector(entry.name, (model) => offsetTensors(model, entry.name, folds), scale);
    node = builder.add(x, builder.parameter(`${entry.name}.b`, rows));
  }
  builder.label = label;
  const { data } = pool.tensor([node.length], [node]);
  const values = new Float64Array(entry.length);
  order.forEach((i, n) => {
    values[i] = data[n]!;
  });
  return values;
}

/** An order of the elements in which what is done to them repeats after as few as possible. */
function periodic(entry: AffineEntry): { order: number[]; features: number } {
  const groups = new Map<string, number[]>();
  for (let i = 0; i < entry.length; i++) {
    const { scale, offset } = entry.at(i);
    const key = `${scale}/${offset}`;
    const group = groups.get(key);
    if (group) group.push(i);
    else groups.set(key, [i]);
  }
  const list = [...groups.values()];
  const features = list.length;
  // broadcasting repeats each constant equally often
  if (features > MAX_FEATURES) {
    throw new SottoError(
      "unsupported",
      `layer ${entry.name}: its ${features} different constants can't be folded into a dense, convolutional or recurrent layer, ` +
        `and by itself a layer takes at most ${MAX_FEATURES}`,
    );
  }
  const order: number[] = [];
  for (let r = 0; r < list[0]!.length; r++) for (const group of list) order.push(group[r]!);
  return { order, features };
}
