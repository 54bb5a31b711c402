/**
 * Values as sums of matrix products: sum of M x over values x, plus a bias; some terms times a gate. Gemm, MatMul
 * and Add, products with constants, concatenated operands, and parts by Split or Slice all become the same form.
 */
import type { Context } from "../context.js";
import type { Node } from "../graph.js";
import type { Facts, Size } from "./facts.js";
import type { Matrices, Matrix } from "./matrices.js";
import { axisOf } from "./parameters.js";
import { lastRange, sparesLast } from "./views.js";

/** The bias's `base`, and that of all values which are zero. */
export const ONE = "1";
export const ZERO = "0";

export interface Term {
  /** The value that is multiplied; ONE (and a matrix of one column) for a bias. */
  base: string;
  /** [rows, columns of base]; undefined: the identity, of a size not known here. */
  matrix: Matrix | undefined;
  /** A factor of the whole term, elementwise. */
  gate?: string;
}

export type Affine = Term[];

/** More terms than a cell with several inputs has. */
const MOST_TERMS = 12;

/** How ONE and ZERO are kept apart from values of those names. */
const valueBase = (name: string) => `value ${name}`;
export const nameOf = (base: string): string | undefined =>
  base.startsWith("value ") ? base.slice(6) : undefined;

export interface AffineHelp {
  /** Whether a value may be a gate: a sigmoid, or one minus it. */
  isGate: (name: string) => boolean;
  /** The same view (of axes other than the last) of another value. @returns its name. */
  viewOf: (view: Node, position: number, of: string) => string;
}

export class Affines {
  private readonly known = new Map<string, Affine>();

  constructor(
    private readonly ctx: Context,
    private readonly facts: Facts,
    private readonly matrices: Matrices,
    private readonly help: AffineHelp,
  ) {}

  get(name: string): Affine {
    const value = this.facts.resolve(name);
    return this.known.get(value) ?? [{ base: this.base(value), matrix: undefined }];
  }

  seal(name: string): void {
    this.known.delete(name);
  }

  add(node: Node): void {
    node.outputs.forEach((output, position) => {
      const found = this.of(node, position);
      if (output && found && found.length <= MOST_TERMS) this.known.set(output, found);
    });
  }

  private base(name: string): string {
    return this.facts.get(name).fill === 0 ? ZERO : valueBase(name);
  }

  private of(node: Node, position: number): Affine | undefined {
    const [a, b] = [node.inputs[0] ?? "", node.inputs[1] ?? ""];
    switch (node.opType) {
      case "MatMul":
        return this.product(a, b, false);
      case "Gemm":
        return this.gemm(node);
      case "Add":
        return this.sum(a, b, 1);
      case "Sub":
        return this.sum(a, b, -1);
      case "Neg":
        return this.scaled(this.get(a), -1);
      case "Mul":
        return this.times(a, b) ?? this.times(b, a);
      case "Slice":
      case "Split":
      case "Gather":
      case "Squeeze":
      case "Unsqueeze":
      case "Transpose":
        return this.part(node, position) ?? this.view(node, position);
    }
    return undefined;
  }

  /** x W, or x W^T. */
  private product(x: string, w: string, transB: boolean): Affine | undefined {
    const value = this.ctx.find(w);
    if (value?.kind !== "constant" || value.type !== "float" || value.shape.length !== 2) return undefined;
    const [p, q] = value.shape as [number, number];
    const [inputs, outputs] = transB ? [q, p] : [p, q];
    if (inputs === 0 || outputs === 0) return undefined;
    const matrix = this.matrices.constant(value.name, value.data, outputs, inputs, !transB);
    return this.applied(matrix, this.facts.resolve(x));
  }

  /** Of concatenated values each gets the columns that are its own. */
  private applied(matrix: Matrix, x: string): Affine | undefined {
    const { node, shape } = this.facts.get(x);
    const axis = shape && node?.opType === "Concat" ? node.attributes.integer("axis") : undefined;
    if (!node || axis === undefined || axisOf(axis, shape!.length) !== shape!.length - 1)
      return [{ base: this.base(x), matrix }];
    const widths = node.inputs.map((name) => this.facts.get(name).shape?.at(-1));
    const open = widths.filter((w) => w === undefined).length;
    const sum = widths.reduce<number>((s, w) => s + (w ?? 0), 0);
    const rest = matrix.columns - sum;
    if (open > 1 || (open === 0 && rest !== 0) || (open === 1 && rest < 1))
      return [{ base: this.base(x), matrix }];
    let from = 0;
    const terms: Affine = [];
    for (const [i, name] of node.inputs.entries()) {
      const to = from + (widths[i] ?? rest);
      terms.push({
        base: this.base(this.facts.resolve(name)),
        matrix: this.matrices.columns(matrix, from, to),
      });
      from = to;
    }
    return this.gathered(terms);
  }

  private gemm(node: Node): Affine | undefined {
    const { attributes, inputs } = node;
    if (attributes.integer("transA")) return undefined;
    const product = this.product(inputs[0] ?? "", inputs[1] ?? "", !!attributes.integer("transB"));
    const scaled = product && this.scaled(product, attributes.float("alpha") ?? 1);
    if (!scaled || !inputs[2]) return scaled;
    const bias = this.column(inputs[2], scaled[0]!.matrix?.rows);
    if (!bias) return undefined;
    return this.gathered([
      ...scaled,
      { base: ONE, matrix: this.matrices.scale(bias, attributes.float("beta") ?? 1) },
    ]);
  }

