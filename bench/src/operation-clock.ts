/** How long each kind of operation takes in each interpretation: clocks around the operations of a program. */
import type { Program } from "@sotto/core";
import { type Node, operation } from "@sotto/core/testing";

export const PHASES = ["deal", "prepare", "evaluate"] as const;
export type Phase = (typeof PHASES)[number];

/** Milliseconds by kind of operation and phase; of servers, both together. */
export type OperationTimes = Map<string, Record<Phase, number>>;

export class OperationClock {
  private times: OperationTimes = new Map();
  private readonly undo: (() => void)[] = [];

  constructor(program: Program) {
    const kinds = new Map<Node["op"], Node>();
    for (const node of program.nodes) if (node) kinds.set(node.op, node);
    for (const [kind, node] of kinds) {
      // the operations are one object a kind; while this clock runs, its functions are timed ones
      const op = operation(node) as unknown as Record<Phase, (node: Node, player: unknown) => void>;
      for (const phase of PHASES) {
        const plain = op[phase];
        op[phase] = (n, player) => {
          const began = performance.now();
          plain.call(op, n, player);
          this.of(kind)[phase] += performance.now() - began;
        };
        this.undo.push(() => {
          op[phase] = plain;
        });
      }
    }
  }

  /** What was measured since the last call. */
  take(): OperationTimes {
    const { times } = this;
    this.times = new Map();
    return times;
  }

  stop(): void {
    for (const undo of this.undo) undo();
  }

  private of(kind: Node["op"]): Record<Phase, number> {
    let times = this.times.get(kind);
    if (!times) {
      times = { deal: 0, prepare: 0, evaluate: 0 };
      this.times.set(kind, times);
    }
    return times;
  }
}

/** The median of each figure over several runs. */
export function medianTimes(runs: readonly OperationTimes[]): OperationTimes {
  const median = (kind: string, phase: Phase) => {
    const values = runs.map((r) => r.get(kind)?.[phase] ?? 0).sort((a, b) => a - b);
    return values[values.length >> 1]!;
  };
  return new Map(
    [...(runs[0]?.keys() ?? [])].map((kind) => [
      kind,
      {
        deal: median(kind, "deal"),
        prepare: median(kind, "prepare"),
        evaluate: median(kind, "evaluate"),
      },
    ]),
  );
}
