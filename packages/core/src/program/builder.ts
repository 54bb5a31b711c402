/**
 * The algebra in which networks are written (nets/*.ts): each method records a node with its scale,
 * bounds and round. Nothing is computed here.
 */
import { SottoError } from "../errors.js";
import type { Profile, TensorPlan } from "../plan/plan.js";
import { type ActivationTable, nodeBitsFor } from "../plan/table.js";
import { signedBits } from "./bits.js";
import type {
  Activated,
  Looked,
  Node,
  NodeId,
  OpenNode,
  Selection,
  SharedNode,
  SharedValue,
} from "./nodes.js";

/** Integers beyond this are not exact in doubles, in which bounds and the exact interpretation compute. */
const EXACT = 2 ** 53;
const WORD = 64;
/** log2 of the nodes of a table that is looked up in one round: a server expands them all, for each element. */
const LOOKUP_BITS = 10;
/** Nodes of all elements, at most: some 0.3 s of work in one piece. Larger batches select. */
const LOOKUP_NODES = 2 ** 21;
/** Bits of fraction of a value that is opened to be made fresh. */
const FRESH_SCALE = 28;

export class Builder {
  readonly nodes: Node[] = [];
  /** The layer being recorded, for messages. */
  label = "";
  /** Whether a value may be made fresh where it has no room: a round. Not in the steps of a recurrence. */
  mayLift = true;
  private readonly tensors: ReadonlyMap<string, TensorPlan>;
  private readonly profile: Profile;
  private readonly opened = new Map<NodeId, OpenNode>();

  constructor(tensors: ReadonlyMap<string, TensorPlan>, profile: Profile) {
    this.tensors = tensors;
    this.profile = profile;
  }

  /** A client's input with |integer| <= bound. */
  input(name: string, length: number, scale: number, bound: number): SharedNode {
    return this.shared({ op: "input", name, ...value(length, 0, scale, -bound, bound) });
  }

  /** What the chunk before left, |integer| <= bound. */
  carried(name: string, length: number, scale: number, bound: number): SharedNode {
    return this.shared({ op: "carried", name, ...value(length, 0, scale, -bound, bound) });
  }

  /** A bias vector of the model, repeated `rows` times. */
  parameter(tensor: string, rows: number): SharedNode {
    const t = this.tensor(tensor);
    return this.shared({
      op: "parameter",
      tensor,
      rows,
      ...value(rows * t.cols, 0, t.scale, -t.bound, t.bound),
    });
  }

  zero(length: number, scale: number): SharedNode {
    return this.shared({ op: "zero", ...value(length, 0, scale, 0, 0) });
  }

  /**
   * x W^T for the weight matrix named, x of `rows` rows. The opened operand is shifted right by `shift` first
   * (plan/operand.ts).
   */
  linear(tensor: string, x: SharedNode, rows: number, shift: number): SharedNode {
    const t = this.tensor(tensor);
    if (x.length !== rows * t.cols)
      throw this.internal(`${tensor} takes ${t.cols} columns, not ${x.length / rows}`);
    let open = this.open(x, shift);
    // one opening carries the mask of one shift: a consumer at another scale gets an opening of its own
    if ((open.operandShift ?? shift) !== shift) open = this.liftable(x, this.opening(x), shift);
    open.operandShift = shift;
    const largest = Math.floor(Math.max(-x.lo, x.hi) / 2 ** shift) + (shift > 0 ? 1 : 0);
    const bound = t.bound * largest;
    return this.shared({
      op: "linear",
      tensor,
      x: open.id,
      shift,
      rows,
      outer: t.rows,
      inner: t.cols,
      ...value(rows * t.rows, open.level, t.scale + x.scale - shift, -bound, bound, x.room - shift),
    });
  }

  /** a + b, the coarser of the two brought to the finer one's scale. */
  add(a: SharedNode, b: SharedNode): SharedNode {
    if (a.length !== b.length) throw this.internal(`adding ${a.length} to ${b.length} elements`);
    const scale = Math.max(a.scale, b.scale);
    const shiftA = scale - a.scale;
    const shiftB = scale - b.scale;
    const [p, q] = [2 ** shiftA, 2 ** shiftB];
    return this.shared({
      op: "add",
      a: a.id,
      b: b.id,
      shiftA,
      shiftB,
      ...value(
        a.length,
        Math.max(a.level, b.level),
        scale,
        a.lo * p + b.lo * q,
        a.hi * p + b.hi * q,
        Math.min(WORD, a.room + shiftA, b.room + shiftB),
      ),
    });
  }

