/**
 * Looks at every value of a real run: both servers' shares put together, node by node, and compared with what the
 * node's operation may give for its operands, in integers. For tests of bounds and moduli.
 */
import type { Party } from "../interpret/party.js";
import { type ActivationTable, nodeValue } from "../plan/table.js";
import type {
  LookupNode,
  Node,
  NodeId,
  OpenNode,
  Selection,
  SelectNode,
  SharedNode,
} from "../program/nodes.js";
import type { Program } from "../program/program.js";
import type { Ring, Vector } from "../ring/ring.js";

type Integers = bigint[];

export class Witness {
  private readonly program: Program;
  private readonly tensors: ReadonlyMap<string, Integers>;
  private readonly captured: Map<NodeId, BigUint64Array>[] = [];
  private readonly values = new Map<NodeId, Integers>();
  private readonly complaints: string[] = [];

  /** @param tensors the owner's integers. */
  constructor(
    ring: Ring,
    program: Program,
    tensors: ReadonlyMap<string, Integers>,
    parties: readonly Party[],
  ) {
    this.program = program;
    this.tensors = tensors;
    for (const party of parties) {
      const seen = new Map<NodeId, BigUint64Array>();
      this.captured.push(seen);
      const record = (list: (Vector | undefined)[], id: string | symbol, v: Vector | undefined) => {
        if (v && id !== "length") seen.set(Number(id), ring.words(v).slice());
        return Reflect.set(list, id, v);
      };
      Object.defineProperty(party, "shares", { value: new Proxy(party.shares, { set: record }) });
    }
  }

  /** After the run: what is wrong, if anything. */
  verdict(): string[] {
    const [a, b] = this.captured as [Map<NodeId, BigUint64Array>, Map<NodeId, BigUint64Array>];
    for (const node of this.program.nodes) {
      const [p, q] = [a.get(node?.id ?? -1), b.get(node?.id ?? -1)];
      if (!node || !p || !q || node.op === "select" || node.modulus === 0) continue;
      const values = Array.from(p, (v, i) => BigInt.asIntN(node.modulus, v + q[i]!));
      // a look-up's further planes are products with a mask
      this.values.set(node.id, node.op === "lookup" && node.factor ? values.slice(0, p.length / 3) : values);
    }
    for (const node of this.program.nodes) {
      if (!node) continue;
      if (node.op === "open") this.opening(node);
      else this.shared(node);
    }
    return this.complaints;
  }

  /** An opened value must lie where its table, or its lift, expects it. */
  private opening(node: OpenNode): void {
    const half = 1n << BigInt(node.modulus - 1);
    const table = this.tableOf(node.id);
    for (const v of this.values.get(node.x) ?? []) {
      if (table) {
        const step = 1n << BigInt(table.stepBits);
        if (v + step > half || v - step < -half) this.complain(node, `${v} is outside the table`);
      } else if (
        v + BigInt(node.offset) < 0n ||
        v + BigInt(node.offset) + (1n << BigInt(node.maxShift)) > half
      ) {
        this.complain(node, `${v} cannot be lifted`);
      }
    }
  }

  private shared(node: SharedNode): void {
    const values = this.values.get(node.id);
    if (!values) return;
    // a modulus may be smaller than the bounds where consumers only need the value mod that
    const whole = BigInt(Math.max(-node.lo, node.hi)) < 1n << BigInt(node.modulus - 1);
    values.forEach((y, i) => {
      if (whole && (y < BigInt(node.lo) || y > BigInt(node.hi)))
        this.complain(node, `${y} breaks its bounds`);
      const allowed = this.allowed(node, i)?.map((v) => BigInt.asIntN(node.modulus, v));
      if (allowed && !allowed.includes(y)) this.complain(node, `${y} is none of ${allowed.slice(0, 4)}`);
    });
    if (node.op === "linear") this.linear(node, values);
  }

