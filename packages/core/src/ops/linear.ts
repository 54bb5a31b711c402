/**
 * Matrix product with fixed secret weights. The weights were masked and opened once, at set-up:
 * W^ = W + R; server 0 keeps W~0 = W^ - R0, server 1 keeps W~1 = -R1. For x^ = x + m,
 * W x = sum_b (W~b x^ - W^ m_b) + R m, and the dealer supplies shares of R m.
 * Only W~b x^ depends on the input. docs/protocol.md, "Linear layer".
 */
import type { LinearNode } from "../program/nodes.js";
import { type Draw, type Operation, remembered } from "./operation.js";
import { rounded } from "./truncate.js";

const draws = remembered((node: LinearNode): Draw[] => [{ n: node.length, bits: node.modulus }]);

export const linear: Operation<LinearNode> = {
  clear: (node, run) => product(node, run.tensor(node.tensor), run.value(node.x)),
  exact: (node, run) => product(node, run.tensor(node.tensor), rounded(run.value(node.x), node.shift)),
  draws,
  deal(node, dealer) {
    const { ring } = dealer;
    const m = dealer.shiftedMask(dealer.openNode(node.x), node.shift);
    const Rm = ring.zeros(node.length);
    dealer.weightMask(node.tensor).multiplyAdd(Rm, m, node.rows, node.modulus);
    dealer.share(Rm, draws(node, dealer.program));
    m.free();
    Rm.free();
  },
  prepare(node, party) {
    const { ring } = party;
    const ahead = party.material.share(draws(node, party.program));
    const mask = party.operandMasks[node.x] ?? party.masks[node.x]!;
    const product = ring.zeros(node.length);
    party.model.masked(node.tensor).multiplyAdd(product, mask, node.rows, node.modulus);
    ring.kernels.sub(ahead.ptr, ahead.ptr, product.ptr, node.length);
    product.free();
    party.prepared[node.id] = ahead;
  },
  evaluate(node, party) {
    const out = party.takePrepared(node.id);
    const { value } = party.view(node.x, node.shift);
    party.model.matrix(node.tensor).multiplyAdd(out, value, node.rows, node.modulus);
    party.shares[node.id] = out;
  },
};

function product(node: LinearNode, W: Float64Array, x: Float64Array): Float64Array {
  const { rows, outer, inner } = node;
  const out = new Float64Array(rows * outer);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < outer; i++) {
      let sum = 0;
      for (let j = 0; j < inner; j++) sum += W[i * inner + j]! * x[r * inner + j]!;
      out[r * outer + i] = sum;
    }
  }
  return out;
}
