/**
 * An opened value as fresh shares: v = a - m + q b, with shares of m and b from the dealer. What truncations took from a
 * modulus is there again. docs/protocol.md, "Lift".
 */
import type { LiftNode } from "../program/nodes.js";
import type { Program } from "../program/program.js";
import type { Vector } from "../ring/ring.js";
import type { Draw, Operation } from "./operation.js";
import { liftedBits } from "./product.js";
import { rounded } from "./truncate.js";

export const lift: Operation<LiftNode> = {
  clear: (node, run) => run.value(node.x),
  exact: (node, run) => rounded(run.value(node.x), node.shift),
  draws,
  deal(node, dealer) {
    const { m, b } = dealer.lifted(dealer.openNode(node.x), node.shift);
    const [first, second] = draws(node, dealer.program) as [Draw, Draw];
    dealer.share(m, first.bits);
    dealer.share(b, second.bits);
    m.free();
    b.free();
  },
  prepare(node, party) {
    party.prepared[node.id] = draws(node, party.program).map((d) => party.drawn(d));
  },
  evaluate(node, party) {
    const { kernels } = party.ring;
    const [m, b] = party.takePrepared(node.id) as [Vector, Vector];
    const { value, wrap } = party.view(node.x, node.shift);
    const n = node.length;
    const out = party.ring.alloc(n);
    kernels.mul(out.ptr, wrap.ptr, b.ptr, n);
    kernels.sub(out.ptr, out.ptr, m.ptr, n);
    if (party.index === 0) kernels.add(out.ptr, out.ptr, value.ptr, n);
    m.free();
    b.free();
    party.shares[node.id] = out;
  },
};

/** b is multiplied by a power of two: it needs that many fewer bits. */
function draws(node: LiftNode, program: Program): Draw[] {
  const { length: n, modulus, x, shift } = node;
  return [
    { n, bits: modulus },
    { n, bits: modulus - liftedBits(program, { id: x, shift }) },
  ];
}