  private sum(a: string, b: string, sign: 1 | -1): Affine | undefined {
    const [p, q] = [this.operand(a, b), this.operand(b, a)];
    const other = q && this.scaled(q, sign);
    return p && other && this.gathered([...p, ...other]);
  }

  /** A constant as a bias, anything else as it is. */
  private operand(name: string, beside: string): Affine | undefined {
    if (!this.isConstant(name)) return this.get(name);
    const rows = this.get(beside).find((t) => t.matrix)?.matrix?.rows;
    const column = this.column(name, rows);
    return column && [{ base: ONE, matrix: column }];
  }

  private isConstant(name: string): boolean {
    return this.facts.get(name).fill !== undefined || this.ctx.find(name)?.kind === "constant";
  }

  /** A constant that is added to every row of a batch, as a column. */
  private column(name: string, rows: number | undefined): Matrix | undefined {
    const { fill, shape } = this.facts.get(name);
    const width = rows ?? shape?.at(-1);
    if (width === undefined || !shape || shape.length > 2) return undefined;
    const last = shape.at(-1) ?? 1;
    if (fill !== undefined)
      return last === 1 || last === width || last === undefined
        ? this.matrices.fill(width, 1, fill)
        : undefined;
    const value = this.ctx.find(name);
    if (value?.kind !== "constant" || value.type !== "float" || last !== width) return undefined;
    for (let i = width; i < value.data.length; i++)
      if (value.data[i] !== value.data[i % width]) return undefined;
    return this.matrices.constant(value.name, value.data, width, 1, false);
  }

  private scaled(x: Affine, factor: number): Affine | undefined {
    if (factor === 1) return x;
    if (x.some((t) => !t.matrix)) return undefined;
    return x.map((t) => ({ ...t, matrix: this.matrices.scale(t.matrix!, factor) }));
  }

  /** x times a constant, or x times a gate. */
  private times(x: string, factor: string): Affine | undefined {
    const of = this.get(x);
    if (this.isConstant(factor)) {
      if (of.some((t) => !t.matrix)) return undefined;
      const column = this.column(factor, of[0]?.matrix?.rows);
      return column && of.map((t) => ({ ...t, matrix: this.matrices.scaleRows(t.matrix!, column) }));
    }
    const gate = this.facts.resolve(factor);
    if (!this.help.isGate(gate) || of.some((t) => t.gate !== undefined)) return undefined;
    return of.map((t) => ({ ...t, gate }));
  }

  /** A part of the last axis is some rows of the matrices. */
  private part(node: Node, position: number): Affine | undefined {
    const range = lastRange(this.facts, node, position);
    if (!range) return undefined;
    const { from, to, width } = range;
    const terms: Affine = [];
    for (const term of this.get(node.inputs[0] ?? "")) {
      const matrix = term.matrix ?? this.matrices.identity(width);
      if (term.gate !== undefined || matrix.rows !== width) return undefined;
      terms.push({ base: term.base, matrix: this.matrices.rows(matrix, from, to) });
    }
    return terms;
  }

  /**
   * A step of a projected sequence is the projection of a step: where a view leaves the last axis alone, it may
   * as well be taken of what goes into the matrix products.
   */
  private view(node: Node, position: number): Affine | undefined {
    const of = this.known.get(this.facts.resolve(node.inputs[0] ?? ""));
    if (!of || of.some((t) => !t.matrix || t.gate !== undefined) || !sparesLast(this.facts, node))
      return undefined;
    const { shape } = this.facts.get(node.inputs[0] ?? "");
    const terms: Affine = [];
    const several = of.filter((t) => nameOf(t.base) !== undefined).length > 1;
    for (const term of of) {
      const name = nameOf(term.base);
      if (term.base === ONE || term.base === ZERO) terms.push(term);
      else if (name === undefined || !this.alike(this.facts.get(name).shape, shape!, several))
        return undefined;
      else terms.push({ ...term, base: valueBase(this.help.viewOf(node, position, name)) });
    }
    return terms;
  }

  /** Whether x has the axes of the sum that it is a term of. Of several terms one may have been broadcast. */
  private alike(x: readonly Size[] | undefined, sum: readonly Size[], several: boolean): boolean {
    if (x?.length !== sum.length) return false;
    return !several || x.slice(0, -1).every((d, i) => d === sum[i] && (d !== undefined || i === 0));
  }

  /** Terms of the same value and gate become one. */
  private gathered(terms: Affine): Affine | undefined {
    const result: Affine = [];
    for (const term of terms) {
      const at = result.findIndex((t) => t.base === term.base && t.gate === term.gate);
      const like = result[at];
      if (!like) result.push(term);
      else if (term.base !== ZERO) {
        if (!like.matrix || !term.matrix || like.matrix.rows !== term.matrix.rows) return undefined;
        if (like.matrix.columns !== term.matrix.columns) return undefined;
        result[at] = { ...like, matrix: this.matrices.add(like.matrix, term.matrix) };
      }
    }
    const rows = new Set(result.flatMap((t) => (t.matrix && t.base !== ZERO ? [t.matrix.rows] : [])));
    return rows.size <= 1 ? result : undefined;
  }
}
