/**
 * One-time selection: from the opened table input x^ each server sums the coefficients of all nodes that
 * its bits e_b mark. e1 is e0 with one bit flipped, at the mask's node alpha, so that both sums together are
 * sigma c[x^_top - alpha], sigma = e0[alpha] - e1[alpha]. e0 is server 0's stream; server 1 is sent e1, which
 * is uniform for whoever does not know e0. docs/protocol.md, "Activation".
 */
import { activationFunction } from "../plan/activation.js";
import { tableValue, windowOf } from "../plan/table.js";
import type { SelectNode } from "../program/nodes.js";
import type { Draw, Operation } from "./operation.js";

export const select: Operation<SelectNode> = {
  // The consumers (finish, multiply, interpolate) take the value from the first plane.
  clear: (node, run) => run.value(node.x).map(activationFunction(node.table.spec)),
  exact: (node, run) => run.value(node.x).map((x) => tableValue(node.table, x)),
  draws,
  deal(node, dealer) {
    const { ring } = dealer;
    const n = node.length / 3;
    const e = dealer.selectionBits(bitWords(node));
    const sigma = ring.alloc(n);
    const m = dealer.masks[node.x]!;
    ring.kernels.flipSelected(e.ptr, sigma.ptr, m.ptr, n, node.nodeBits, node.table.stepBits);
    dealer.selectionCorrection(e);
    dealer.sigmas[node.id] = sigma;
  },
  prepare(node, party) {
    party.prepared[node.id] = party.material.selectionBits(bitWords(node));
    // made here, so that the rounds find it ready
    party.table(node.table, windowOf(node.table, node.nodeBits));
  },
  evaluate(node, party) {
    const { ring } = party;
    const e = party.takePrepared(node.id);
    const n = node.length / 3;
    const out = ring.alloc(node.length);
    const window = windowOf(node.table, node.nodeBits);
    ring.kernels.select(
      out.ptr,
      party.openedWords(node.x).ptr,
      e.ptr,
      n,
      node.nodeBits,
      node.table.stepBits,
      party.table(node.table, window).ptr,
      window,
      node.table.below,
      node.table.above,
      party.index,
    );
    e.free();
    party.shares[node.id] = out;
  },
};

function draws(node: SelectNode): Draw[] {
  return [{ n: bitWords(node), bits: 64 }];
}

/** N bits an element, as whole words. In doubles: the product may exceed 32 bits. */
function bitWords(node: SelectNode): number {
  return ((node.length / 3) * 2 ** node.nodeBits) / 64;
}
