/**
 * Finds GRU cells that an exporter wrote out as single operators, and writes them as ONNX's GRU: an unrolled loop
 * over a cell becomes one GRU over the sequence, a single cell one of a single step.
 *
 * A cell is recognised by what it computes, not by the names or the order of its nodes: the new state has to be
 * the polynomial n + z h - z n of a sigmoid, a tanh and the old state, and what goes into these has to be affine
 * (docs of GruLayer). Nothing is approximate. Nodes that something else reads too stay in the graph.
 */
import type { ModelInput } from "@sotto/core";
import type { Context } from "../context.js";
import type { Node } from "../graph.js";
import { Analysis, readersOf } from "./analysis.js";
import { chains, writeChain } from "./chain.js";
import { foldConstants } from "./constants.js";
import { TooLarge } from "./matrices.js";
import { Writer } from "./nodes.js";
import { ordered } from "./rewrite.js";

export type Convert = (ctx: Context, node: Node) => void;

/**
 * @param nodes in order; those of constants only are converted here and now.
 * @param fileSize in bytes: recognising takes memory in proportion to it.
 * @returns the nodes to convert, in order.
 */
export function recogniseCells(
  ctx: Context,
  nodes: readonly Node[],
  inputs: readonly ModelInput[],
  outputs: readonly string[],
  fileSize: number,
  convert: Convert,
): readonly Node[] {
  const ops = new Set(nodes.map((n) => n.opType));
  const mayBeCell = ops.has("Sigmoid") && ops.has("Tanh");
  if (!mayBeCell) return nodes;
  const rest = foldConstants(ctx, nodes, convert);
  const analysis = new Analysis(ctx, inputs, 2 ** 20 + 16 * fileSize, readersOf(rest, outputs));
  try {
    for (const node of rest) analysis.add(node);
    if (analysis.steps.size === 0) return rest;
    return replaced(ctx, analysis, rest, outputs, false) ?? replaced(ctx, analysis, rest, outputs, true) ?? rest;
  } catch (error) {
    if (error instanceof TooLarge) return rest;
    throw error;
  }
}

/** @returns undefined if whole chains would depend on each other in a circle, where steps do not. */
function replaced(
  ctx: Context,
  analysis: Analysis,
  nodes: readonly Node[],
  outputs: readonly string[],
  alone: boolean,
): Node[] | undefined {
  const written: Node[] = [];
  for (const chain of chains(analysis.steps.values(), analysis, alone)) {
    const writer = new Writer(ctx, analysis.facts.get(chain.steps[0]!.output).node!.name);
    writeChain(ctx, analysis, chain, writer);
    written.push(...writer.nodes);
  }
  const kept = nodes.filter((node) => !analysis.steps.has(node.outputs[0] ?? ""));
  return ordered([...kept, ...analysis.views, ...written], outputs);
}
