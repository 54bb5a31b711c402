/** One step of a GRU, recognised from the value of its new state backwards. */
import { type Affine, type Affines, nameOf, ONE, ZERO } from "./affine.js";
import type { Facts } from "./facts.js";
import type { Matrices, Matrix } from "./matrices.js";
import { type Blend, blends, type Polynomials } from "./polynomial.js";

export interface Step {
  /** The new state. */
  output: string;
  /** The state before; undefined: zero. */
  state: string | undefined;
  /** What is read besides, [B, I] each; W has their columns in this order. */
  inputs: string[];
  widths: number[];
  hidden: number;
  resetAfter: boolean;
  /** Rows are the gates z, r, n: [3H, I], [3H, H], [3H, 1], [3H, 1]. U is unknown where the state is zero. */
  W: Matrix;
  U: Matrix | undefined;
  bW: Matrix;
  bU: Matrix;
}

/** Why a value that looks like a state is none, for a message to the user. */
export class NoStep {
  constructor(readonly reason: string) {}
}

interface Analysis {
  facts: Facts;
  matrices: Matrices;
  polynomials: Polynomials;
  affines: Affines;
}

/** What a gate adds up: products with inputs, with the state, and a bias. Undefined is zero. */
interface Parts {
  inputs: Map<string, Matrix | undefined>;
  state?: { matrix: Matrix | undefined };
  bias?: Matrix | undefined;
  /** A bias that the reset gate acts on. */
  resetBias?: Matrix | undefined;
}

interface Candidate {
  parts: Parts;
  reset: string;
  after: boolean;
}

/** A sigmoid, or one minus it. */
export interface Gate {
  /** What goes into the sigmoid. */
  of: string;
  negated: boolean;
}

export class Steps {
  constructor(private readonly a: Analysis) {}

  isSigmoid = (name: string): boolean => this.a.facts.get(name).node?.opType === "Sigmoid";

  gate(name: string): Gate | undefined {
    const terms = this.a.polynomials.get(name);
    const term = terms.find((m) => m.factors.length === 1);
    const sigmoid = term?.factors[0];
    if (!term || sigmoid === undefined || !this.isSigmoid(sigmoid)) return undefined;
    const of = this.a.facts.get(sigmoid).node!.inputs[0] ?? "";
    const rest = terms.filter((m) => m !== term);
    if (rest.length === 0 && term.coefficient === 1) return { of, negated: false };
    const [one] = rest;
    const complement = term.coefficient === -1 && rest.length === 1 && one!.factors.length === 0;
    return complement && one!.coefficient === 1 ? { of, negated: true } : undefined;
  }

  /** @returns undefined where the value does not look like a state at all. */
  match(output: string): Step | NoStep | undefined {
    const found = blends(this.a.polynomials.get(output), this.isSigmoid);
    let why: NoStep | undefined;
    for (const blend of found)
      for (const turned of [false, true]) {
        const candidate = turned ? blend.other : blend.lone;
        if (candidate === undefined || this.a.facts.get(candidate).node?.opType !== "Tanh") continue;
        const step = this.read(output, blend, candidate, turned ? blend.lone : blend.other, turned);
        if (!(step instanceof NoStep)) return step;
        why = step;
      }
    return why;
  }

  private read(
    output: string,
    blend: Blend,
    candidate: string,
    state: string | undefined,
    negated: boolean,
  ): Step | NoStep {
    const argument = this.a.facts.get(candidate).node!.inputs[0] ?? "";
    const n = this.candidate(this.a.affines.get(argument), state);
    if (n instanceof NoStep) return n;
    const z = this.update({ of: this.a.facts.get(blend.gate).node!.inputs[0] ?? "", negated }, state);
    const r = this.update(this.gate(n.reset)!, state);
    if (!z || !r) return new NoStep("a gate multiplies another value than the step's inputs and state");
    return this.join(output, state, [z, r, n.parts], n.after);
  }

  /** Ungated sums only: what goes into z and r. */
  private update(gate: Gate, state: string | undefined): Parts | undefined {
    const parts: Parts = { inputs: new Map() };
    for (const term of this.a.affines.get(gate.of)) {
      if (term.gate !== undefined) return undefined;
      if (term.base === ZERO) continue;
      const matrix = gate.negated
        ? this.a.matrices.scale(term.matrix ?? this.unit(term.base), -1)
        : term.matrix;
      if (term.base === ONE) parts.bias = matrix;
      else if (this.isState(term.base, state)) parts.state = { matrix };
      else parts.inputs.set(nameOf(term.base)!, matrix);
    }
    return parts;
  }

  private candidate(sum: Affine, state: string | undefined): Candidate | NoStep {
    const parts: Parts = { inputs: new Map() };
    const [before, after] = [new Set<string>(), new Set<string>()];
    for (const { base, matrix, gate } of sum) {
      const ofState = this.isState(base, state);
      if (gate !== undefined) {
        if (base === ONE) parts.resetBias = matrix;
        else if (ofState) parts.state = { matrix };
        else if (base !== ZERO) return new NoStep("the reset gate acts on another value than the state");
        after.add(gate);
        continue;
      }
      const name = nameOf(base);
      const reset = name === undefined ? undefined : this.resetState(name, state);
      if (base === ONE) parts.bias = matrix;
      else if (base === ZERO) continue;
      else if (ofState) return new NoStep("the candidate reads the state without a reset gate");
      else if (reset !== undefined) {
        if (parts.state) return new NoStep("the candidate reads the state twice");
        parts.state = { matrix };
        before.add(reset);
      } else if (name !== undefined) parts.inputs.set(name, matrix);
    }
    const gates = [...before, ...after];
    if (gates.length !== 1) return new NoStep(`the candidate has ${gates.length} reset gates`);
    return { parts, reset: gates[0]!, after: after.size === 1 };
  }

