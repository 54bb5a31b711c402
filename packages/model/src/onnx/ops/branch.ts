import { decodeSubgraph } from "../cells/subgraph.js";
import type { Context } from "../context.js";
import { badNode, unsupportedNode } from "../errors.js";
import { type Node, wrap } from "../graph.js";
import { readTensor } from "../tensor.js";

const CONDITION =
  "what is computed can't depend on conditions; export by tracing (torch.onnx.export of the module itself, not of " +
  "torch.jit.script(module)), or with fixed sizes, and the branch that is taken becomes the model";

/**
 * An If whose condition is known while importing: the branch that is taken is in its place. PyTorch writes one for every
 * x.squeeze(axis) of a model with dynamic axes.
 */
export function branch(ctx: Context, node: Node, convert: (ctx: Context, node: Node) => void): void {
  const condition = ctx.input(node, 0);
  if (condition.kind !== "constant" || condition.data.length !== 1) unsupportedNode(node, CONDITION);
  const names = ["then_branch", "else_branch"] as const;
  const bytes = names.map((name) => node.attributes.graph(name));
  node.attributes.refuseRest();
  const [taken, wanted] = condition.data[0] ? [bytes[0], names[0]] : [bytes[1], names[1]];
  if (!taken) badNode(node, `it has no ${wanted}`);
  const graph = decodeSubgraph(taken, node.name);
  if (graph.output.length !== node.outputs.length || graph.input.length > 0)
    badNode(
      node,
      `its ${wanted} has ${graph.input.length} inputs and ${graph.output.length} outputs; expected 0 and ${node.outputs.length}`,
    );

  const own = new Map<string, string>();
  // two branches may use one name, and so may the branches inside of them
  const scope = new Map(node.scope);
  const define = (name: string) => {
    if (name === "") return "";
    if (own.has(name)) badNode(node, `the value ${JSON.stringify(name)} is defined twice in its ${wanted}`);
    const fresh = ctx.fresh(name);
    own.set(name, fresh);
    scope.set(name, fresh);
    return fresh;
  };
  const read = (name: string) => scope.get(name) ?? name;
  for (const tensor of graph.initializer) {
    const name = define(tensor.name);
    ctx.define(name, { kind: "constant", name, ...readTensor(tensor) });
  }
  for (const [index, proto] of graph.node.entries()) {
    const inner = wrap(proto, index, node.opset);
    const inputs = inner.inputs.map(read);
    for (const name of inputs)
      if (name !== "" && !ctx.find(name))
        badNode(inner, `it reads ${JSON.stringify(name)}, which nothing defines`);
    const name = proto.name || `${node.name}.${inner.name}`;
    convert(ctx, { ...inner, name, inputs, outputs: inner.outputs.map(define), scope });
  }
  graph.output.forEach((output, i) => {
    const value = ctx.find(read(output.name));
    if (!value) badNode(node, `nothing in its ${wanted} computes its output ${JSON.stringify(output.name)}`);
    ctx.define(node.outputs[i]!, value);
  });
}
