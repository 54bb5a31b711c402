/**
 * How a value enters a matrix product, and how fine the weights are for it. docs/protocol.md, "Scales".
 *
 * An input is shared at a scale that gives it 18 bits over its declared range, and its weights get the rest of
 * 33 bits of fraction: whatever the range, the rounding of inputs and that of weights weigh alike. What is
 * longer, a GRU's state above all, is shifted right to the plan's operand scale when it is opened.
 */
import type { SharedValue } from "../program/nodes.js";
import type { Precision } from "./plan.js";

/** Bits of an operand that goes into products as it is. */
const DIRECT_BITS = 18;
/** A value that would have no more of them at the plan's operand scale has 18, as an input has. */
const SMALL_BITS = 10;
/** Bits of fraction of the product of such an operand. */
const DIRECT_PRODUCT_SCALE = 33;

export interface Operand {
  /** The right shift of the opened word. */
  shift: number;
  /** Bits of fraction after it. */
  scale: number;
  /** Largest |integer| after it, a place for truncation included. */
  bound: number;
  /** Bits that the product can have: the opened word's, less the shift. */
  room: number;
  /** Bits of fraction of the weights that it is multiplied with, at most. */
  weightScale: number;
}

type Value = Pick<SharedValue, "scale" | "lo" | "hi" | "room">;

/** The scale of a client's input of |x| <= range. */
export function inputScale(range: number): number {
  const scale = DIRECT_BITS - Math.ceil(Math.log2(range));
  return Math.min(DIRECT_PRODUCT_SCALE, Math.max(0, scale));
}

/** A range for which 18 bits would take a scale that there is none of, and its weights would be lost below theirs. */
export function isExtreme(range: number): boolean {
  const scale = DIRECT_BITS - Math.ceil(Math.log2(range));
  return scale < 0 || scale > DIRECT_PRODUCT_SCALE;
}

/**
 * An operand of at most 18 bits goes in as it is; a longer one is shifted right to the plan's operand scale, or
 * as far as 18 bits need where it is larger than 16 (the output of a dense layer may be) or smaller than 2^-4.
 * @param x a shared value's scale and bounds.
 */
export function operandOf(x: Value, precision: Precision): Operand {
  const most = Math.max(-x.lo, x.hi);
  if (most <= 2 ** DIRECT_BITS || x.scale <= precision.operand) {
    const weightScale = Math.max(0, DIRECT_PRODUCT_SCALE - x.scale);
    return { shift: 0, scale: x.scale, bound: most, room: x.room, weightScale };
  }
  const shifted = shiftedOperand(x, precision);
  if (shifted.bound <= 2 ** DIRECT_BITS && shifted.bound >= 2 ** SMALL_BITS) return shifted;
  const scale = Math.min(x.scale, inputScale(most / 2 ** x.scale));
  const shift = x.scale - scale;
  const bound = Math.floor(most / 2 ** shift) + 1;
  return {
    shift,
    scale,
    bound,
    room: x.room - shift,
    weightScale: Math.max(0, DIRECT_PRODUCT_SCALE - scale),
  };
}

/** The same for a value that is always shifted: a state, whose steps must all be alike. */
export function shiftedOperand(x: Value, precision: Precision): Operand {
  const shift = x.scale - precision.operand;
  const bound = Math.floor(Math.max(-x.lo, x.hi) / 2 ** shift) + 1;
  return { shift, scale: precision.operand, bound, room: x.room - shift, weightScale: precision.weight };
}
