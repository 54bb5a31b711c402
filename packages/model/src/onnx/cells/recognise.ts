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
import { isStandardDomain } from "../decode.js";
import type { Node } from "../graph.js";
import { Analysis, readersOf } from "./analysis.js";
import { ChainWriter, chains } from "./chain.js";
import { foldConstants } from "./constants.js";
import { type Lists, unroll } from "./loop.js";
import { readLoop } from "./loop-form.js";
import { TooLarge } from "./matrices.js";
import { makeNode } from "./nodes.js";
import { axisOf } from "./parameters.js";
import { ordered } from "./rewrite.js";

const LOOPS: ReadonlySet<string> = new Set(["Loop", "Scan"]);

export interface CellOptions {
  inputs: readonly ModelInput[];
  outputs: readonly string[];
  /** In bytes: recognising takes memory in proportion to it. */
  fileSize: number;
  convert: (ctx: Context, node: Node) => void;
}

/**
 * @param nodes in order; those of constants only are converted here and now.
 * @returns the nodes to convert, in order.
 */
export function recogniseCells(ctx: Context, nodes: readonly Node[], options: CellOptions): readonly Node[] {
  const { inputs, outputs, fileSize, convert } = options;
  const ops = new Set(nodes.map((n) => n.opType));
  const mayBeCell = ops.has("Sigmoid") && ops.has("Tanh");
  const loops = ops.has("Loop") || ops.has("Scan");
  if (!mayBeCell && !loops) return nodes;
  const rest = foldConstants(ctx, nodes, convert);
  const analysis = new Analysis(ctx, inputs, 2 ** 20 + 16 * fileSize, readersOf(rest, outputs));
  try {
    const flat = withoutLoops(ctx, analysis, rest, convert);
    if (analysis.steps.size === 0 && !loops) return rest;
    return (
      replaced(ctx, analysis, flat, outputs, false) ?? replaced(ctx, analysis, flat, outputs, true) ?? rest
    );
  } catch (error) {
    if (error instanceof TooLarge) return rest;
    throw error;
  }
}

/** Analyses the nodes one after another. @returns them, with Loops and Scans replaced. */
function withoutLoops(
  ctx: Context,
  analysis: Analysis,
  nodes: readonly Node[],
  convert: CellOptions["convert"],
): Node[] {
  const flat: Node[] = [];
  const lists: Lists = new Map();
  const add = (node: Node) => {
    analysis.add(node);
    flat.push(node);
  };
  for (const node of nodes) {
    if (LOOPS.has(node.opType) && isStandardDomain(node.domain)) {
      const { form, before } = readLoop(ctx, analysis, node, convert);
      for (const written of before) add(written);
      for (const written of unroll(ctx, analysis, form, lists)) add(written);
    } else add(stacked(analysis, lists, node) ?? node);
  }
  return flat;
}

/** ConcatFromSequence of a list that a loop made. */
function stacked({ facts }: Analysis, lists: Lists, node: Node): Node | undefined {
  const sequence = node.opType === "ConcatFromSequence" && lists.get(facts.resolve(node.inputs[0] ?? ""));
  const axis = node.attributes.integer("axis") ?? 0;
  if (!sequence || node.attributes.integer("new_axis") !== 1 || axisOf(axis, 3) === undefined)
    return undefined;
  const perm = [1, 2];
  perm.splice(axisOf(axis, 3)!, 0, 0);
  return makeNode("Transpose", node.name, [sequence], node.outputs, { perm });
}

/** @returns undefined if whole chains would depend on each other in a circle, where steps do not. */
function replaced(
  ctx: Context,
  analysis: Analysis,
  nodes: readonly Node[],
  outputs: readonly string[],
  alone: boolean,
): Node[] | undefined {
  const writer = new ChainWriter(ctx, analysis, chains(analysis.steps.values(), analysis, alone));
  writer.write();
  const kept = nodes.flatMap((node) => {
    if (analysis.steps.has(node.outputs[0] ?? "")) return [];
    return (node.opType === "Concat" && writer.stack(node)) || [node];
  });
  return ordered([...kept, ...analysis.views, ...writer.nodes], outputs);
}
