/** Where values come from and where they go: a client's shares in, the model owner's shares, shares out. */
import type { InputNode, OutputNode, ParameterNode, ZeroNode } from "../program/nodes.js";
import { local, type Operation } from "./operation.js";

/** A client's input: its share arrives with the request (Party.begin). */
export const input: Operation<InputNode> = {
  ...local,
  clear: (node, run) => run.input(node.name),
  exact: (node, run) => run.input(node.name),
  evaluate(node, party) {
    party.shares[node.id] = party.takeInput(node);
  },
};

/** A bias: the servers hold shares of it since deployment. */
export const parameter: Operation<ParameterNode> = {
  ...local,
  clear: (node, run) => repeat(run.tensor(node.tensor), node.rows),
  exact: (node, run) => repeat(run.tensor(node.tensor), node.rows),
  evaluate(node, party) {
    const share = party.model.vector(node.tensor);
    const out = party.ring.zeros(node.length);
    party.ring.kernels.addRow(out.ptr, out.ptr, share.ptr, node.rows, share.length);
    party.shares[node.id] = out;
  },
};

/** A public zero: both shares are zero. */
export const zero: Operation<ZeroNode> = {
  ...local,
  clear: (node) => new Float64Array(node.length),
  exact: (node) => new Float64Array(node.length),
  evaluate(node, party) {
    party.shares[node.id] = party.ring.zeros(node.length);
  },
};

/** Revealed to the client alone: each server sends it its share (Party.result). */
export const output: Operation<OutputNode> = {
  ...local,
  clear: (node, run) => run.value(node.x),
  exact: (node, run) => run.value(node.x),
  evaluate(node, party) {
    const out = party.ring.alloc(node.length);
    party.ring.kernels.reduce(out.ptr, party.share(node.x).ptr, node.modulus, node.length);
    party.shares[node.id] = out;
  },
};

function repeat(row: Float64Array, rows: number): Float64Array {
  const out = new Float64Array(row.length * rows);
  for (let r = 0; r < rows; r++) out.set(row, r * row.length);
  return out;
}