  /** x times a public integer, read at a scale that is `bits` finer. @param real what the factor stands for. */
  times(x: SharedNode, factor: number, bits = 0, real = factor / 2 ** bits): SharedNode {
    if (factor === 1 && bits === 0) return x;
    const y = this.roomFor(x, (v) => ({
      lo: Math.min(v.lo * factor, v.hi * factor),
      hi: Math.max(v.lo * factor, v.hi * factor),
    }));
    const [lo, hi] = [Math.min(y.lo * factor, y.hi * factor), Math.max(y.lo * factor, y.hi * factor)];
    return this.shared({
      op: "times",
      x: y.id,
      factor,
      real,
      ...value(y.length, y.level, y.scale + bits, lo, hi, y.room),
    });
  }

  /** The sum of `count` blocks of x. */
  total(x: SharedNode, count: number): SharedNode {
    if (count === 1) return x;
    const y = this.roomFor(x, (v) => ({ lo: v.lo * count, hi: v.hi * count }));
    return this.shared({
      op: "total",
      x: y.id,
      ...value(y.length / count, y.level, y.scale, y.lo * count, y.hi * count, y.room),
    });
  }

  /** x opened and shared afresh, at this scale: one round, and room for 64 bits again. */
  lift(x: SharedNode, scale: number): SharedNode {
    const shift = x.scale - scale;
    const open = this.open(x, shift);
    const unit = 2 ** shift;
    return this.shared({
      op: "lift",
      x: open.id,
      shift,
      ...value(
        x.length,
        open.level,
        scale,
        Math.floor(x.lo / unit),
        Math.floor(x.hi / unit) + (shift ? 1 : 0),
      ),
    });
  }

  /** x, or x made fresh if what is made of it could not be opened. */
  private roomFor(x: SharedNode, next: (x: SharedNode) => { lo: number; hi: number }): SharedNode {
    return !this.mayLift || liftable(next(x)) <= x.room ? x : this.lift(x, Math.min(x.scale, FRESH_SCALE));
  }

  /** The same value with bounds that the model's weights prove (plan/bounds.ts): |integer| <= bound. */
  within(x: SharedNode, bound: number): SharedNode {
    x.lo = Math.max(x.lo, -bound);
    x.hi = Math.min(x.hi, bound);
    return x;
  }

  /** x at a smaller scale; off by less than one in the last place. */
  truncate(x: SharedNode, scale: number): SharedNode {
    const shift = x.scale - scale;
    if (shift === 0) return x;
    if (shift < 0) throw this.internal(`truncating scale ${x.scale} to ${scale}`);
    const unit = 2 ** shift;
    const room = x.room - shift;
    if (this.mayLift && liftable({ lo: x.lo / unit, hi: x.hi / unit }) > room) return this.lift(x, scale);
    return this.shared({
      op: "truncate",
      x: x.id,
      shift,
      ...value(
        x.length,
        x.level,
        scale,
        Math.floor(x.lo / unit),
        Math.floor(x.hi / unit) + 1,
        x.room - shift,
      ),
    });
  }

  /** x at another scale, finer or coarser. */
  rescale(x: SharedNode, scale: number): SharedNode {
    if (scale <= x.scale) return this.truncate(x, scale);
    return this.add(x, this.zero(x.length, scale));
  }

  slice(x: SharedNode, start: number, length: number): SharedNode {
    if (start === 0 && length === x.length) return x;
    return this.shared({
      op: "slice",
      x: x.id,
      start,
      ...value(length, x.level, x.scale, x.lo, x.hi, x.room),
    });
  }

  concat(xs: SharedNode[]): SharedNode {
    const [first] = xs;
    if (!first) throw this.internal("concatenating nothing");
    if (xs.length === 1) return first;
    if (xs.some((x) => x.scale !== first.scale))
      throw this.internal("concatenating values of different scales");
    return this.shared({
      op: "concat",
      xs: xs.map((x) => x.id),
      ...value(
        xs.reduce((sum, x) => sum + x.length, 0),
        xs.reduce((latest, x) => Math.max(latest, x.level), 0),
        first.scale,
        xs.reduce((lo, x) => Math.min(lo, x.lo), first.lo),
        xs.reduce((hi, x) => Math.max(hi, x.hi), first.hi),
        xs.reduce((room, x) => Math.min(room, x.room), WORD),
      ),
    });
  }

