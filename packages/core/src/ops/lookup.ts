/**
 * A table's value in the round in which its input x^ = x + m is opened. The dealer shares, with a distributed point
 * function, the vector that holds l^0, l^1, l^2 at the node alpha of the mask m = alpha 2^s + l and zeros elsewhere; from
 * it each server computes its share of c0 + c1 (L - l) + c2 (L - l)^2 at the node x^_top - alpha. With the same words times
 * m_v and msb(m_v) of an opened v it also has shares of y m_v and y msb(m_v), hence of y v. docs/protocol.md, "Look-up in
 * one round".
 */
import type { Dealer } from "../interpret/dealer.js";
import { expandedWords, type PointShape, pointDraws } from "../interpret/points.js";
import { activationFunction } from "../plan/activation.js";
import { tableValue } from "../plan/table.js";
import type { LookupNode, OpenNode, ScaledNode } from "../program/nodes.js";
import type { Program } from "../program/program.js";
import type { Vector } from "../ring/ring.js";
import { local, type Operation, remembered } from "./operation.js";
import { liftedBits } from "./product.js";
import { rounded } from "./truncate.js";

/** l^0, l^1, l^2. */
const POWERS = 3;

export const lookup: Operation<LookupNode> = {
  // the consumers take the value from the first plane
  clear: (node, run) => run.value(node.x).map(activationFunction(node.table.spec)),
  exact: (node, run) => run.value(node.x).map((x) => tableValue(node.table, x)),
  draws: local.draws,
  common: remembered((node, program) => pointDraws(shapeOf(node, program))),
  expanded: (node, program) => expandedWords(shapeOf(node, program)),
  deal(node, dealer) {
    const shape = shapeOf(node, dealer.program);
    const payload = payloadOf(node, shape, dealer);
    dealer.points(node, shape, payload);
    payload.free();
  },
  prepare(node, party) {
    const keys = party.material.points(shapeOf(node, party.program));
    if (party.expandsAhead) {
      party.prepared[node.id] = keys.expand();
      keys.free();
    } else party.keys[node.id] = keys;
    // made here, so that the rounds find it ready
    party.wholeTable(node.table, node.nodeBits);
  },
  evaluate(node, party) {
    const { ring } = party;
    const x = party.openedWords(node.x);
    const out = ring.alloc(node.length);
    const table = party.wholeTable(node.table, node.nodeBits);
    const { nodeBits } = node;
    const { stepBits } = node.table;
    const n = x.length;
    const factors = node.factor ? 3 : 1;
    const add = (E: Vector, first: number, last: number) =>
      ring.kernels.lookup(out.ptr, x.ptr, E.ptr, n, nodeBits, stepBits, table.ptr, factors, first, last);
    const keys = party.keys[node.id];
    if (keys) {
      keys.inParts(add);
      keys.free();
      party.keys[node.id] = undefined;
    } else {
      const E = party.takePrepared(node.id);
      add(E, 0, n);
      E.free();
    }
    party.shares[node.id] = out;
  },
};

/** y times the lifted v = value - m + wrap b, or times 2^unit - v. */
export const scaled: Operation<ScaledNode> = {
  ...local,
  clear: (node, run) => {
    const v = run.value(node.v);
    return run.value(node.x).map((y, i) => y * (node.unit === undefined ? v[i]! : 1 - v[i]!));
  },
  exact: (node, run) => {
    const v = rounded(run.value(node.v), node.shift);
    return run.value(node.x).map((y, i) => y * (node.unit === undefined ? v[i]! : 2 ** node.unit - v[i]!));
  },
  evaluate(node, party) {
    const { ring } = party;
    const n = node.length;
    const out = ring.alloc(n);
    const { value, wrap } = party.view(node.v, node.shift);
    const planes = party.share(node.x).ptr;
    if (node.unit === undefined) {
      ring.kernels.scale(out.ptr, n, planes, value.ptr, wrap.ptr, 0);
    } else {
      const rest = ring.zeros(n); // 2^unit - v's public part
      ring.kernels.sub(rest.ptr, rest.ptr, value.ptr, n);
      ring.kernels.addConstant(rest.ptr, rest.ptr, 2 ** node.unit, n);
      ring.kernels.scale(out.ptr, n, planes, rest.ptr, wrap.ptr, 1);
      rest.free();
    }
    party.shares[node.id] = out;
  },
};

function shapeOf(node: LookupNode, program: Program): PointShape {
  const n = (program.nodes[node.x] as OpenNode).length;
  return { n, levels: node.nodeBits, bits: leafBits(node, program) };
}

/** Bits of each word: what is multiplied by the factor's 2^(w - shift) needs that many fewer. */
function leafBits(node: LookupNode, program: Program): number[] {
  const K = node.modulus;
  if (!node.factor) return [K, K, K];
  const { v, shift } = node.factor;
  const b = Math.max(0, K - liftedBits(program, { id: v, shift }));
  return [K, K, K, K, K, K, b, b, b];
}

/** The words at alpha, one plane each. */
function payloadOf(node: LookupNode, { n, bits }: PointShape, dealer: Dealer): Vector {
  const { ring } = dealer;
  const { kernels } = ring;
  const payload = ring.zeros(bits.length * n);
  const plane = (k: number) => payload.ptr + k * n * 8;
  const l = ring.alloc(n);
  kernels.reduce(l.ptr, dealer.masks[node.x]!.ptr, node.table.stepBits, n);
  kernels.addConstant(plane(0), plane(0), 1, n);
  kernels.add(plane(1), plane(1), l.ptr, n);
  kernels.mul(plane(2), l.ptr, l.ptr, n);
  l.free();
  if (node.factor) {
    const { m, b } = dealer.lifted(dealer.openNode(node.factor.v), node.factor.shift);
    [m, b].forEach((factor, i) => {
      kernels.mulRow(plane(POWERS * (i + 1)), payload.ptr, factor.ptr, POWERS, n);
      factor.free();
    });
  }
  return payload;
}
