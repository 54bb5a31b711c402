/**
 * Tensors of the network while it is walked: where each element of a private tensor lies among the
 * program's values. Views move element numbers only; a value is collected when a computation needs it.
 *
 * An affine layer computes nothing at first: its elements are numbers of their own, which refer to the elements they
 * are made from. The layer that reads them folds it into its weights, or has them computed (plan/walk/affine.ts).
 */
import { SottoError } from "../errors.js";
import type { Builder } from "../program/builder.js";
import type { SharedNode } from "../program/nodes.js";
import type { Activation } from "./description.js";
import type { Elements } from "./fold.js";
import type { FeatureAffine, Fold } from "./tensors.js";

/** Functions that the client applies to what it reconstructs. */
export type ClientFunction = { op: "activation"; activation: Activation } | GroupFunction;

/** A function of each group of `size` numbers, which are revealed one after the other. */
export interface GroupFunction {
  op: "softmax" | "logSoftmax" | "argMax";
  size: number;
  /** Which of the results, in the groups' order, each number of the output is; all in their order if left out. */
  picked?: Int32Array;
}

/** Intermediate values of a run at most, all layers and steps together. */
const MAX_NUMBERS = 2 ** 25;

/** A private tensor: element numbers of a Pool, of `shape` unless a GroupFunction is pending. */
export interface PrivateTensor extends Elements<Float64Array> {
  /** A function that is left to the client, or, if it is an activation, to the next layer. */
  pending?: ClientFunction;
}

/** A value of the program. */
export interface ValueEntry {
  kind: "value";
  first: number;
  length: number;
  /** The result of a linear map is written down when it is read: perhaps only with an affine layer in its weights. */
  node?: SharedNode;
  map?: LinearMap;
}

export interface LinearMap {
  /** Columns of the result, row after row. */
  features: number;
  /** Writes the map down, with these affine layers behind it in its weights. */
  emit: (...after: Fold[]) => SharedNode;
}

/** What an affine layer gives: element i is base[i] scale + offset. */
export interface AffineEntry {
  kind: "affine";
  first: number;
  length: number;
  name: string;
  base: Float64Array;
  at: (i: number) => FeatureAffine;
  /** Its values, once they were computed: numbers of elements. */
  computed?: Float64Array;
}

export type PoolEntry = ValueEntry | AffineEntry;

/** Elements start .. start + length - 1 of an entry. */
export interface Run<E extends PoolEntry = PoolEntry> {
  entry: E;
  start: number;
  length: number;
}

/** All values that tensors refer to, numbered one after the other. */
export class Pool {
  private readonly builder: Builder;
  private readonly entries: PoolEntry[] = [];
  private readonly collected = new WeakMap<ArrayBufferLike, Map<string, SharedNode>>();
  private size = 0;
  /** Whether there are elements of affine layers at all. */
  derived = false;

  constructor(builder: Builder) {
    this.builder = builder;
  }

  /** The tensor whose elements are the nodes' values, one after the other. */
  tensor(shape: number[], nodes: readonly SharedNode[]): PrivateTensor {
    const start = this.size;
    for (const node of nodes) this.add({ kind: "value", first: this.size, length: node.length, node });
    return { shape, data: this.numbers(start) };
  }

  /** The tensor that a linear map gives. */
  mapped(shape: number[], map: LinearMap): PrivateTensor {
    const start = this.size;
    this.add({ kind: "value", first: start, length: shape.reduce((n, d) => n * d, 1), map });
    return { shape, data: this.numbers(start) };
  }

  /** The elements of an affine layer over `base`. */
  affine(name: string, base: Float64Array, at: AffineEntry["at"]): Float64Array {
    const start = this.size;
    this.add({ kind: "affine", first: start, length: base.length, name, base, at });
    this.derived = true;
    return this.numbers(start);
  }

  /** One value holding these elements in this order; none of them an affine layer's. The same value for the same array. */
  collect(elements: Float64Array): SharedNode {
    let known = this.collected.get(elements.buffer);
    if (!known) {
      known = new Map();
      this.collected.set(elements.buffer, known);
    }
    const key = `${elements.byteOffset}/${elements.length}`;
    let node = known.get(key);
    if (!node) {
      node = this.gathered(elements);
      known.set(key, node);
    }
    return node;
  }

  /** The round after which the last of these elements is known. */
  level(elements: Float64Array): number {
    return this.runs(elements).reduce((latest, { entry, start, length }) => {
      const level =
        entry.kind === "value"
          ? this.nodeOf(entry).level
          : this.level(entry.base.subarray(start, start + length));
      return Math.max(latest, level);
    }, 0);
  }

  /** The element's entry. */
  find(element: number): PoolEntry {
    let [low, high] = [0, this.entries.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.entries[middle]!.first <= element) low = middle;
      else high = middle - 1;
    }
    return this.entries[low]!;
  }

  /** Elements as stretches of one entry each. */
  runs(elements: Float64Array): Run[] {
    const runs: Run[] = [];
    for (let i = 0; i < elements.length; ) {
      const entry = this.find(elements[i]!);
      const start = elements[i]! - entry.first;
      let length = 1;
      while (
        i + length < elements.length &&
        elements[i + length] === elements[i]! + length &&
        start + length < entry.length
      ) {
        length++;
      }
      runs.push({ entry, start, length });
      i += length;
    }
    return runs;
  }

  private gathered(elements: Float64Array): SharedNode {
    const runs = this.runs(elements) as Run<ValueEntry>[];
    if (runs.length === 0) throw new SottoError("bad-model", "a layer's input is empty");
    const distinct = [...new Set(runs.map((r) => this.nodeOf(r.entry)))];
    if (runs.length === distinct.length) {
      const aligned = this.align(distinct);
      return this.builder.concat(runs.map((r, i) => this.builder.slice(aligned[i]!, r.start, r.length)));
    }
    const all = this.builder.concat(this.align(distinct));
    const offsets = new Map<SharedNode, number>();
    let at = 0;
    for (const node of distinct) {
      offsets.set(node, at);
      at += node.length;
    }
    const index = new Int32Array(elements.length);
    let to = 0;
    for (const { entry, start, length } of runs) {
      for (let i = 0; i < length; i++) index[to++] = offsets.get(this.nodeOf(entry))! + start + i;
    }
    return this.builder.gather(all, index);
  }

  /** Values side by side must have one scale: the coarsest. Zeros have any. */
  private align(nodes: SharedNode[]): SharedNode[] {
    const others = nodes.filter((n) => n.op !== "zero");
    const scale = Math.min(...(others.length > 0 ? others : nodes).map((n) => n.scale));
    return nodes.map((n) =>
      n.op === "zero" && n.scale !== scale
        ? this.builder.zero(n.length, scale)
        : this.builder.truncate(n, scale),
    );
  }

  private nodeOf(entry: ValueEntry): SharedNode {
    entry.node ??= entry.map!.emit();
    return entry.node;
  }

  private add(entry: PoolEntry): void {
    // sizes come from clients: nothing is allocated for a network that is endless
    if (!(this.size + entry.length <= MAX_NUMBERS)) {
      throw new SottoError(
        "bad-input",
        `a run of these sizes has more than ${MAX_NUMBERS} intermediate values; split the batch or shorten the sequence`,
      );
    }
    this.entries.push(entry);
    this.size += entry.length;
  }

  private numbers(start: number): Float64Array {
    const data = new Float64Array(this.size - start);
    for (let i = 0; i < data.length; i++) data[i] = start + i;
    return data;
  }
}
