/**
 * What an operation is: one file per operation gives its meaning in every interpretation and its cost.
 * docs/protocol.md states each one's mathematics and why what it opens is uniform.
 */

import type { Dealer } from "../interpret/dealer.js";
import type { Party } from "../interpret/party.js";
import type { Node, NodeId } from "../program/nodes.js";
import type { Program } from "../program/program.js";
import { packedBytes } from "../ring/packed.js";

/** Plain values of a run of the clear (reals) or the exact (integers in doubles) interpretation. */
export interface PlainRun {
  program: Program;
  value(id: NodeId): Float64Array;
  /** A tensor's reals (clear) or integers (exact), rows one after the other. */
  tensor(name: string): Float64Array;
  /** An input's reals (clear) or integers (exact). */
  input(name: string): Float64Array;
}

/** n words mod 2^bits of a sharing that the dealer supplies; nothing when bits <= 0. */
export interface Draw {
  n: number;
  bits: number;
}

export interface Operation<N extends Node = Node> {
  /** Over reals: what the model computes without privacy. */
  clear(node: N, run: PlainRun): Float64Array;
  /** Over integers: what the servers compute, up to the last place of truncations and the choice of node. */
  exact(node: N, run: PlainRun): Float64Array;
  /** The correction words that the dealer sends to server 1, in order. */
  draws(node: N, program: Program): readonly Draw[];
  /** Those that it sends to server 0 as well, after the former in the same stream. */
  common?(node: N, program: Program): readonly Draw[];
  /** Words that a server expands the common ones to. */
  expanded?(node: N, program: Program): number;
  /** The dealer's part. It walks in the same order as the servers and draws the same streams. */
  deal(node: N, dealer: Dealer): void;
  /** A server's part that depends on correlated randomness alone: done before the input arrives. */
  prepare(node: N, party: Party): void;
  /** A server's part that depends on shares. */
  evaluate(node: N, party: Party): void;
}

/** Bytes of correction words of a node. */
export function drawBytes(draws: readonly Draw[]): number {
  return draws.reduce((sum, d) => sum + (d.bits > 0 ? packedBytes(d.n, d.bits) : 0), 0);
}

/** Words of draws, those of no bits counted. */
export function drawWords(draws: readonly Draw[]): number {
  let words = 0;
  for (const { n } of draws) words += n;
  return words;
}

/** A node's draws are asked for by every run: they are made once. */
export function remembered<N extends Node>(
  make: (node: N, program: Program) => readonly Draw[],
): (node: N, program: Program) => readonly Draw[] {
  const made = new WeakMap<N, readonly Draw[]>();
  return (node, program) => {
    let draws = made.get(node);
    if (!draws) {
      draws = make(node, program);
      made.set(node, draws);
    }
    return draws;
  };
}

/** The parts of an operation that needs no correlated randomness. */
export const local = {
  draws: (): Draw[] => [],
  deal: (): void => {},
  prepare: (): void => {},
};
