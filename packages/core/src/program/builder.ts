/**
 * The algebra in which networks are written (nets/*.ts): each method records a node with its scale,
 * bounds and round. Nothing is computed here. What is here: what comes in and goes out, and tabled functions.
 */
import type { Profile, TensorPlan } from "../plan/plan.js";
import { type ActivationTable, nodeBitsFor } from "../plan/table.js";
import { Arithmetic } from "./arithmetic.js";
import type { Activated, Looked, OpenNode, Selection, SharedNode } from "./nodes.js";
import { EXACT, value, WORD } from "./recorder.js";

/** log2 of the nodes of a table that is looked up in one round: a server expands them all, for each element. */
const LOOKUP_BITS = 10;
/** Nodes of all elements, at most: some 0.3 s of work in one piece. Larger batches select. */
const LOOKUP_NODES = 2 ** 21;

export class Builder extends Arithmetic {
  private readonly profile: Profile;

  constructor(tensors: ReadonlyMap<string, TensorPlan>, profile: Profile) {
    super(tensors);
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

  output(name: string, x: SharedNode): SharedNode {
    return this.shared({ op: "output", name, x: x.id, ...value(x.length, x.level, x.scale, x.lo, x.hi) });
  }

  /** Keeps x for the next chunk. */
  carry(name: string, x: SharedNode): SharedNode {
    if (x.room < WORD) throw this.internal(`${name} is carried with ${x.room} bits of ${WORD}`);
    return this.shared({ op: "carry", name, x: x.id, ...value(x.length, x.level, x.scale, x.lo, x.hi) });
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

  private selectNode(selection: Selection) {
    const node = this.nodes[selection.select]!;
    if (node.op !== "select") throw this.internal("not a selection");
    return node;
  }
}
