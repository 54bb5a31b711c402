/**
 * When each node of a program is run. Rounds are as few as the longest chain of openings; what is not on that chain has
 * slack, and is put where it costs nothing: an opening is sent in the last round that is in time for its consumers, and
 * what it needs is computed while the servers wait for each other's messages of the round before.
 */
import { type Node, type NodeId, type OpenNode, operands, type SharedNode } from "./nodes.js";

export interface Stage {
  /** Local work in order, without `ahead`: it needs what was opened in round `index`. */
  local: SharedNode[];
  /** Work of this stage that needs nothing of round `index`: done before `local`, while its message is on the way. */
  ahead: SharedNode[];
  /** What is sent in round index + 1. */
  openings: OpenNode[];
}

/** Stage s holds what is computed after round s, for round s + 1's message at its end. */
export function schedule(nodes: readonly (Node | undefined)[]): Stage[] {
  const due = dueStages(nodes);
  const ready: number[] = [];
  const stages = Array.from(
    { length: lastStage(nodes) + 1 },
    (): Stage => ({ local: [], ahead: [], openings: [] }),
  );
  for (const node of nodes) {
    if (!node) continue;
    const stage = due[node.id]!;
    if (node.op === "open") {
      stages[stage - 1]!.openings.push(node);
      ready[node.id] = stage;
      continue;
    }
    ready[node.id] = operands(node).reduce((latest, id) => Math.max(latest, ready[id]!), 0);
    stages[stage]![ready[node.id]! < stage ? "ahead" : "local"].push(node);
  }
  return stages;
}

/** Everything of a stage in order. */
export function stageNodes({ ahead, local, openings }: Stage): Node[] {
  return [...ahead, ...local, ...openings];
}

/** For each node, the last stage in which it may be computed (for an opening, the stage after its round). */
function dueStages(nodes: readonly (Node | undefined)[]): number[] {
  const due = new Array<number>(nodes.length).fill(lastStage(nodes));
  for (let id = nodes.length - 1; id >= 0; id--) {
    const node = nodes[id];
    if (!node) continue;
    // what an opening sends has to be there one stage before it is read
    const by = node.op === "open" ? due[id]! - 1 : due[id]!;
    for (const operand of operands(node) as NodeId[]) due[operand] = Math.min(due[operand]!, by);
  }
  return due;
}

function lastStage(nodes: readonly (Node | undefined)[]): number {
  return nodes.reduce((latest, node) => Math.max(latest, node?.level ?? 0), 0);
}
