/** What the first message of a run opens. */
import { packedBytes } from "../ring/packed.js";
import type { NodeId } from "./nodes.js";
import type { Program } from "./program.js";

/**
 * Bytes at the beginning of the first round's messages that open inputs of the client, and nothing else. Only these may be
 * shown to it: with the dealer, which knows the masks, it could read in others a state, or an initial state of the model.
 */
export function inputBytesOpened(program: Program): number {
  let bytes = 0;
  for (const open of program.stages[0]?.openings ?? []) {
    if (!isInput(program, open.x)) break;
    bytes += packedBytes(open.length, open.modulus);
  }
  return bytes;
}

/** Inputs, moved: nothing of the model is in them. */
function isInput(program: Program, id: NodeId): boolean {
  const node = program.nodes[id];
  switch (node?.op) {
    case "input":
      return true;
    case "slice":
    case "gather":
      return isInput(program, node.x);
    case "concat":
      return node.xs.every((x) => isInput(program, x));
    default:
      return false;
  }
}
