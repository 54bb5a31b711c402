/**
 * Tensors of the network while it is walked: where each element of a private tensor lies among the
 * program's values. Views move element numbers only; a value is collected when a computation needs it.
 */
import { SottoError } from "../errors.js";
import type { Builder } from "../program/builder.js";
import type { SharedNode } from "../program/nodes.js";
import type { Activation } from "./description.js";
import type { Elements } from "./fold.js";

/** Functions that the client applies to what it reconstructs. */
export type ClientFunction =
  | { op: "activation"; activation: Activation }
  | { op: "softmax" | "logSoftmax"; axis: number };

/** A private tensor: element numbers of a Pool. */
export interface PrivateTensor extends Elements<Float64Array> {
  /** An activation that is left to the client, or to the next layer. */
  pending?: ClientFunction;
}

/** All values that tensors refer to, numbered one after the other. */
export class Pool {
  private readonly builder: Builder;
  private readonly nodes: SharedNode[] = [];
  private readonly first: number[] = [];
  private size = 0;

  constructor(builder: Builder) {
    this.builder = builder;
  }

  /** The tensor whose elements are the nodes' values, one after the other. */
  tensor(shape: number[], nodes: readonly SharedNode[]): PrivateTensor {
    const start = this.size;
    for (const node of nodes) {
      this.nodes.push(node);
      this.first.push(this.size);
      this.size += node.length;
    }
    const data = new Float64Array(this.size - start);
    for (let i = 0; i < data.length; i++) data[i] = start + i;
    return { shape, data };
  }

  /** One value holding these elements in this order. */
  collect(elements: Float64Array): SharedNode {
    const runs = this.runs(elements);
    const distinct = [...new Set(runs.map((r) => r.node))];
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
    for (const { node, start, length } of runs) {
      for (let i = 0; i < length; i++) index[to++] = offsets.get(node)! + start + i;
    }
    return this.builder.gather(all, index);
  }

  /** The round after which the last of these elements is known. */
  level(elements: Float64Array): number {
    return this.runs(elements).reduce((latest, r) => Math.max(latest, r.node.level), 0);
  }

  private runs(elements: Float64Array): { node: SharedNode; start: number; length: number }[] {
    const runs: { node: SharedNode; start: number; length: number }[] = [];
    for (let i = 0; i < elements.length; ) {
      const k = this.find(elements[i]!);
      const node = this.nodes[k]!;
      const start = elements[i]! - this.first[k]!;
      let length = 1;
      while (
        i + length < elements.length &&
        elements[i + length] === elements[i]! + length &&
        start + length < node.length
      ) {
        length++;
      }
      runs.push({ node, start, length });
      i += length;
    }
    if (runs.length === 0) throw new SottoError("bad-model", "a layer's input is empty");
    return runs;
  }

  /** Values side by side must have one scale: the coarsest. */
  private align(nodes: SharedNode[]): SharedNode[] {
    const scale = Math.min(...nodes.map((n) => n.scale));
    return nodes.map((n) => this.builder.truncate(n, scale));
  }

  private find(element: number): number {
    let [low, high] = [0, this.first.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.first[middle]! <= element) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