  private isState(base: string, state: string | undefined): boolean {
    return state === undefined ? base === ZERO : nameOf(base) === state;
  }

  /** The gate, if a value is a gate times the state. */
  private resetState(name: string, state: string | undefined): string | undefined {
    const { node } = this.a.facts.get(name);
    if (node?.opType !== "Mul") return undefined;
    const [a, b] = node.inputs.map((i) => this.a.facts.resolve(i)) as [string, string];
    for (const [gate, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!this.gate(gate)) continue;
      if (state === undefined ? this.a.facts.get(other).fill === 0 : other === state) return gate;
    }
    return undefined;
  }

  /** The identity for a value that is added as it is. */
  private unit(base: string): Matrix {
    return this.a.matrices.identity(this.a.facts.get(nameOf(base) ?? "").shape?.at(-1) ?? 1);
  }

  private join(
    output: string,
    state: string | undefined,
    gates: Parts[],
    resetAfter: boolean,
  ): Step | NoStep {
    const { facts, matrices } = this.a;
    const all = gates.flatMap((g) => [...g.inputs.values(), g.state?.matrix, g.bias, g.resetBias]);
    const hidden = all.find((m) => m !== undefined)?.rows;
    if (hidden === undefined) return new NoStep("the gates have no weights");
    if (all.some((m) => m && m.rows !== hidden)) return new NoStep("the gates differ in size");
    const names = [...new Set(gates.flatMap((g) => [...g.inputs.keys()]))];
    if (names.length === 0) return new NoStep("the step reads no input but the state");
    const blocks: { name: string; matrix: Matrix; key: string }[] = [];
    for (const name of names) {
      const columns = this.inputBlock(name, gates, hidden, state);
      if (columns instanceof NoStep) return columns;
      blocks.push({ name, matrix: matrices.below(columns), key: `${columns.map((m) => m.id)}` });
    }
    blocks.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const recurrent = this.recurrent(gates, hidden, state);
    if (recurrent instanceof NoStep) return recurrent;
    const rank = (name: string) => facts.get(name).shape?.length;
    if (rank(output) !== 2 || (state !== undefined && rank(state) !== 2))
      return new NoStep("its state is not known to be [batch, hidden]");
    const batch = new Set(
      [...names, state ?? "", output].map((n) => facts.get(n).shape?.[0]).filter((d) => d !== undefined),
    );
    const constant = state !== undefined && facts.get(state).node === undefined && facts.get(state).order < 0;
    if (batch.size > 1 && !constant) return new NoStep("its inputs and its state differ in batch size");
    const zero = matrices.fill(hidden, 1, 0);
    const column = (parts: (Matrix | undefined)[]) =>
      matrices.single(matrices.below(parts.map((p) => p ?? zero)));
    return {
      output,
      state,
      inputs: blocks.map((b) => b.name),
      widths: blocks.map((b) => b.matrix.columns),
      hidden,
      resetAfter,
      W: matrices.single(matrices.beside(blocks.map((b) => b.matrix))),
      U: recurrent,
      bW: column(gates.map((g) => g.bias)),
      bU: column([undefined, undefined, gates[2]!.resetBias]),
    };
  }

  /** The three gates' matrices for one input. */
  private inputBlock(
    name: string,
    gates: Parts[],
    hidden: number,
    state: string | undefined,
  ): Matrix[] | NoStep {
    const { facts, matrices } = this.a;
    const { shape } = facts.get(name);
    if (shape?.length !== 2) {
      const found = shape ? `has ${shape.length} axes` : "has a shape that is not known";
      return new NoStep(`its input ${JSON.stringify(name)} ${found}; expected are [batch, features]`);
    }
    const direct = gates.some((g) => g.inputs.has(name) && !g.inputs.get(name));
    if (direct && shape[1] !== hidden)
      return new NoStep(`${JSON.stringify(name)} is added to gates of another size`);
    // What is computed from the state (a normalisation, say) is no input, unless it is projected like one.
    if (direct && state !== undefined && facts.dependsOn(name, new Set([state]), facts.get(state).order))
      return new NoStep(
        `${JSON.stringify(name)} in a gate is computed from the state, but is no matrix product of it`,
      );
    const given = gates.map((g) =>
      g.inputs.has(name) ? (g.inputs.get(name) ?? matrices.identity(hidden)) : undefined,
    );
    const columns = given.find((m) => m)!.columns;
    if (given.some((m) => m && m.columns !== columns) || (shape[1] !== undefined && shape[1] !== columns))
      return new NoStep(`the gates' weights for ${JSON.stringify(name)} differ in size`);
    return given.map((m) => m ?? matrices.fill(hidden, columns, 0));
  }

  private recurrent(gates: Parts[], hidden: number, state: string | undefined): Matrix | undefined | NoStep {
    const { matrices } = this.a;
    if (state === undefined) return undefined;
    if (!gates.some((g) => g.state)) return new NoStep("no gate reads the state");
    const parts = gates.map((g) =>
      g.state ? (g.state.matrix ?? matrices.identity(hidden)) : matrices.fill(hidden, hidden, 0),
    );
    if (parts.some((m) => m.columns !== hidden)) return new NoStep("the state and the gates differ in size");
    return matrices.single(matrices.below(parts));
  }
}
