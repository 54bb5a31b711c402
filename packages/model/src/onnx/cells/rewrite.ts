/** Puts nodes in order again after some were replaced. */
import { badModel, quote } from "../errors.js";
import type { Node } from "../graph.js";

/**
 * The nodes that the outputs depend on, each after those that it reads from.
 * @returns undefined if they depend on each other in a circle.
 */
export function ordered(nodes: readonly Node[], outputs: readonly string[]): Node[] | undefined {
  const producers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (producers.has(name)) badModel(`the value ${quote(name)} is defined twice`);
      producers.set(name, index);
    }
  });
  const known = (names: readonly string[]) =>
    names.map((name) => producers.get(name)).filter((index) => index !== undefined);
  const needs = ({ inputs, captured = [] }: Node) => known([...inputs, ...captured]);
  const sorted: Node[] = [];
  const state = new Map<number, "open" | "done">();
  // In the order of the nodes where that is possible: messages then speak of the first one that is wrong.
  const live = reach(nodes, known(outputs), needs);
  for (const start of live) {
    const stack = [start];
    while (stack.length > 0) {
      const index = stack[stack.length - 1]!;
      if (!state.has(index)) {
        state.set(index, "open");
        for (const next of needs(nodes[index]!)) {
          if (state.get(next) === "open") return undefined;
          if (!state.has(next)) stack.push(next);
        }
        continue;
      }
      stack.pop();
      if (state.get(index) === "open") sorted.push(nodes[index]!);
      state.set(index, "done");
    }
  }
  return sorted;
}

function reach(nodes: readonly Node[], from: number[], needs: (node: Node) => number[]): number[] {
  const live = new Set<number>();
  for (let index = from.pop(); index !== undefined; index = from.pop()) {
    if (live.has(index)) continue;
    live.add(index);
    from.push(...needs(nodes[index]!));
  }
  return [...live].sort((a, b) => a - b);
}
