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
import { type Draw, type Operation, type PlainRun, remembered } from "./operation.js";
import { addLifted, LIFTED_PLANES, type Lifted, liftedBits, liftedDraws, liftedPlanes } from "./product.js";
import { rounded } from "./truncate.js";

const PLANES = 6;
/** D, D m and D msb(m). */
const PRODUCT_PLANES = 3 * PLANES;

/** The selected value itself. */
export const finish: Operation<FinishNode> = {
  clear: (node, run) => run.value(node.selection.select),
  exact: (node, run) => run.value(node.selection.select),
  draws: remembered((node): Draw[] => [{ n: PLANES * node.length, bits: node.modulus }]),
  deal(node, dealer) {
    dealer.share(dealer.selected(node.selection), finish.draws(node, dealer.program));
  },
  prepare(node, party) {
    party.prepared[node.id] = party.material.share(finish.draws(node, party.program));
  },
  evaluate(node, party) {
    const { ring } = party;
    const D = party.takePrepared(node.id);
    const { u, x, s } = party.selection(node.selection);
    const out = ring.zeros(node.length);
    ring.kernels.finish(out.ptr, node.length, u.ptr, x.ptr, s, D.ptr);
    D.free();
    party.shares[node.id] = out;
  },
};

/** y times an opened value v, shifted right by `shift`. */
export const multiply: Operation<MultiplyNode> = {
  clear: (node, run) => times(run.value(node.selection.select), run.value(node.v)),
  exact: (node, run) => times(run.value(node.selection.select), rounded(run.value(node.v), node.shift)),
  draws: remembered((node, program) => productDraws(node, program, node.v, node.shift)),
  deal(node, dealer) {
    const planes = dealer.ring.alloc(PRODUCT_PLANES * node.length);
    productPlanes(dealer, node.selection, node.v, node.shift, planes, 0);
    dealer.share(planes, multiply.draws(node, dealer.program));
    planes.free();
  },
  prepare(node, party) {
    party.prepared[node.id] = party.material.share(multiply.draws(node, party.program));
  },
  evaluate(node, party) {
    const out = party.ring.zeros(node.length);
    const { value, wrap } = party.view(node.v, node.shift);
    const planes = party.takePrepared(node.id);
    addProduct(party, out, node.selection, value, wrap, planes, 0, 0);
    planes.free();
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
  draws: remembered((node, program) => {
    const [z, h] = lifted(node);
    return [
      ...liftedDraws(program, z, h, node.length, node.modulus),
      ...productDraws(node, program, node.z, 0),
    ];
  }),
  deal(node, dealer) {
    const planes = dealer.ring.alloc((LIFTED_PLANES + PRODUCT_PLANES) * node.length);
    liftedPlanes(dealer, ...lifted(node), planes);
    productPlanes(dealer, node.n, node.z, 0, planes, LIFTED_PLANES);
    dealer.share(planes, interpolate.draws(node, dealer.program));
    planes.free();
  },
  prepare(node, party) {
    party.prepared[node.id] = party.material.share(interpolate.draws(node, party.program));
  },
  evaluate(node, party) {
    const { ring } = party;
    const n = node.length;
    const out = ring.zeros(n);
    const planes = party.takePrepared(node.id);
    const z = party.view(node.z, 0);
    const h = party.view(node.h, node.hShift);
    addLifted(party, out, z, h, planes);
    const rest = ring.zeros(n); // unit - z's public part
    ring.kernels.sub(rest.ptr, rest.ptr, z.value.ptr, n);
    ring.kernels.addConstant(rest.ptr, rest.ptr, 2 ** node.unit, n);
    addProduct(party, out, node.n, rest, z.wrap, planes, LIFTED_PLANES, 1);
    rest.free();
    planes.free();
    party.shares[node.id] = out;
  },
};

function lifted(node: InterpolateNode): [Lifted, Lifted] {
  return [
    { id: node.z, shift: 0 },
    { id: node.h, shift: node.hShift },
  ];
}

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

/** The dealer's planes D, D m and D msb(m), from plane `at` on. */
function productPlanes(
  dealer: Dealer,
  selection: FinishNode["selection"],
  v: number,
  shift: number,
  planes: Vector,
  at: number,
): void {
  const { ring } = dealer;
  const D = dealer.selected(selection);
  const { m, b } = dealer.lifted(dealer.openNode(v), shift);
  const n = m.length;
  ring.copy(planes, at * n, D, 0, PLANES * n);
  [m, b].forEach((factor, i) => {
    ring.kernels.mulRow(planes.ptr + (at + PLANES * (i + 1)) * n * 8, D.ptr, factor.ptr, PLANES, n);
    factor.free();
  });
}

/** out += y (value - m + wrap b), or y (value + m - wrap b) when negative; the shares are planes from `at` on. */
function addProduct(
  party: Party,
  out: Vector,
  selection: FinishNode["selection"],
  value: Vector,
  wrap: Vector,
  planes: Vector,
  at: number,
  negative: 0 | 1,
): void {
  const { u, x, s } = party.selection(selection);
  const n = out.length;
  const part = (k: number) => planes.ptr + (at + k * PLANES) * n * 8;
  const [D, E, F] = [part(0), part(1), part(2)];
  party.ring.kernels.finishProduct(out.ptr, n, u.ptr, x.ptr, s, value.ptr, wrap.ptr, D, E, F, negative);
}

function times(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((v, i) => v * b[i]!);
}

function mixed(node: InterpolateNode, run: PlainRun, one: number, h: Float64Array): Float64Array {
  const n = run.value(node.n.select);
  return run.value(node.z).map((z, i) => z * h[i]! + (one - z) * n[i]!);
}