  gather(x: SharedNode, index: Int32Array): SharedNode {
    return this.shared({
      op: "gather",
      x: x.id,
      index,
      ...value(index.length, x.level, x.scale, x.lo, x.hi, x.room),
    });
  }

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
  private liftable(x: SharedNode, open: OpenNode, shift: number): OpenNode {
    open.maxShift = Math.max(open.maxShift, shift);
    const unit = 2 ** open.maxShift;
    open.offset = Math.ceil(Math.max(0, -x.lo) / unit) * unit;
    return open;
  }

  /**
   * f(x) for a tabled function: two openings, or one in the profile for wide-area links, unless the table is large.
   * x at any scale; truncated to the table's input scale.
   */
  activation(table: ActivationTable, x: SharedNode): Activated {
    let input = this.rescale(x, table.inputScale);
    const bits = (v: SharedNode) => nodeBitsFor(table, Math.max(-v.lo, v.hi), this.label);
    if (this.mayLift && bits(input) + table.stepBits > input.room)
      input = this.rescale(this.lift(x, Math.min(x.scale, table.inputScale)), table.inputScale);
    const nodeBits = bits(input);
    // an opening of its own: its modulus must be just that of the table's index
    const open = this.opening(input, nodeBits + table.stepBits);
    const affordable = nodeBits <= LOOKUP_BITS && input.length * 2 ** nodeBits <= LOOKUP_NODES;
    if (this.profile === "wan" && affordable) return { x: open.id, table, nodeBits };
    const select = this.shared({
      op: "select",
      x: open.id,
      table,
      nodeBits,
      ...value(3 * input.length, open.level, table.outputScale, -EXACT + 1, EXACT - 1),
    });
    return { x: open.id, select: select.id, u: this.opening(select).id };
  }

  /** The activation's output as a shared value. */
  finish(y: Activated): SharedNode {
    if ("table" in y) return this.lookup(y);
    const { table } = this.selectNode(y);
    const u = this.nodes[y.u]!;
    return this.shared({
      op: "finish",
      selection: y,
      ...value(u.length / 3, u.level, table.outputScale, table.lo, table.hi),
    });
  }

  /** The activation's output times v >> shift; v is opened. Bound: |y| |v|. */
  multiply(y: Activated, v: SharedNode, scale: number): SharedNode {
    const shift = v.scale - scale;
    const open = this.open(v, shift);
    const { table } = "table" in y ? y : this.selectNode(y);
    const most =
      Math.max(-table.lo, table.hi) * (Math.floor(Math.max(-v.lo, v.hi) / 2 ** shift) + (shift ? 1 : 0));
    if ("table" in y) {
      const x = this.lookup(y, open, shift);
      const about = value(v.length, x.level, table.outputScale + scale, -most, most);
      return this.shared({ op: "scaled", x: x.id, v: open.id, shift, ...about });
    }
    const u = this.nodes[y.u]!;
    return this.shared({
      op: "multiply",
      selection: y,
      v: open.id,
      shift,
      ...value(v.length, Math.max(open.level, u.level), table.outputScale + scale, -most, most),
    });
  }

  private lookup({ x, table, nodeBits }: Looked, v?: OpenNode, shift = 0): SharedNode {
    const open = this.nodes[x]!;
    return this.shared({
      op: "lookup",
      x,
      table,
      nodeBits,
      ...(v ? { factor: { v: v.id, shift } } : {}),
      ...value(
        (v ? 3 : 1) * open.length,
        Math.max(open.level, v?.level ?? 0),
        table.outputScale,
        table.lo,
        table.hi,
      ),
    });
  }

