/**
 * Using a selected value y: with sigma^2 = 1,
 *   y = (u0 + u1 L + u2 L^2) G0 - (u1 + 2 u2 L) G1 + u2 G2 - A0 - A1 L - A2 L^2
 * is public-linear in six values that the dealer knows, of which it supplies shares; to multiply y by an
 * opened value as well, of those times 1, m and msb(m). docs/protocol.md, "Activation" and "Products".
 */

import type { Dealer } from "../interpret/dealer.js";
import type { Party } from "../interpret/party.js";
import type { FinishNode, InterpolateNode, MultiplyNode } from "../program/nodes.js";
import type { Program } from "../program/program.js";
import type { Vector } from "../ring/ring.js";
import type { Draw, Operation, PlainRun } from "./operation.js";
import { addLifted, dealLifted, drawLifted, LIFTED_PLANES, liftedBits, liftedDraws } from "./product.js";
import { rounded } from "./truncate.js";

const PLANES = 6;

/** The selected value itself. */
export const finish: Operation<FinishNode> = {
  clear: (node, run) => run.value(node.selection.select),
  exact: (node, run) => run.value(node.selection.select),
  draws: (node) => [{ n: PLANES * node.length, bits: node.modulus }],
  deal(node, dealer) {
    dealer.share(dealer.selected(node.selection), node.modulus);
  },
  prepare(node, party) {
    party.prepared[node.id] = [party.material.share(PLANES * node.length, node.modulus)];
  },
  evaluate(node, party) {
    const { ring } = party;
    const [D] = party.takePrepared(node.id);
    const { u, x, s } = party.selection(node.selection);
    const out = ring.zeros(node.length);
    ring.kernels.finish(out.ptr, node.length, u.ptr, x.ptr, s, D!.ptr);
    D!.free();
    party.shares[node.id] = out;
  },
};

/** y times an opened value v, shifted right by `shift`. */
export const multiply: Operation<MultiplyNode> = {
  clear: (node, run) => times(run.value(node.selection.select), run.value(node.v)),
  exact: (node, run) => times(run.value(node.selection.select), rounded(run.value(node.v), node.shift)),
  draws: (node, program) => productDraws(node, program, node.v, node.shift),
  deal: (node, dealer) => dealProduct(node, dealer, node.selection, node.v, node.shift),
  prepare(node, party) {
    party.prepared[node.id] = productDraws(node, party.program, node.v, node.shift).map((d) =>
      party.drawn(d),
    );
  },
  evaluate(node, party) {
    const out = party.ring.zeros(node.length);
    const { value, wrap } = party.view(node.v, node.shift);
    const [D, E, F] = party.takePrepared(node.id) as [Vector, Vector, Vector];
    addProduct(node, party, out, node.selection, value, wrap, [D, E, F], 0);
    party.shares[node.id] = out;
  },
};

/**
 * z h + (1 - z) n for an opened gate z in [0, 1], an opened h and a selected n. The result lies between h
 * and n, which is what bounds the state of a GRU for any number of steps. docs/protocol.md, "Bounds".
 */
export const interpolate: Operation<InterpolateNode> = {
  clear: (node, run) => mixed(node, run, 1, run.value(node.h)),
  exact: (node, run) => mixed(node, run, 2 ** node.unit, rounded(run.value(node.h), node.hShift)),
  draws: interpolateDraws,
  deal(node, dealer) {
    dealLifted(
      dealer,
      { id: node.z, shift: 0 },
      { id: node.h, shift: node.hShift },
      node.length,
      node.modulus,
    );
    dealProduct(node, dealer, node.n, node.z, 0);
  },
  prepare(node, party) {
    const draws = interpolateDraws(node, party.program);
    const P = drawLifted(party, draws.slice(0, LIFTED_PLANES), node.length);
    party.prepared[node.id] = [P, ...draws.slice(LIFTED_PLANES).map((d) => party.drawn(d))];
  },
  evaluate(node, party) {
    const { ring } = party;
    const n = node.length;
    const out = ring.zeros(n);
    const [P, D, E, F] = party.takePrepared(node.id) as [Vector, Vector, Vector, Vector];
    const z = party.view(node.z, 0);
    const h = party.view(node.h, node.hShift);
    addLifted(party, out, z, h, P);
    const rest = ring.zeros(n); // unit - z's public part
    ring.kernels.sub(rest.ptr, rest.ptr, z.value.ptr, n);
    ring.kernels.addConstant(rest.ptr, rest.ptr, 1n << BigInt(node.unit), n);
    addProduct(node, party, out, node.n, rest, z.wrap, [D, E, F], 1);
    rest.free();
    party.shares[node.id] = out;
  },
};

/** Shares of D, D m and D msb(m); the last is multiplied by 2^(w - shift), so it needs fewer bits. */
function productDraws(
  node: MultiplyNode | InterpolateNode,
  program: Program,
  v: number,
  shift: number,
): Draw[] {
  const n = PLANES * node.length;
  const K = node.modulus;
  return [
    { n, bits: K },
    { n, bits: K },
    { n, bits: K - liftedBits(program, { id: v, shift }) },
  ];
}

function interpolateDraws(node: InterpolateNode, program: Program): Draw[] {
  const [z, h] = [
    { id: node.z, shift: 0 },
    { id: node.h, shift: node.hShift },
  ];
  return [
    ...liftedDraws(program, z, h, node.length, node.modulus),
    ...productDraws(node, program, node.z, 0),
  ];
}

function dealProduct(
  node: MultiplyNode | InterpolateNode,
  dealer: Dealer,
  selection: FinishNode["selection"],
  v: number,
  shift: number,
): void {
  const { ring } = dealer;
  const n = node.length;
  const [d, e, f] = productDraws(node, dealer.program, v, shift) as [Draw, Draw, Draw];
  const D = dealer.selected(selection);
  const { m, b } = dealer.lifted(dealer.openNode(v), shift);
  const scratch = ring.alloc(PLANES * n);
  const byPlane = (factor: Vector) => {
    for (let o = 0; o < PLANES * n * 8; o += n * 8) {
      ring.kernels.mul(scratch.ptr + o, D.ptr + o, factor.ptr, n);
    }
    return scratch;
  };
  dealer.share(D, d.bits);
  dealer.share(byPlane(m), e.bits);
  dealer.share(byPlane(b), f.bits);
  for (const vector of [scratch, m, b]) vector.free();
}

/** out += y (value - m + wrap b), or y (value + m - wrap b) when negative. Frees the shares. */
function addProduct(
  node: MultiplyNode | InterpolateNode,
  party: Party,
  out: Vector,
  selection: FinishNode["selection"],
  value: Vector,
  wrap: Vector,
  [D, E, F]: [Vector, Vector, Vector],
  negative: 0 | 1,
): void {
  const { u, x, s } = party.selection(selection);
  party.ring.kernels.finishProduct(
    out.ptr,
    node.length,
    u.ptr,
    x.ptr,
    s,
    value.ptr,
    wrap.ptr,
    D.ptr,
    E.ptr,
    F.ptr,
    negative,
  );
  for (const v of [D, E, F]) v.free();
}

function times(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((v, i) => v * b[i]!);
}

function mixed(node: InterpolateNode, run: PlainRun, one: number, h: Float64Array): Float64Array {
  const n = run.value(node.n.select);
  return run.value(node.z).map((z, i) => z * h[i]! + (one - z) * n[i]!);
}
