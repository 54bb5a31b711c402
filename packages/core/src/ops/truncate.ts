/**
 * Truncate-reduce: both servers shift their shares right, server 0 adds one. The result is shared mod
 * 2^(k - shift): it never fails, the modulus shrinks instead; it is floor(x / 2^shift) or one more, off by
 * less than one in the last place. docs/protocol.md, "Truncation".
 */
import type { TruncateNode } from "../program/nodes.js";
import { local, type Operation } from "./operation.js";

export const truncate: Operation<TruncateNode> = {
  ...local,
  clear: (node, run) => run.value(node.x),
  exact: (node, run) => rounded(run.value(node.x), node.shift),
  evaluate(node, party) {
    const out = party.ring.alloc(node.length);
    const increment = party.index === 0 ? 1 : 0;
    const modulus = node.modulus + node.shift;
    party.ring.kernels.shiftRight(
      out.ptr,
      party.share(node.x).ptr,
      modulus,
      node.shift,
      increment,
      node.length,
    );
    party.shares[node.id] = out;
  },
};

/** Integers divided by 2^shift, to the nearest: within one of what the servers get. */
export function rounded(values: Float64Array, shift: number): Float64Array {
  return shift === 0 ? values : values.map((v) => Math.floor(v / 2 ** shift + 0.5));
}
