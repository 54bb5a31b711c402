/**
 * Open: the only operation that sends. Each server adds its share of a fresh uniform mask m of the same
 * modulus and sends the sum; both get x + offset + m mod 2^w, which is uniform and independent of x.
 * docs/protocol.md, "Open".
 *
 * Where the opened word enters matrix products after a right shift, the dealer also supplies shares of the
 * shifted mask, which is not a linear function of the mask's shares.
 */
import type { OpenNode } from "../program/nodes.js";
import { type Draw, type Operation, remembered } from "./operation.js";

const draws = remembered((node: OpenNode): Draw[] =>
  node.operandShift ? [{ n: node.length, bits: node.operandModulus }] : [],
);

export const open: Operation<OpenNode> = {
  clear: (node, run) => run.value(node.x),
  exact: (node, run) => run.value(node.x),
  draws,
  deal(node, dealer) {
    dealer.mask(node);
    if (!node.operandShift) return;
    const shifted = dealer.shiftedMask(node, node.operandShift);
    dealer.share(shifted, draws(node, dealer.program));
    shifted.free();
  },
  prepare(node, party) {
    party.masks[node.id] = party.material.mask(node.length);
    if (node.operandShift) party.operandMasks[node.id] = party.material.share(draws(node, party.program));
  },
  evaluate(node, party) {
    const { ring } = party;
    const out = ring.alloc(node.length);
    ring.kernels.add(out.ptr, party.share(node.x).ptr, party.masks[node.id]!.ptr, node.length);
    if (party.index === 0 && node.offset !== 0) {
      ring.kernels.addConstant(out.ptr, out.ptr, node.offset, node.length);
    }
    party.sending[node.id] = out;
  },
};
