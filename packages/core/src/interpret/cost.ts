/** What a run costs, from the program alone: known before anything runs, and equal to what is measured. */
import { operation } from "../ops/index.js";
import { drawBytes } from "../ops/operation.js";
import { inOrder, type Program, roundBytes, rounds } from "../program/program.js";
import { packedBytes } from "../ring/packed.js";

export interface Cost {
  /** Exchanges between the servers; both send in each. */
  rounds: number;
  /** Bytes that each server sends to the other, without frames. */
  openingBytes: number;
  /** Bytes of correction words from the dealer to server 1, without frames. */
  correctionBytes: number;
  /** Bytes of each share that the client sends and gets. */
  inputBytes: number;
  outputBytes: number;
}

export function cost(program: Program): Cost {
  let openingBytes = 0;
  for (let round = 1; round <= rounds(program); round++) openingBytes += roundBytes(program, round);
  let correctionBytes = 0;
  for (let s = 0; s < program.stages.length; s++) correctionBytes += stageCorrectionBytes(program, s);
  return {
    rounds: rounds(program),
    openingBytes,
    correctionBytes,
    inputBytes: program.inputs.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0),
    outputBytes: program.outputs.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0),
  };
}

/** Bytes of correction words of one stage. */
export function stageCorrectionBytes(program: Program, stage: number): number {
  const { local, openings } = program.stages[stage]!;
  return [...local, ...openings].reduce((sum, n) => sum + drawBytes(operation(n).draws(n, program)), 0);
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
    entry.correctionBytes += drawBytes(operation(node).draws(node, program));
  }
  return [...layers.values()];
}
