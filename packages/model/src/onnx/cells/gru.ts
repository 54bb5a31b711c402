/** Writes a recognised cell as ONNX's GRU. */
import type { Context } from "../context.js";
import type { Analysis } from "./analysis.js";
import type { Facts } from "./facts.js";
import type { Matrix } from "./matrices.js";
import type { Writer } from "./nodes.js";
import type { Step } from "./step.js";

/**
 * Writes a GRU over x [T, B, I] with a step's weights and initial state.
 * @param batch where it is known.
 * @returns Y and Y_h, as in ONNX.
 */
export function writeGru(
  ctx: Context,
  analysis: Analysis,
  writer: Writer,
  x: string,
  { hidden, resetAfter, W, U, bW, bU, state }: Step,
  batch: number | undefined,
): { Y: string; last: string } {
  // Steps that can't be joined have the same weights, which are kept once.
  const tensor = (what: string, shape: number[], ...parts: Matrix[]): string =>
    ctx.sharedTensor(`cell ${what} ${shape} ${parts.map((m) => m.id)}`, () =>
      addReals(
        ctx,
        `${writer.name}.${what}`,
        shape,
        parts.map((m) => m.data),
      ),
    );
  const inputs = [
    x,
    tensor("W", [1, 3 * hidden, W.columns], W),
    tensor("R", [1, 3 * hidden, hidden], U ?? analysis.matrices.fill(3 * hidden, hidden, 0)),
    tensor("B", [1, 6 * hidden], bW, bU),
  ];
  if (state !== undefined && analysis.facts.get(state).fill !== 0)
    inputs.push("", initialState(ctx, analysis.facts, writer, state, hidden, batch));
  const [Y, last] = [ctx.fresh(`${writer.name}.Y`), ctx.fresh(`${writer.name}.Y_h`)];
  writer.gru(inputs, [Y, last], { hidden_size: hidden, linear_before_reset: resetAfter ? 1 : 0 });
  return { Y, last };
}

/** [1, B, H]. A constant, also one that is expanded to the batch's size, belongs to the model. */
function initialState(
  ctx: Context,
  facts: Facts,
  writer: Writer,
  state: string,
  hidden: number,
  batch: number | undefined,
): string {
  const { node } = facts.get(state);
  const source = ctx.find(facts.resolve(node?.opType === "Expand" ? (node.inputs[0] ?? "") : state));
  if (source?.kind !== "constant" || source.data.length % hidden !== 0) return writer.unsqueeze(state, 0);
  const rows = source.data.length / hidden;
  const row = Float64Array.from(source.data);
  const repeated = rows === 1 && batch !== undefined && batch * hidden <= 2 ** 20 ? batch : 1;
  return addReals(
    ctx,
    `${writer.name}.initial`,
    [1, rows * repeated, hidden],
    Array.from({ length: repeated }, () => row),
  );
}

function addReals(ctx: Context, label: string, shape: number[], parts: Float64Array[]): string {
  const name = ctx.fresh(label);
  const data = new Float64Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  ctx.define(name, { kind: "constant", name, type: "float", shape, data });
  return name;
}
