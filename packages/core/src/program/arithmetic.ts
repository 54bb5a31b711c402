/** What is linear in shares, and products of two shared values. Values are made fresh where they have no room left. */
import type { TensorPlan } from "../plan/plan.js";
import type { SharedNode } from "./nodes.js";
import { liftable, Recorder, value, WORD } from "./recorder.js";

/** Bits of fraction of a value that is opened to be made fresh. */
const FRESH_SCALE = 28;

export class Arithmetic extends Recorder {
  /** Whether a value may be made fresh where it has no room: a round. Not in the steps of a recurrence. */
  mayLift = true;
  private readonly tensors: ReadonlyMap<string, TensorPlan>;

  constructor(tensors: ReadonlyMap<string, TensorPlan>) {
    super();
    this.tensors = tensors;
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

  private tensor(name: string): TensorPlan {
    const t = this.tensors.get(name);
    if (!t) throw this.internal(`no tensor ${name}`);
    return t;
  }
}
