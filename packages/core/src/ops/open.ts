/**
 * Open: the only operation that sends. Each server adds its share of a fresh uniform mask m of the same
 * modulus and sends the sum; both get x + offset + m mod 2^w, which is uniform and independent of x.
 * docs/protocol.md, "Open".
 *
 * Where the opened word enters matrix products after a right shift, the dealer also supplies shares of the
 * shifted mask, which is not a linear function of the mask's shares.
 */
import type { OpenNode } from "../program/nodes.js";
import type { Draw, Operation } from "./operation.js";

export const open: Operation<OpenNode> = {
  clear: (node, run) => run.value(node.x),
  exact: (node, run) => run.value(node.x),
  draws,
  deal(node, dealer) {
    dealer.mask(node);
    for (const { bits } of draws(node)) {
      const shifted = dealer.shiftedMask(node, node.operandShift!);
      dealer.share(shifted, bits);
      shifted.free();
    }
  },
  prepare(node, party) {
    const mask = party.material.mask(node.length);
    const [draw] = draws(node);
    party.masks[node.id] = mask;
    if (draw) party.operandMasks[node.id] = party.material.share(draw.n, draw.bits);
  },
  evaluate(node, party) {
    const { ring } = party;
    const out = ring.alloc(node.length);
    ring.kernels.add(out.ptr, party.share(node.x).ptr, party.masks[node.id]!.ptr, node.length);
    if (party.index === 0 && node.offset !== 0) {
      ring.kernels.addConstant(out.ptr, out.ptr, BigInt(node.offset), node.length);
    }
    party.sending[node.id] = out;
  },
};

function draws(node: OpenNode): Draw[] {
  return node.operandShift ? [{ n: node.length, bits: node.operandModulus }] : [];
}
