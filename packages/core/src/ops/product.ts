/**
 * The product of two opened, lifted values v = a - m + q b, v' = a' - m' + q' b': the dealer supplies shares of m, b, m',
 * b', m m', m b', b m', b b', and the rest is local. docs/protocol.md, "Products".
 */
import type { Dealer } from "../interpret/dealer.js";
import type { Party, View } from "../interpret/party.js";
import type { NodeId, OpenNode, ProductNode } from "../program/nodes.js";
import type { Program } from "../program/program.js";
import type { Vector } from "../ring/ring.js";
import { type Draw, type Operation, remembered } from "./operation.js";
import { rounded } from "./truncate.js";

/** An opening after a right shift. */
export interface Lifted {
  id: NodeId;
  shift: number;
}

export const LIFTED_PLANES = 8;

const draws = remembered((node: ProductNode, program) => {
  const [a, b] = operandsOf(node);
  return liftedDraws(program, a, b, node.length, node.modulus);
});

export const product: Operation<ProductNode> = {
  clear: (node, run) => {
    const b = run.value(node.b);
    return run.value(node.a).map((v, i) => v * b[i]!);
  },
  exact: (node, run) => {
    const b = rounded(run.value(node.b), node.shiftB);
    return rounded(run.value(node.a), node.shiftA).map((v, i) => v * b[i]!);
  },
  draws,
  deal(node, dealer) {
    const [a, b] = operandsOf(node);
    const P = dealer.ring.alloc(LIFTED_PLANES * node.length);
    liftedPlanes(dealer, a, b, P);
    dealer.share(P, draws(node, dealer.program));
    P.free();
  },
  prepare(node, party) {
    party.prepared[node.id] = party.material.share(draws(node, party.program));
  },
  evaluate(node, party) {
    const P = party.takePrepared(node.id);
    const out = party.ring.zeros(node.length);
    addLifted(party, out, party.view(node.a, node.shiftA), party.view(node.b, node.shiftB), P);
    P.free();
    party.shares[node.id] = out;
  },
};

function operandsOf(node: ProductNode): [Lifted, Lifted] {
  return [
    { id: node.a, shift: node.shiftA },
    { id: node.b, shift: node.shiftB },
  ];
}

/** Terms that are multiplied by a power of two need that many fewer bits. */
export function liftedDraws(program: Program, v: Lifted, w: Lifted, n: number, modulus: number): Draw[] {
  const K = modulus;
  const [p, q] = [liftedBits(program, v), liftedBits(program, w)];
  return [K, K - p, K, K - q, K, K - q, K - p, K - p - q].map((bits) => ({ n, bits }));
}

/** The dealer's eight planes for two lifted values, at the beginning of P: n words each. */
export function liftedPlanes(dealer: Dealer, v: Lifted, w: Lifted, P: Vector): void {
  const { ring } = dealer;
  const { kernels } = ring;
  const x = dealer.lifted(dealer.openNode(v.id), v.shift);
  const y = dealer.lifted(dealer.openNode(w.id), w.shift);
  const n = x.m.length;
  [x.m, x.b, y.m, y.b].forEach((plane, i) => {
    ring.copy(P, i * n, plane, 0, n);
  });
  [x.m, x.b].forEach((factor, i) => {
    const to = P.ptr + (4 + 2 * i) * n * 8;
    kernels.mul(to, factor.ptr, y.m.ptr, n);
    kernels.mul(to + n * 8, factor.ptr, y.b.ptr, n);
  });
  for (const vector of [x.m, x.b, y.m, y.b]) vector.free();
}

/** out += v w. P begins with the shares of the eight planes. */
export function addLifted(party: Party, out: Vector, v: View, w: View, P: Vector): void {
  const { ring, index } = party;
  const n = out.length;
  ring.kernels.liftedProduct(out.ptr, n, v.value.ptr, v.wrap.ptr, w.value.ptr, w.wrap.ptr, P.ptr, index);
}

/** Bits that a term with this value's highest mask bit is multiplied by. */
export function liftedBits(program: Program, { id, shift }: Lifted): number {
  return (program.nodes[id] as OpenNode).modulus - shift;
}
