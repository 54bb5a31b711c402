/** What a run costs, from the program alone: known before anything runs, and equal to what is measured. */
import { operation } from "../ops/index.js";
import { drawBytes, drawWords } from "../ops/operation.js";
import type { Node } from "../program/nodes.js";
import { inOrder, type Program, roundBytes, rounds } from "../program/program.js";
import { stageNodes } from "../program/schedule.js";
import { packedBytes } from "../ring/packed.js";

export interface Cost {
  /** Exchanges between the servers; both send in each. */
  rounds: number;
  /** Bytes that each server sends to the other, without frames. */
  openingBytes: number;
  /** Bytes of correction words from the dealer to server 1, without frames. */
  correctionBytes: number;
  /** Those of them that server 0 gets as well. */
  commonBytes: number;
  /** Bytes of each share that the client sends and gets. */
  inputBytes: number;
  outputBytes: number;
}

export function cost(program: Program): Cost {
  let openingBytes = 0;
  for (let round = 1; round <= rounds(program); round++) openingBytes += roundBytes(program, round);
  const corrections = (server: 0 | 1) =>
    program.stages.reduce((sum, _, stage) => sum + stageCorrectionBytes(program, stage, server), 0);
  return {
    rounds: rounds(program),
    openingBytes,
    correctionBytes: corrections(1),
    commonBytes: corrections(0),
    inputBytes: program.inputs.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0),
    outputBytes: program.outputs.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0),
  };
}

/** By stage, for server 0 and server 1. Every run of a program asks for them. */
const byStage = new WeakMap<Program, (readonly [number, number])[]>();

/** Bytes of correction words of one stage for a server. */
export function stageCorrectionBytes(program: Program, stage: number, server: 0 | 1): number {
  let bytes = byStage.get(program);
  if (!bytes) {
    bytes = program.stages.map((s) => {
      const nodes = stageNodes(s);
      const of = (to: 0 | 1) => nodes.reduce((sum, n) => sum + correctionBytes(n, program, to), 0);
      return [of(0), of(1)] as const;
    });
    byStage.set(program, bytes);
  }
  return bytes[stage]![server];
}

function correctionBytes(node: Node, program: Program, server: 0 | 1): number {
  const { draws, common } = operation(node);
  return (server === 1 ? drawBytes(draws(node, program)) : 0) + drawBytes(common?.(node, program) ?? []);
}

/**
 * Bytes of memory that what a server prepares for a stage takes until it is used, and what is expanded of it, if that is
 * done ahead.
 */
export function preparedBytes(program: Program, stage: number): { drawn: number; expanded: number } {
  let [drawn, expanded] = [0, 0];
  for (const node of stageNodes(program.stages[stage]!)) {
    const { draws, common, expanded: words } = operation(node);
    drawn += drawWords(draws(node, program)) + drawWords(common?.(node, program) ?? []);
    expanded += words?.(node, program) ?? 0;
    if (node.op === "open") drawn += node.length;
  }
  return { drawn: drawn * 8, expanded: expanded * 8 };
}

/** Bytes that a server expands the keys of point vectors to. */
export function expandedBytes(program: Program): number {
  let words = 0;
  for (const node of inOrder(program)) words += operation(node).expanded?.(node, program) ?? 0;
  return words * 8;
}

/** Cost by layer: bytes opened (each direction) and of correction, in the order of first appearance. */
export function costByLayer(
  program: Program,
): { label: string; openingBytes: number; correctionBytes: number }[] {
  const layers = new Map<string, { label: string; openingBytes: number; correctionBytes: number }>();
  for (const node of inOrder(program)) {
    const entry = layers.get(node.label) ?? { label: node.label, openingBytes: 0, correctionBytes: 0 };
    layers.set(node.label, entry);
    if (node.op === "open") entry.openingBytes += packedBytes(node.length, node.modulus);
    entry.correctionBytes += correctionBytes(node, program, 1);
  }
  return [...layers.values()];
}
