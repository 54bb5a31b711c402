/**
 * An opened value as fresh shares: v = a - m + q b, with shares of m and b from the dealer. What truncations took from a
 * modulus is there again. docs/protocol.md, "Lift".
 */
import type { LiftNode } from "../program/nodes.js";
import { type Draw, type Operation, remembered } from "./operation.js";
import { liftedBits } from "./product.js";
import { rounded } from "./truncate.js";

/** m and b, which is multiplied by a power of two: it needs that many fewer bits. */
const draws = remembered((node: LiftNode, program): Draw[] => {
  const { length: n, modulus, x, shift } = node;
  return [
    { n, bits: modulus },
    { n, bits: modulus - liftedBits(program, { id: x, shift }) },
  ];
});

export const lift: Operation<LiftNode> = {
  clear: (node, run) => run.value(node.x),
  exact: (node, run) => rounded(run.value(node.x), node.shift),
  draws,
  deal(node, dealer) {
    const { m, b } = dealer.lifted(dealer.openNode(node.x), node.shift);
    const both = dealer.ring.alloc(2 * node.length);
    dealer.ring.copy(both, 0, m, 0, node.length);
    dealer.ring.copy(both, node.length, b, 0, node.length);
    dealer.share(both, draws(node, dealer.program));
    for (const v of [m, b, both]) v.free();
  },
  prepare(node, party) {
    party.prepared[node.id] = party.material.share(draws(node, party.program));
  },
  evaluate(node, party) {
    const { kernels } = party.ring;
    const both = party.takePrepared(node.id);
    const { value, wrap } = party.view(node.x, node.shift);
    const n = node.length;
    const out = party.ring.alloc(n);
    kernels.mul(out.ptr, wrap.ptr, both.ptr + n * 8, n);
    kernels.sub(out.ptr, out.ptr, both.ptr, n);
    if (party.index === 0) kernels.add(out.ptr, out.ptr, value.ptr, n);
    both.free();
    party.shares[node.id] = out;
  },
};
