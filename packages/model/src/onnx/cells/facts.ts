/** What is known of values before any is converted: shapes, small integers, tensors of one number, producers. */
import type { ModelInput } from "@sotto/core";
import type { Context } from "../context.js";
import type { Node } from "../graph.js";
import { fillOf } from "../values.js";
import { infer } from "./infer.js";

/** A size of an axis, or an integer; undefined where it is not known. */
export type Size = number | undefined;

export interface Fact {
  /** undefined: not even the number of axes is known. */
  shape?: Size[] | undefined;
  /** The elements of a scalar or vector of integers. */
  ints?: Size[] | undefined;
  /** All elements are this number. */
  fill?: number | undefined;
  node?: Node;
  /** Which of the node's outputs it is. */
  position?: number;
  /** A value depends only on values of lower order. */
  order: number;
}

/** Longer vectors of integers than this are no shapes. */
const MOST_INTEGERS = 1024;
const GIVEN: Fact = { order: -1 };

/** A damaged file may count to sizes that nothing has. */
function possible(size: Size): Size {
  return size !== undefined && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

export class Facts {
  private readonly facts = new Map<string, Fact>();
  private next = 0;

  constructor(private readonly ctx: Context) {}

  get(name: string): Fact {
    const known = this.facts.get(name);
    if (known) return known;
    const value = this.ctx.find(name);
    if (value?.kind !== "constant") return GIVEN;
    const fill = fillOf(value);
    const fact: Fact = { shape: value.shape, fill: typeof fill === "number" ? fill : undefined, order: -1 };
    const { data } = value;
    if (value.type === "integer" && data.length <= MOST_INTEGERS && value.shape.length <= 1)
      fact.ints = Array.from(data);
    this.facts.set(name, fact);
    return fact;
  }

  input({ name, shape }: ModelInput): void {
    this.given(
      name,
      shape.map((d) => (typeof d === "number" ? d : undefined)),
    );
  }

  /** A value that no node computes. */
  given(name: string, shape: Size[] | undefined): void {
    this.facts.set(name, { shape, order: this.next++ });
  }

  /** Nodes come in order: what a node reads has been added before. */
  add(node: Node): void {
    const found = infer(node, (name) => this.get(name));
    const order = this.next++;
    node.outputs.forEach((name, position) => {
      const shape = found[position]?.shape?.map(possible);
      if (name) this.facts.set(name, { ...found[position], shape, node, position, order });
    });
  }

  /** The value that a name stands for, past nodes that change nothing. */
  resolve(name: string): string {
    let current = name;
    for (;;) {
      const { node, position } = this.get(current);
      if (!node || position !== 0) return current;
      const drops = node.opType === "Dropout" && !node.inputs[2];
      if (node.opType !== "Identity" && !drops) return current;
      current = node.inputs[0] ?? "";
    }
  }

  /** Whether one of `targets` is among the values that `name` is computed from; exact. */
  dependsOn(name: string, targets: ReadonlySet<string>, lowest: number, seen = new Set<string>()): boolean {
    const open = [name];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      if (targets.has(value)) return true;
      if (value === "" || seen.has(value)) continue;
      seen.add(value);
      const { node, order } = this.get(value);
      if (node && order > lowest) open.push(...node.inputs);
    }
    return false;
  }
}
