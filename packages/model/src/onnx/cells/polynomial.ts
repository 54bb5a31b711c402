/**
 * Elementwise arithmetic in one form: n + z * (h - n), (1 - z) * n + z * h and all their kin become the same sum of
 * products of values, whatever the order and number of the nodes that write it.
 */
import type { Node } from "../graph.js";
import type { Facts } from "./facts.js";

export interface Monomial {
  coefficient: number;
  /** The names of the factors, sorted. */
  factors: string[];
}

export type Polynomial = Monomial[];

/** A state update has three terms of at most two factors; its parts may have some more. */
const MOST_TERMS = 6;
const MOST_FACTORS = 3;

/** The polynomials of all values met so far. What no Add, Sub, Mul or Neg computes is a variable of its own. */
export class Polynomials {
  private readonly known = new Map<string, Polynomial>();

  constructor(private readonly facts: Facts) {}

  get(name: string): Polynomial {
    const value = this.facts.resolve(name);
    const { fill } = this.facts.get(value);
    if (fill !== undefined) return fill === 0 ? [] : [{ coefficient: fill, factors: [] }];
    return this.known.get(value) ?? [{ coefficient: 1, factors: [value] }];
  }

  /** Keeps what the node's output is. */
  add(node: Node): void {
    const found = this.of(node);
    if (found) this.known.set(node.outputs[0] ?? "", found);
  }

  /** From here on the value is a variable: it is known what it stands for. */
  seal(name: string): void {
    this.known.delete(name);
  }

  private of({ opType, inputs }: Node): Polynomial | undefined {
    const input = (i: number) => this.get(inputs[i] ?? "");
    switch (opType) {
      case "Add":
        return sum(input(0), input(1), 1);
      case "Sub":
        return sum(input(0), input(1), -1);
      case "Neg":
        return sum([], input(0), -1);
      case "Mul":
        return product(input(0), input(1));
    }
    return undefined;
  }
}

function sum(a: Polynomial, b: Polynomial, sign: 1 | -1): Polynomial | undefined {
  return gathered([...a, ...b.map((m) => ({ ...m, coefficient: sign * m.coefficient }))]);
}

function product(a: Polynomial, b: Polynomial): Polynomial | undefined {
  const terms = a.flatMap((p) =>
    b.map((q) => ({
      coefficient: p.coefficient * q.coefficient,
      factors: [...p.factors, ...q.factors].sort(),
    })),
  );
  return gathered(terms);
}

function gathered(terms: Polynomial): Polynomial | undefined {
  const result: Polynomial = [];
  for (const term of terms) {
    if (term.factors.length > MOST_FACTORS) return undefined;
    const like = result.find(
      (m) => m.factors.length === term.factors.length && m.factors.every((f, i) => f === term.factors[i]),
    );
    if (like) like.coefficient += term.coefficient;
    else result.push({ ...term });
  }
  const rest = result.filter((m) => m.coefficient !== 0);
  return rest.length <= MOST_TERMS ? rest : undefined;
}

/** (1 - z) * lone + z * other, as the names of its parts. `other` is undefined where the state is zero. */
export interface Blend {
  gate: string;
  /** Goes with 1 - gate. */
  lone: string | undefined;
  /** Goes with gate. */
  other: string | undefined;
}

/** Every way to read a polynomial as a blend of two values by a gate. */
export function blends(p: Polynomial, isGate: (name: string) => boolean): Blend[] {
  const found: Blend[] = [];
  const single = p.filter((m) => m.factors.length === 1);
  const double = p.filter((m) => m.factors.length === 2);
  if (single.length + double.length !== p.length) return [];
  const gates = new Set(double.flatMap((m) => m.factors).filter(isGate));
  for (const gate of gates) {
    const [partner, ...more] = double.map((m) => ({
      coefficient: m.coefficient,
      name: m.factors[0] === gate ? m.factors[1]! : m.factors[0]!,
      has: m.factors.includes(gate),
    }));
    if (!partner?.has || more.some((m) => !m.has) || more.length > 1) continue;
    const pair = [partner, ...more];
    const lone = single[0];
    if (single.length === 0 && pair.length === 1 && partner.coefficient === 1)
      found.push({ gate, lone: undefined, other: partner.name });
    if (single.length !== 1 || !lone || lone.coefficient !== 1) continue;
    const name = lone.factors[0]!;
    const own = pair.find((m) => m.name === name);
    const rest = pair.filter((m) => m !== own);
    if (own?.coefficient !== -1 || rest.some((m) => m.coefficient !== 1)) continue;
    found.push({ gate, lone: name, other: rest[0]?.name });
  }
  return found;
}