  /** The integers that an elementwise operation may give. */
  private allowed(node: SharedNode, i: number): Integers | undefined {
    const at = (id: NodeId) => this.values.get(id)![i]!;
    const opened = (id: NodeId) => at((this.program.nodes[id] as OpenNode).x);
    switch (node.op) {
      case "add":
        return [(at(node.a) << BigInt(node.shiftA)) + (at(node.b) << BigInt(node.shiftB))];
      case "times":
        return [at(node.x) * BigInt(node.factor)];
      case "total": {
        let sum = 0n;
        const x = this.values.get(node.x)!;
        for (let k = i; k < x.length; k += node.length) sum += x[k]!;
        return [sum];
      }
      case "truncate":
        return floors(at(node.x), node.shift);
      case "output":
        return [at(node.x)];
      case "finish":
        return this.selected(node.selection, i);
      case "lookup":
        return this.around(node, i);
      case "scaled": {
        const v = shifted(opened(node.v), node.shift);
        const one = node.unit === undefined ? undefined : 1n << BigInt(node.unit);
        return products([at(node.x)], one === undefined ? v : v.map((w) => one - w));
      }
      case "lift":
        return shifted(opened(node.x), node.shift);
      case "product":
        return products(shifted(opened(node.a), node.shiftA), shifted(opened(node.b), node.shiftB));
      case "multiply":
        return products(this.selected(node.selection, i), shifted(opened(node.v), node.shift));
      case "interpolate": {
        const z = opened(node.z);
        const one = 1n << BigInt(node.unit);
        const n = this.selected(node.n, i).map((v) => (one - z) * v);
        return shifted(opened(node.h), node.hShift).flatMap((h) => n.map((rest) => z * h + rest));
      }
      default:
        return undefined;
    }
  }

  /** Each truncated operand may be one of two integers, so a row's result lies in a range. */
  private linear(node: Extract<Node, { op: "linear" }>, values: Integers): void {
    const W = this.tensors.get(node.tensor)!;
    const x = this.values.get((this.program.nodes[node.x] as OpenNode).x)!;
    const unit = 1n << BigInt(node.modulus);
    values.forEach((y, k) => {
      const [row, out] = [Math.floor(k / node.outer), k % node.outer];
      let [low, high] = [0n, 0n];
      for (let j = 0; j < node.inner; j++) {
        const terms = products([W[out * node.inner + j]!], shifted(x[row * node.inner + j]!, node.shift));
        low += terms.reduce((a, b) => (a < b ? a : b));
        high += terms.reduce((a, b) => (a > b ? a : b));
      }
      if ((((y - low) % unit) + unit) % unit > high - low)
        this.complain(node, `${y} is not in ${low}..${high}`);
    });
  }

  private selected(selection: Selection, i: number): Integers {
    return this.around(this.program.nodes[selection.select] as SelectNode, i);
  }

  /** The values of the two nodes around a table's input. */
  private around({ table, x: open }: SelectNode | LookupNode, i: number): Integers {
    const x = this.values.get((this.program.nodes[open] as OpenNode).x)![i]!;
    return floors(x, table.stepBits).map((node) => BigInt(nodeValue(table, Number(node), Number(x))));
  }

  private tableOf(open: NodeId): ActivationTable | undefined {
    for (const n of this.program.nodes) {
      if ((n?.op === "select" || n?.op === "lookup") && n.x === open) return n.table;
    }
    return undefined;
  }

  private complain(node: Node, what: string): void {
    this.complaints.push(`${node.op} ${node.id} of ${node.label}: ${what}`);
  }
}

function floors(v: bigint, shift: number): Integers {
  return [v >> BigInt(shift), (v >> BigInt(shift)) + 1n];
}

function shifted(v: bigint, shift: number): Integers {
  return shift > 0 ? floors(v, shift) : [v];
}

function products(a: Integers, b: Integers): Integers {
  return a.flatMap((x) => b.map((y) => x * y));
}
