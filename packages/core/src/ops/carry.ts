/** What the servers keep from one chunk of a stream to the next. docs/protocol.md, "Streams". */
import type { CarriedNode, CarryNode } from "../program/nodes.js";
import { local, type Operation } from "./operation.js";

/** Comes from the chunk before: the server holds its share (Party.begin). */
export const carried: Operation<CarriedNode> = {
  ...local,
  clear: (node, run) => run.input(node.name),
  exact: (node, run) => run.input(node.name),
  evaluate(node, party) {
    party.shares[node.id] = party.takeCarried(node);
  },
};

/** Kept for the next chunk (Party.carry), and sent to nobody. */
export const carry: Operation<CarryNode> = {
  ...local,
  clear: (node, run) => run.value(node.x),
  exact: (node, run) => run.value(node.x),
  evaluate(node, party) {
    const out = party.ring.alloc(node.length);
    party.ring.copy(out, 0, party.share(node.x), 0, node.length);
    party.shares[node.id] = out;
  },
};
