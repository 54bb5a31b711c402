/**
 * A private computation as data: the network is walked once, which records these nodes, and every
 * interpretation (clear, exact, cost, dealer, server) runs over the same list.
 *
 * Three kinds of value:
 * - *shared*: additive shares of integers mod 2^modulus, at a scale, with proven bounds lo..hi;
 * - *opened*: the same value plus `offset`, masked by a fresh uniform m, known to both servers;
 * - a *selection*: the pair of openings from which a table's value follows (ops/selection.ts).
 */
import type { ActivationTable } from "../plan/table.js";

/** Position in the program. */
export type NodeId = number;

interface NodeBase {
  id: NodeId;
  /** Number of elements. */
  length: number;
  /** The round after which the value can be computed; an `open` takes part in the round of this number. */
  level: number;
  /** The layer it belongs to, for messages and for the plan's table. */
  label: string;
  /** log2 of the modulus of the words; set from what consumers need (program.ts). 0: not yet known. */
  modulus: number;
}

/** Additive shares of integers: value = integer / 2^scale, lo <= integer <= hi. */
export interface SharedValue extends NodeBase {
  scale: number;
  lo: number;
  hi: number;
  /** log2 of the largest modulus that a consumer can ask for: 64, less what was truncated since it was last fresh. */
  room: number;
}

/** The client's share of an input. */
export interface InputNode extends SharedValue {
  op: "input";
  name: string;
}
/** What the chunk before left (plan/stream.ts): the servers hold its shares, mod 2^64. */
export interface CarriedNode extends SharedValue {
  op: "carried";
  name: string;
}
/** The model owner's share of a vector (a bias), repeated `rows` times. */
export interface ParameterNode extends SharedValue {
  op: "parameter";
  tensor: string;
  rows: number;
}
/** A public constant zero (an initial state). */
export interface ZeroNode extends SharedValue {
  op: "zero";
}
/** W x for a weight matrix W [outer, inner] and an opened x [rows, inner], shifted right by `shift`. */
export interface LinearNode extends SharedValue {
  op: "linear";
  tensor: string;
  x: NodeId;
  shift: number;
  rows: number;
  outer: number;
  inner: number;
}
/** a 2^shiftA + b 2^shiftB. */
export interface AddNode extends SharedValue {
  op: "add";
  a: NodeId;
  b: NodeId;
  shiftA: number;
  shiftB: number;
}
/** x times a public integer. */
export interface TimesNode extends SharedValue {
  op: "times";
  x: NodeId;
  factor: number;
  /** What the factor stands for, in the units of the model. */
  real: number;
}
/** The sum of x's blocks: element i is x[i] + x[i + length] + x[i + 2 length] + ... */
export interface TotalNode extends SharedValue {
  op: "total";
  x: NodeId;
}
/** floor(x / 2^shift), or one more: truncate-reduce. */
export interface TruncateNode extends SharedValue {
  op: "truncate";
  x: NodeId;
  shift: number;
}
/** Elements start .. start + length - 1. */
export interface SliceNode extends SharedValue {
  op: "slice";
  x: NodeId;
  start: number;
}
/** The values one after the other. */
export interface ConcatNode extends SharedValue {
  op: "concat";
  xs: NodeId[];
}
/** Elements by a public index. */
export interface GatherNode extends SharedValue {
  op: "gather";
  x: NodeId;
  index: Int32Array;
}
/** x + offset + m mod 2^modulus, sent by both servers. */
export interface OpenNode extends NodeBase {
  op: "open";
  x: NodeId;
  /** Added so that the opened integer is not negative; a multiple of 2^maxShift. */
  offset: number;
  /** The largest right shift a consumer applies. */
  maxShift: number;
  /** The modulus is just this (selection inputs), and no lift is made from it. */
  exactModulus?: number;
  /** The right shift under which the opened word enters matrix products, if it does. */
  operandShift?: number;
  /** log2 of the modulus of those products; set with the moduli. */
  operandModulus: number;
}
/** The servers' sums over a table's nodes: three planes u_0, u_1, u_2 of the selected coefficients times sigma. */
export interface SelectNode extends SharedValue {
  op: "select";
  x: NodeId;
  table: ActivationTable;
  /** log2 of the number of nodes N. */
  nodeBits: number;
}
/** The selected value itself: y. */
export interface FinishNode extends SharedValue {
  op: "finish";
  selection: Selection;
}
/** A selected value times an opened one: y * (v >> shift). */
export interface MultiplyNode extends SharedValue {
  op: "multiply";
  selection: Selection;
  v: NodeId;
  shift: number;
}
/**
 * A table's value in the round in which its input is opened: shares of y, and with a factor of y m and y msb(m) as well,
 * m being the mask of v >> shift (ops/lookup.ts): one plane or three.
 */
