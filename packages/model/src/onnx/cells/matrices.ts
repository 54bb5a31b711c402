/** Matrices of weights, each held once: equal ones are the same object, however the file came to them. */
import type { Numbers } from "../tensor.js";

export interface Matrix {
  readonly id: number;
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** Thrown when recognising would take more memory than the file justifies. */
export class TooLarge extends Error {}

export class Matrices {
  private readonly byContent = new Map<string, Matrix[]>();
  private readonly results = new Map<string, Matrix>();
  private next = 0;

  /** @param budget how many elements may be made in all. */
  constructor(private budget: number) {}

  /** A constant of the file as a matrix of these sizes, or its transpose. */
  constant(name: string, data: Numbers, rows: number, columns: number, transposed: boolean): Matrix {
    const at = transposed
      ? (r: number, c: number) => data[c * rows + r]!
      : (r: number, c: number) => data[r * columns + c]!;
    return this.make(`constant ${transposed} ${rows} ${name}`, rows, columns, at);
  }

  /** Rows from..to. */
  rows(m: Matrix, from: number, to: number): Matrix {
    if (from === 0 && to === m.rows) return m;
    return this.make(
      `rows ${m.id} ${from} ${to}`,
      to - from,
      m.columns,
      (r, c) => m.data[(from + r) * m.columns + c]!,
    );
  }

  columns(m: Matrix, from: number, to: number): Matrix {
    if (from === 0 && to === m.columns) return m;
    return this.make(
      `columns ${m.id} ${from} ${to}`,
      m.rows,
      to - from,
      (r, c) => m.data[r * m.columns + from + c]!,
    );
  }

  scale(m: Matrix, factor: number): Matrix {
    if (factor === 1) return m;
    return this.make(
      `scale ${m.id} ${factor}`,
      m.rows,
      m.columns,
      (r, c) => factor * m.data[r * m.columns + c]!,
    );
  }

  /** Row r times the number r of a column. */
  scaleRows(m: Matrix, factors: Matrix): Matrix {
    const at = (r: number, c: number) => factors.data[r]! * m.data[r * m.columns + c]!;
    return this.make(`scaleRows ${m.id} ${factors.id}`, m.rows, m.columns, at);
  }

  /** @param a of the same sizes as b. */
  add(a: Matrix, b: Matrix): Matrix {
    const at = (r: number, c: number) => a.data[r * a.columns + c]! + b.data[r * a.columns + c]!;
    return this.make(`add ${a.id} ${b.id}`, a.rows, a.columns, at);
  }

  /** Rounded to single precision, as weights are kept. */
  single(m: Matrix): Matrix {
    return this.make(`single ${m.id}`, m.rows, m.columns, (r, c) => Math.fround(m.data[r * m.columns + c]!));
  }

  identity(n: number): Matrix {
    return this.make(`identity ${n}`, n, n, (r, c) => (r === c ? 1 : 0));
  }

  fill(rows: number, columns: number, value: number): Matrix {
    return this.make(`fill ${rows} ${columns} ${value}`, rows, columns, () => value);
  }

  /** One below the other; all have as many columns. */
  below(parts: readonly Matrix[]): Matrix {
    const rows = parts.flatMap((m) => Array.from({ length: m.rows }, (_, r) => ({ m, r })));
    const key = `below ${parts.map((m) => m.id)}`;
    return this.make(
      key,
      rows.length,
      parts[0]!.columns,
      (r, c) => rows[r]!.m.data[rows[r]!.r * rows[r]!.m.columns + c]!,
    );
  }

  /** One beside the other; all have as many rows. */
  beside(parts: readonly Matrix[]): Matrix {
    const columns = parts.flatMap((m) => Array.from({ length: m.columns }, (_, c) => ({ m, c })));
    const key = `beside ${parts.map((m) => m.id)}`;
    return this.make(
      key,
      parts[0]!.rows,
      columns.length,
      (r, c) => columns[c]!.m.data[r * columns[c]!.m.columns + columns[c]!.c]!,
    );
  }

  private make(key: string, rows: number, columns: number, at: (r: number, c: number) => number): Matrix {
    const known = this.results.get(key);
    if (known) return known;
    this.budget -= rows * columns;
    if (!(rows >= 0 && columns >= 0 && this.budget >= 0)) throw new TooLarge();
    const data = new Float64Array(rows * columns);
    // Adding 0 makes -0 into 0, which is the same number but not the same bits.
    for (let r = 0, i = 0; r < rows; r++) for (let c = 0; c < columns; c++) data[i++] = at(r, c) + 0;
    const matrix = this.intern(rows, columns, data);
    this.results.set(key, matrix);
    return matrix;
  }

  private intern(rows: number, columns: number, data: Float64Array): Matrix {
    const words = new Uint32Array(data.buffer);
    let hash = 0x811c9dc5;
    for (const word of words) hash = Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 15);
    const key = `${rows} ${columns} ${hash}`;
    const bucket = this.byContent.get(key) ?? [];
    const equal = bucket.find((m) => m.data.every((v, i) => v === data[i]));
    if (equal) return equal;
    const matrix = { id: this.next++, rows, columns, data };
    bucket.push(matrix);
    this.byContent.set(key, bucket);
    return matrix;
  }
}
