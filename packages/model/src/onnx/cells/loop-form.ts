/** Reads ONNX's Loop and Scan operators. */
import type { Context } from "../context.js";
import { badNode, unsupportedNode } from "../errors.js";
import type { Node } from "../graph.js";
import type { Analysis } from "./analysis.js";
import { type Body, readBody } from "./body.js";
import { type LoopForm, refuseLoop } from "./loop.js";
import { Writer } from "./nodes.js";
import { axisOf } from "./parameters.js";

type Convert = (ctx: Context, node: Node) => void;

/** @returns the loop, and nodes that its sequences need. */
export function readLoop(
  ctx: Context,
  analysis: Analysis,
  node: Node,
  convert: Convert,
): { form: LoopForm; before: Node[] } {
  const body = readBody(ctx, node, convert);
  const inner = body.nodes.find((n) => ["Loop", "Scan", "If"].includes(n.opType));
  if (inner) refuseLoop(node, body.operators, `its body has another ${inner.opType}`);
  return node.opType === "Loop"
    ? { form: loopForm(ctx, analysis, node, body), before: [] }
    : scanForm(ctx, analysis, node, body);
}

/** inputs: trips, condition, states; body: iteration, condition, states -> condition, states, collected. */
function loopForm(ctx: Context, { facts }: Analysis, node: Node, body: Body): LoopForm {
  node.attributes.refuseRest();
  const [trips = "", condition = "", ...initial] = node.inputs;
  const count = initial.length;
  const [iteration, holds, ...before] = body.inputs;
  if (
    iteration === undefined ||
    holds === undefined ||
    before.length !== count ||
    body.outputs.length < 1 + count
  )
    badNode(
      node,
      `its body has ${body.inputs.length} inputs and ${body.outputs.length} outputs for ${count} states`,
    );
  const [goesOn, ...after] = body.outputs;
  const always = (name: string) => {
    const value = ctx.find(facts.resolve(name));
    return value?.kind === "constant" && value.data.length === 1 && value.data[0] !== 0;
  };
  facts.given(iteration, []);
  facts.given(holds, []);
  // Resolved in the body's own nodes, which are not known yet.
  const last = throughIdentities(body, goesOn!);
  if (trips === "") refuseLoop(node, body.operators, "the number of its steps is not given");
  if (!((condition === "" || always(condition)) && (last === holds || always(last))))
    refuseLoop(node, body.operators, "it ends by a condition that is computed");
  return {
    node,
    body,
    states: initial.map((name, i) => ({
      initial: name,
      before: before[i]!,
      after: after[i]!,
      result: node.outputs[i] ?? "",
    })),
    sequences: new Map(),
    collected: after
      .slice(count)
      .map((value, i) => ({ value, result: node.outputs[count + i] ?? "", axis: 0, reverse: false })),
    iteration,
    trips,
  };
}

function throughIdentities(body: Body, name: string): string {
  for (let i = body.nodes.length - 1, at = name; ; i--) {
    const node = body.nodes[i];
    if (!node) return at;
    if (node.outputs[0] === at && (node.opType === "Identity" || node.opType === "Cast"))
      at = node.inputs[0] ?? "";
  }
}

/** inputs: states, sequences; body: states, steps -> states, collected. */
function scanForm(
  ctx: Context,
  { facts }: Analysis,
  node: Node,
  body: Body,
): { form: LoopForm; before: Node[] } {
  const { attributes } = node;
  if (node.opset < 9) unsupportedNode(node, "it is of opset 8; export with opset_version=17");
  const given =
    attributes.integer("num_scan_inputs") ?? badNode(node, "attribute num_scan_inputs is missing");
  const count = node.inputs.length - given;
  if (given < 1 || count < 0 || body.inputs.length !== node.inputs.length || body.outputs.length < count)
    badNode(
      node,
      `it has ${node.inputs.length} inputs, ${given} of them sequences, and its body ${body.inputs.length}`,
    );
  const collects = body.outputs.length - count;
  const list = (name: string, length: number) => {
    const values = attributes.integers(name) ?? new Array<number>(length).fill(0);
    if (values.length !== length)
      badNode(node, `attribute ${name} has ${values.length} numbers, expected ${length}`);
    return values;
  };
  const [axes, directions] = [list("scan_input_axes", given), list("scan_input_directions", given)];
  const [outAxes, outDirections] = [
    list("scan_output_axes", collects),
    list("scan_output_directions", collects),
  ];
  attributes.refuseRest();
  const writer = new Writer(ctx, node.name);
  const sequences = new Map<string, string>();
  for (let i = 0; i < given; i++) {
    const [outer, inner] = [node.inputs[count + i]!, body.inputs[count + i]!];
    const { shape } = facts.get(outer);
    const axis = shape?.length === 3 ? axisOf(axes[i]!, 3) : undefined;
    if (axis === undefined)
      refuseLoop(
        node,
        body.operators,
        `its sequence ${JSON.stringify(outer)} is not known to be [time, batch, features]`,
      );
    facts.given(
      inner,
      shape!.filter((_, k) => k !== axis),
    );
    const front = writer.toFront(outer, axis, 3);
    sequences.set(inner, directions[i] === 1 ? writer.slice(front, 0, -1, undefined, -1) : front);
  }
  const states = node.inputs.slice(0, count).map((initial, i) => ({
    initial,
    before: body.inputs[i]!,
    after: body.outputs[i]!,
    result: node.outputs[i] ?? "",
  }));
  const collected = body.outputs.slice(count).map((value, i) => {
    const axis =
      axisOf(outAxes[i]!, 3) ?? badNode(node, `scan_output_axes has ${outAxes[i]}, expected one of 3 axes`);
    return { value, result: node.outputs[count + i] ?? "", axis, reverse: outDirections[i] === 1 };
  });
  return { form: { node, body, states, sequences, collected }, before: writer.nodes };
}
