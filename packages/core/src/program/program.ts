/**
 * A finished program: nodes that outputs need, their moduli, their stages, what crosses the wire.
 *
 * At the end of stage s the openings of round s + 1 are sent, all in one message. Layers, directions, gates and sequences
 * that are ready together therefore share rounds without anybody saying so.
 */
import { SottoError } from "../errors.js";
import { packedBytes } from "../ring/packed.js";
import { signedBits } from "./bits.js";
import {
  type CarriedNode,
  type CarryNode,
  type Node,
  type NodeId,
  type OpenNode,
  operands,
  type SharedNode,
} from "./nodes.js";
import { type Stage, schedule, stageNodes } from "./schedule.js";

const WORD = 64;

export interface Program {
  nodes: readonly (Node | undefined)[];
  stages: readonly Stage[];
  inputs: readonly SharedNode[];
  outputs: readonly SharedNode[];
  /** What the servers hold from the chunk before, and what they keep for the next one. */
  carried: readonly CarriedNode[];
  carries: readonly CarryNode[];
  /** lastUse[id]: the nodes whose values are not needed any more once `id` has been run. */
  lastUse: readonly (readonly NodeId[] | undefined)[];
}

/** Rounds of a program: openings are sent at the end of every stage but the last. */
export function rounds(program: Program): number {
  return program.stages.length - 1;
}

/** Bytes of one server's message of a round (1-based), without the frame around it. */
export function roundBytes(program: Program, round: number): number {
  const stage = program.stages[round - 1];
  return stage ? stage.openings.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0) : 0;
}

/** @throws SottoError does-not-fit, naming the layer, when a modulus beyond 2^64 would be needed. */
export function finishProgram(recorded: readonly Node[]): Program {
  const nodes = prune(recorded);
  assignModuli(nodes);
  const stages = schedule(nodes);
  const live = nodes.filter((n): n is Node => n !== undefined);
  return {
    nodes,
    stages,
    inputs: live.filter((n): n is SharedNode => n.op === "input"),
    outputs: live.filter((n): n is SharedNode => n.op === "output"),
    carried: live.filter((n) => n.op === "carried"),
    carries: live.filter((n) => n.op === "carry"),
    lastUse: lastUses(stages, nodes.length),
  };
}

/** Every node in the order in which all interpretations run them. */
export function* inOrder(program: Program): Generator<Node> {
  for (const stage of program.stages) yield* stageNodes(stage);
}

/** What is there whether or not an output needs it: the client's message, and what is kept between chunks. */
const STAYS = new Set<Node["op"]>(["input", "output", "carried", "carry"]);

/** Drops what no output needs. */
function prune(recorded: readonly Node[]): (Node | undefined)[] {
  const needed = new Set<NodeId>();
  for (let id = recorded.length - 1; id >= 0; id--) {
    const node = recorded[id]!;
    if (!STAYS.has(node.op) && !needed.has(id)) continue;
    needed.add(id);
    for (const operand of operands(node)) needed.add(operand);
  }
  return recorded.map((node) => (needed.has(node.id) ? node : undefined));
}

function lastUses(stages: readonly Stage[], count: number): (NodeId[] | undefined)[] {
  const last = new Map<NodeId, NodeId>();
  for (const stage of stages) {
    for (const node of stageNodes(stage)) {
      for (const operand of operands(node)) last.set(operand, node.id);
    }
  }
  const uses = new Array<NodeId[] | undefined>(count).fill(undefined);
  for (const [operand, user] of last) {
    const list = uses[user];
    if (list) list.push(operand);
    else uses[user] = [operand];
  }
  return uses;
}

/** The largest |value| in real units, where a node says so. */
function reach(node: Node): number {
  return "lo" in node ? Math.max(-node.lo, node.hi) / 2 ** node.scale : 0;
}

/** Backwards: each value gets the smallest modulus that its consumers can work with. */
function assignModuli(nodes: readonly (Node | undefined)[]): void {
  /** Of the values for whose sake a node has its modulus, for the message. */
  const largest: (number | undefined)[] = [];
  const need = (id: NodeId, bits: number, by: Node): void => {
    const node = nodes[id]!;
    if (bits > node.modulus)
      largest[id] = Math.max(reach(by), bits >= by.modulus ? (largest[by.id] ?? 0) : 0);
    if (bits > WORD) {
      throw new SottoError(
        "does-not-fit",
        `layer ${by.label}: ${by.op} needs ${bits} bits, and a word has ${WORD}: the input range and the weights allow ` +
          `values up to ${Math.max(reach(node), reach(by), largest[by.id] ?? 0).toPrecision(3)} here; ` +
          "declare a smaller input range (--input-range), or scale inputs and weights down",
      );
    }
    node.modulus = Math.max(node.modulus, bits);
  };
  for (let id = nodes.length - 1; id >= 0; id--) {
    const node = nodes[id];
    if (!node) continue;
    // a product for which it was to be shifted may have been pruned
    if (node.op === "open" && node.operandModulus === 0) node.operandShift = undefined;
    switch (node.op) {
      case "output":
        node.modulus = signedBits(node.lo, node.hi);
        need(node.x, node.modulus, node);
        break;
      case "carry":
        // all bits: the next chunk reads it as this one would read it on
        node.modulus = WORD;
        need(node.x, WORD, node);
        break;
      case "open": {
        const x = nodes[node.x] as SharedNode;
        node.modulus = node.exactModulus ?? Math.max(node.modulus, liftBits(node, x));
        need(node.x, node.modulus, node);
        break;
      }
      case "linear": {
        need(node.x, node.modulus + node.shift, node);
        const open = nodes[node.x] as OpenNode;
        open.operandModulus = Math.max(open.operandModulus, node.modulus);
        break;
      }
      case "add":
        need(node.a, Math.max(1, node.modulus - node.shiftA), node);
        need(node.b, Math.max(1, node.modulus - node.shiftB), node);
        break;
      case "truncate":
        need(node.x, node.modulus + node.shift, node);
        break;
      case "slice":
      case "gather":
      case "times":
      case "total":
      case "scaled":
        need(node.x, node.modulus, node);
        break;
      case "concat":
        for (const x of node.xs) need(x, node.modulus, node);
        break;
      case "finish":
      case "multiply":
        need(node.selection.u, node.modulus, node);
        break;
      case "interpolate":
        need(node.n.u, node.modulus, node);
        break;
    }
  }
}

/**
 * The modulus that lets an opened value be lifted after any right shift up to maxShift:
 * value + offset + 2^maxShift <= 2^(w-1), so that the shifted word, one more for the carry, stays below half.
 */
function liftBits(open: OpenNode, x: SharedNode): number {
  if (x.op === "select") return 1; // masks only: nothing is lifted from the coefficients
  let w = 1;
  while (x.hi + open.offset + 2 ** open.maxShift > 2 ** (w - 1)) w++;
  return Math.max(w, open.maxShift + 2);
}
