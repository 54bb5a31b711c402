/**
 * The product of two opened, lifted values v = a - m + q b, v' = a' - m' + q' b': the dealer supplies shares of m, b, m',
 * b', m m', m b', b m', b b', and the rest is local. docs/protocol.md, "Products".
 */
import type { Dealer } from "../interpret/dealer.js";
import type { Party, View } from "../interpret/party.js";
import type { NodeId, OpenNode, ProductNode } from "../program/nodes.js";
import type { Program } from "../program/program.js";
import type { Vector } from "../ring/ring.js";
import type { Draw, Operation } from "./operation.js";
import { rounded } from "./truncate.js";

/** An opening after a right shift. */
export interface Lifted {
  id: NodeId;
  shift: number;
}

export const LIFTED_PLANES = 8;

export const product: Operation<ProductNode> = {
  clear: (node, run) => {
    const b = run.value(node.b);
    return run.value(node.a).map((v, i) => v * b[i]!);
  },
  exact: (node, run) => {
    const b = rounded(run.value(node.b), node.shiftB);
    return rounded(run.value(node.a), node.shiftA).map((v, i) => v * b[i]!);
  },
  draws: (node, program) => {
    const [a, b] = operandsOf(node);
    return liftedDraws(program, a, b, node.length, node.modulus);
  },
  deal(node, dealer) {
    const [a, b] = operandsOf(node);
    dealLifted(dealer, a, b, node.length, node.modulus);
  },
  prepare(node, party) {
    party.prepared[node.id] = [drawLifted(party, product.draws(node, party.program), node.length)];
  },
  evaluate(node, party) {
    const [P] = party.takePrepared(node.id);
    const out = party.ring.zeros(node.length);
    addLifted(party, out, party.view(node.a, node.shiftA), party.view(node.b, node.shiftB), P!);
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

export function dealLifted(dealer: Dealer, v: Lifted, w: Lifted, n: number, modulus: number): void {
  const { ring } = dealer;
  const [x, y] = [v, w].map(({ id, shift }) => dealer.lifted(dealer.openNode(id), shift)) as [
    ReturnType<Dealer["lifted"]>,
    ReturnType<Dealer["lifted"]>,
  ];
  const draws = liftedDraws(dealer.program, v, w, n, modulus);
  const planes: [Vector, Vector?][] = [
    [x.m],
    [x.b],
    [y.m],
    [y.b],
    [x.m, y.m],
    [x.m, y.b],
    [x.b, y.m],
    [x.b, y.b],
  ];
  const scratch = ring.alloc(n);
  planes.forEach(([a, b], i) => {
    if (b) ring.kernels.mul(scratch.ptr, a.ptr, b.ptr, n);
    dealer.share(b ? scratch : a, draws[i]!.bits);
  });
  for (const vector of [scratch, x.m, x.b, y.m, y.b]) vector.free();
}

/** A server's shares of the eight planes, one after the other. */
export function drawLifted(party: Party, draws: readonly Draw[], n: number): Vector {
  const P = party.ring.alloc(LIFTED_PLANES * n);
  draws.forEach((draw, plane) => {
    const part = party.drawn(draw);
    party.ring.copy(P, plane * n, part, 0, n);
    part.free();
  });
  return P;
}

/** out += v w. Frees the shares. */
export function addLifted(party: Party, out: Vector, v: View, w: View, P: Vector): void {
  const first = party.index === 0 ? 1n : 0n;
  const { kernels } = party.ring;
  kernels.liftedProduct(out.ptr, out.length, v.value.ptr, v.wrap.ptr, w.value.ptr, w.wrap.ptr, P.ptr, first);
  P.free();
}

/** Bits that a term with this value's highest mask bit is multiplied by. */
export function liftedBits(program: Program, { id, shift }: Lifted): number {
  return (program.nodes[id] as OpenNode).modulus - shift;
}
