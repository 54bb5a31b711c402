/** Axes, ranges and sizes that views are given as attributes or as inputs. */
import type { Node } from "../graph.js";
import type { Fact, Size } from "./facts.js";

type Get = (name: string) => Fact;

/** Axis counted from the start, undefined if the shape does not have it. */
export function axisOf(axis: number, rank: number): number | undefined {
  const counted = axis < 0 ? axis + rank : axis;
  return counted >= 0 && counted < rank ? counted : undefined;
}

/** Integers that are an attribute in older opsets and an input in newer ones. */
export function integersOf(node: Node, attribute: string, input: number, get: Get): Size[] | undefined {
  return (
    node.attributes.integers(attribute) ?? (node.inputs[input] ? get(node.inputs[input]).ints : undefined)
  );
}

export interface Cut {
  axis: number;
  start: number;
  /** How many, where they can be counted. */
  size: Size;
  step: number;
}

/** What a Slice takes of each axis that it names; undefined if that is not known. */
export function cutsOf(node: Node, get: Get): Cut[] | undefined {
  const { shape } = get(node.inputs[0] ?? "");
  const attributes = node.inputs.length === 1;
  const read = (name: string, at: number) =>
    attributes ? node.attributes.integers(name) : node.inputs[at] ? get(node.inputs[at]).ints : undefined;
  const [starts, ends] = [read("starts", 1), read("ends", 2)];
  const given = (at: number) => !attributes && node.inputs[at] !== undefined && node.inputs[at] !== "";
  const axes = read("axes", 3) ?? (given(3) ? undefined : starts?.map((_, i) => i));
  const steps = given(4) ? read("steps", 4) : starts?.map(() => 1);
  if (!shape || !starts || !ends || !axes || !steps) return undefined;
  const cuts: Cut[] = [];
  for (const [i, from] of starts.entries()) {
    const [to, step] = [ends[i], steps[i]];
    const axis = axes[i] === undefined ? undefined : axisOf(axes[i], shape.length);
    if (from === undefined || step === undefined || step === 0 || axis === undefined) return undefined;
    cuts.push({ axis, step, ...extent(from, to, step, shape[axis]) });
  }
  return cuts;
}

function extent(from: number, to: Size, step: number, size: Size): { start: number; size: Size } {
  if (size === undefined) {
    // One element can be told without knowing how many there are.
    const one = to !== undefined && step === 1 && to - from === 1 && from >= 0;
    return { start: from, size: one ? 1 : undefined };
  }
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (p: number) => Math.min(Math.max(p < 0 ? p + size : p, low), high);
  const start = Math.max(clamp(from), 0);
  return { start, size: to === undefined ? undefined : Math.max(0, Math.ceil((clamp(to) - start) / step)) };
}

/** The sizes of a Split's parts. */
export function partsOf(node: Node, get: Get): Size[] | undefined {
  const given = node.attributes.integers("split") ?? (node.inputs[1] ? get(node.inputs[1]).ints : undefined);
  if (given || node.inputs[1]) return given?.length === node.outputs.length ? given : undefined;
  const { shape } = get(node.inputs[0] ?? "");
  const axis = shape && axisOf(node.attributes.integer("axis") ?? 0, shape.length);
  const size = axis === undefined ? undefined : shape?.[axis];
  if (size === undefined) return undefined;
  const part = Math.ceil(size / node.outputs.length);
  return node.outputs.map((_, i) => Math.max(0, Math.min(part, size - i * part)));
}
