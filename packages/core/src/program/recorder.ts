/** Records nodes with their scales, bounds and rounds; opens values. Nothing is computed here. */
import { SottoError } from "../errors.js";
import { signedBits } from "./bits.js";
import type { Node, NodeId, OpenNode, SharedNode, SharedValue } from "./nodes.js";

/** Integers beyond this are not exact in doubles, in which bounds and the exact interpretation compute. */
export const EXACT = 2 ** 53;
export const WORD = 64;

export class Recorder {
  readonly nodes: Node[] = [];
  /** The layer being recorded, for messages. */
  label = "";
  private readonly opened = new Map<NodeId, OpenNode>();

  /** Opens x under a fresh mask, once however many consumers ask. `shift`: what the consumer shifts by. */
  open(x: SharedNode, shift = 0): OpenNode {
    let open = this.opened.get(x.id);
    if (!open) {
      open = this.opening(x);
      this.opened.set(x.id, open);
    }
    return this.liftable(x, open, shift);
  }

  /** Makes room for a right shift of the opened word. */
  protected liftable(x: SharedNode, open: OpenNode, shift: number): OpenNode {
    open.maxShift = Math.max(open.maxShift, shift);
    const unit = 2 ** open.maxShift;
    open.offset = Math.ceil(Math.max(0, -x.lo) / unit) * unit;
    return open;
  }

  protected opening(x: SharedNode, exactModulus?: number): OpenNode {
    return this.record({
      op: "open",
      x: x.id,
      offset: 0,
      maxShift: 0,
      exactModulus,
      operandModulus: 0,
      id: 0,
      length: x.length,
      level: x.level + 1,
      label: this.label,
      modulus: 0,
    });
  }

  protected shared<N extends SharedNode>(node: N): N {
    if (node.hi >= EXACT || node.lo <= -EXACT) {
      throw new SottoError(
        "does-not-fit",
        `layer ${this.label}: values up to ${real(node, Math.max(-node.lo, node.hi))} at ${node.scale} bits of fraction ` +
          "exceed 53 bits; declare a smaller input range or scale the inputs down",
      );
    }
    return this.record(node);
  }

  protected record<N extends Node>(node: N): N {
    node.id = this.nodes.length;
    node.label = this.label;
    this.nodes.push(node);
    return node;
  }

  protected internal(message: string): SottoError {
    return new SottoError("internal", `layer ${this.label}: ${message}`);
  }
}

export function value(
  length: number,
  level: number,
  scale: number,
  lo: number,
  hi: number,
  room = WORD,
): SharedValue {
  return { id: 0, length, level, label: "", modulus: 0, scale, lo, hi, room };
}

/** Bits of a modulus in which a value can be opened and lifted. */
export function liftable(x: { lo: number; hi: number }): number {
  return signedBits(x.lo, x.hi) + 2;
}

/** An integer bound in the model's units, for a message. */
export function real(node: { scale: number }, bound: number): string {
  return (bound / 2 ** node.scale).toPrecision(3);
}