export interface LookupNode extends SharedValue {
  op: "lookup";
  x: NodeId;
  table: ActivationTable;
  /** log2 of the number of nodes N. */
  nodeBits: number;
  factor?: { v: NodeId; shift: number };
}
/** A looked-up value times its factor: y (v >> shift); or y (2^unit - (v >> shift)). */
export interface ScaledNode extends SharedValue {
  op: "scaled";
  x: NodeId;
  v: NodeId;
  shift: number;
  unit?: number;
}
/** An opened value, shifted right, as fresh shares. */
export interface LiftNode extends SharedValue {
  op: "lift";
  x: NodeId;
  shift: number;
}
/** (a >> shiftA) * (b >> shiftB) of two opened values. */
export interface ProductNode extends SharedValue {
  op: "product";
  a: NodeId;
  b: NodeId;
  shiftA: number;
  shiftB: number;
}
/** z h + (1 - z) n: z and h opened, n selected; z at scale `unit` (1 is 2^unit). */
export interface InterpolateNode extends SharedValue {
  op: "interpolate";
  z: NodeId;
  h: NodeId;
  hShift: number;
  n: Selection;
  unit: number;
}
/** What the client gets, in the order of the plan's outputs. */
export interface OutputNode extends SharedValue {
  op: "output";
  name: string;
  x: NodeId;
}

/** What the next chunk gets: the servers keep its shares, mod 2^64, and send them to nobody. */
export interface CarryNode extends SharedValue {
  op: "carry";
  name: string;
  x: NodeId;
}

/** An activation's output before it is used: selected in a round of its own, or looked up where it is used. */
export type Activated = Selection | Looked;

/** The opened input of a table that is looked up in one round. */
export interface Looked {
  /** The `open` of the table's input, mod 2^(nodeBits + s). */
  x: NodeId;
  table: ActivationTable;
  nodeBits: number;
}

/** The opened input x and the opened coefficients u. */
export interface Selection {
  /** The `open` of the table's input, mod 2^(nodeBits + s). */
  x: NodeId;
  /** The `select` node. */
  select: NodeId;
  /** The `open` of the selected coefficients, three planes. */
  u: NodeId;
}

export type SharedNode =
  | InputNode
  | CarriedNode
  | ParameterNode
  | ZeroNode
  | LinearNode
  | AddNode
  | TimesNode
  | TotalNode
  | TruncateNode
  | SliceNode
  | ConcatNode
  | GatherNode
  | SelectNode
  | FinishNode
  | MultiplyNode
  | LookupNode
  | ScaledNode
  | LiftNode
  | ProductNode
  | InterpolateNode
  | OutputNode
  | CarryNode;

export type Node = SharedNode | OpenNode;

/** The nodes whose values a node reads. */
export function operands(node: Node): NodeId[] {
  switch (node.op) {
    case "input":
    case "carried":
    case "parameter":
    case "zero":
      return [];
    case "add":
    case "product":
      return [node.a, node.b];
    case "concat":
      return node.xs;
    case "finish":
      return selectionOperands(node.selection);
    case "lookup":
      return node.factor ? [node.x, node.factor.v] : [node.x];
    case "scaled":
      return [node.x, node.v];
    case "multiply":
      return [...selectionOperands(node.selection), node.v];
    case "interpolate":
      return [node.z, node.h, ...selectionOperands(node.n)];
    default:
      return [node.x];
  }
}

function selectionOperands(s: Selection): NodeId[] {
  return [s.x, s.select, s.u];
}