  /** (a >> its shift) (b >> its shift), both brought to these scales when they are opened. */
  product(a: SharedNode, b: SharedNode, scaleA: number, scaleB: number): SharedNode {
    const [shiftA, shiftB] = [a.scale - scaleA, b.scale - scaleB];
    const [openA, openB] = [this.open(a, shiftA), this.open(b, shiftB)];
    const most = (x: SharedNode, shift: number) =>
      Math.floor(Math.max(-x.lo, x.hi) / 2 ** shift) + (shift > 0 ? 1 : 0);
    const bound = most(a, shiftA) * most(b, shiftB);
    return this.shared({
      op: "product",
      a: openA.id,
      b: openB.id,
      shiftA,
      shiftB,
      ...value(a.length, Math.max(openA.level, openB.level), scaleA + scaleB, -bound, bound),
    });
  }

  /**
   * z h + (1 - z) n with 0 <= z <= 1 exactly: then the result lies between h and n.
   * z shared, its scale gives the unit; h is brought to n's scale by a shift of its opening.
   */
  interpolate(z: SharedNode, h: SharedNode, n: Activated): SharedNode {
    const { table } = "table" in n ? n : this.selectNode(n);
    const unit = 2 ** z.scale;
    if (z.lo < 0 || z.hi > unit) throw this.internal(`z in [${z.lo}, ${z.hi}], not in [0, ${unit}]`);
    const hShift = h.scale - table.outputScale;
    const zOpen = this.open(z);
    const hOpen = this.open(h, hShift);
    const lo = Math.min(table.lo, Math.floor(h.lo / 2 ** hShift));
    const hi = Math.max(table.hi, Math.floor(h.hi / 2 ** hShift) + (hShift ? 1 : 0));
    if ("table" in n) {
      const x = this.lookup(n, zOpen);
      const scale = z.scale + table.outputScale;
      const most = Math.max(-table.lo, table.hi) * unit;
      const rest = this.shared({
        op: "scaled",
        x: x.id,
        v: zOpen.id,
        shift: 0,
        unit: z.scale,
        ...value(h.length, x.level, scale, -most, most),
      });
      const sum = this.add(this.product(z, h, z.scale, table.outputScale), rest);
      [sum.lo, sum.hi] = [lo * unit, hi * unit];
      return sum;
    }
    const u = this.nodes[n.u]!;
    return this.shared({
      op: "interpolate",
      z: zOpen.id,
      h: hOpen.id,
      hShift,
      n,
      unit: z.scale,
      ...value(
        h.length,
        Math.max(zOpen.level, hOpen.level, u.level),
        z.scale + table.outputScale,
        lo * unit,
        hi * unit,
      ),
    });
  }

  output(name: string, x: SharedNode): SharedNode {
    return this.shared({ op: "output", name, x: x.id, ...value(x.length, x.level, x.scale, x.lo, x.hi) });
  }

  /** Keeps x for the next chunk. */
  carry(name: string, x: SharedNode): SharedNode {
    if (x.room < WORD) throw this.internal(`${name} is carried with ${x.room} bits of ${WORD}`);
    return this.shared({ op: "carry", name, x: x.id, ...value(x.length, x.level, x.scale, x.lo, x.hi) });
  }

  private opening(x: SharedNode, exactModulus?: number): OpenNode {
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

  private selectNode(selection: Selection) {
    const node = this.nodes[selection.select]!;
    if (node.op !== "select") throw this.internal("not a selection");
    return node;
  }

  private tensor(name: string): TensorPlan {
    const t = this.tensors.get(name);
    if (!t) throw this.internal(`no tensor ${name}`);
    return t;
  }

  private shared<N extends SharedNode>(node: N): N {
    if (node.hi >= EXACT || node.lo <= -EXACT) {
      throw new SottoError(
        "does-not-fit",
        `layer ${this.label}: values up to ${real(node, Math.max(-node.lo, node.hi))} at ${node.scale} bits of fraction ` +
          "exceed 53 bits; declare a smaller input range or scale the inputs down",
      );
    }
    return this.record(node);
  }

  private record<N extends Node>(node: N): N {
    node.id = this.nodes.length;
    node.label = this.label;
    this.nodes.push(node);
    return node;
  }

  private internal(message: string): SottoError {
    return new SottoError("internal", `layer ${this.label}: ${message}`);
  }
}

function value(
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
function liftable(x: { lo: number; hi: number }): number {
  return signedBits(x.lo, x.hi) + 2;
}

/** An integer bound in the model's units, for a message. */
export function real(node: { scale: number }, bound: number): string {
  return (bound / 2 ** node.scale).toPrecision(3);
}
