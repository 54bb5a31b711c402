import type { AffineLayer, ProductLayer, SumLayer } from "@sotto/core";
import type { LayerCall } from "../convert.js";
import { quote } from "../errors.js";
import { type LayerJson, parseLayer } from "../json.js";
import type { Value } from "../values.js";
import { type Outcome, RECURRENT, type Recurrent, readRecurrent, run } from "./recurrent.js";

/** GRU, CuDNNGRU and RNN. Inputs: the sequence, then an initial state for each cell. */
export function recurrentLayer(call: LayerCall): Value[] {
  const recurrent = readRecurrent(call);
  const [x, ...initial] = inputs(call);
  checkStates(call, initial, recurrent.cells.length);
  const { mask } = x!;
  if (mask && recurrent.zeroOutputForMask && !recurrent.returnSequences)
    call.options.unsupported("zero_output_for_mask without return_sequences");
  const padding = recurrent.zeroOutputForMask ? "zero" : "carry";
  const outcome = run(call, recurrent, { x: x!, initial, mask, padding });
  const y = ordered(call, outcome, recurrent, recurrent.goBackwards);
  // Keras passes the mask on as it is, even where it has turned the steps around.
  const output = recurrent.returnSequences && mask ? { ...y, mask: { ...mask, dirty: false } } : y;
  return recurrent.returnState ? [output, ...outcome.states] : [output];
}

/**
 * The backward layer's outputs are turned around in time before they are merged, and where there is a mask, outputs
 * at padding are 0 (keras-team/keras, src/layers/rnn/bidirectional.py).
 */
export function bidirectional(call: LayerCall): Value[] {
  const [forward, backward] = directions(call);
  const [x, ...initial] = inputs(call);
  const states = forward.cells.length;
  checkStates(call, initial, 2 * states);
  const { mask } = x!;
  const padding = forward.returnSequences ? "zero" : "carry";
  const a = run(call, forward, { x: x!, initial: initial.slice(0, states), mask, padding });
  const b = run(call, backward, { x: x!, initial: initial.slice(states), mask, padding });
  const ys = [
    ordered(call, a, forward, forward.goBackwards),
    ordered(call, b, backward, !backward.goBackwards),
  ];
  const rest = forward.returnState ? [...a.states, ...b.states] : [];
  const outputMask = forward.returnSequences && mask ? { ...mask, dirty: false } : undefined;
  const merged = merge(call, ys as [Value, Value]).map((y) => (outputMask ? { ...y, mask: outputMask } : y));
  return [...merged, ...rest];
}

function directions(call: LayerCall): [Recurrent, Recurrent] {
  const json = parseLayer(call.options.raw("layer"), `the layer inside of ${quote(call.name)}`);
  const back = call.options.has("backward_layer")
    ? parseLayer(call.options.raw("backward_layer"), `the backward layer inside of ${quote(call.name)}`)
    : turned(json);
  const [forward, backward] = [[json, "forward_layer"] as const, [back, "backward_layer"] as const].map(
    ([inner, part]) => {
      if (!RECURRENT.includes(inner.class_name))
        call.options.unsupported(
          `a layer of class ${quote(inner.class_name)} inside; supported are GRU and RNN(GRUCell)`,
        );
      return readRecurrent(call.inner(inner, part));
    },
  ) as [Recurrent, Recurrent];
  if (forward.goBackwards === backward.goBackwards) call.options.bad("both layers run in the same direction");
  for (const option of ["returnSequences", "returnState", "timeMajor"] as const)
    if (forward[option] !== backward[option]) call.options.bad(`the two layers differ in ${option}`);
  if (forward.cells.length !== backward.cells.length)
    call.options.bad("the two layers differ in their cells");
  if (forward.timeMajor) call.options.unsupported("time_major is not supported here");
  return [forward, backward];
}

function turned(json: LayerJson): LayerJson {
  return { ...json, config: { ...json.config, go_backwards: json.config.go_backwards !== true } };
}

function inputs(call: LayerCall): Value[] {
  const values = call.inputs.map((_, i) => call.real(i));
  const [x] = values;
  if (!x) call.options.bad("it has no input");
  call.rank(x, 3);
  return values;
}

function checkStates(call: LayerCall, initial: readonly Value[], expected: number): void {
  if (initial.length !== 0 && initial.length !== expected)
    call.options.bad(`it is given ${initial.length} initial states, expected ${expected} or none`);
}

/** The layer's first output: the sequence, from the last step to the first if `flip`, or the last state. */
function ordered(call: LayerCall, { sequence, states }: Outcome, recurrent: Recurrent, flip: boolean): Value {
  if (!sequence) return states[states.length - 1]!;
  return flip ? call.ctx.flip(call.name, sequence, recurrent.timeMajor ? 0 : 1) : sequence;
}

function merge(call: LayerCall, [a, b]: [Value, Value]): Value[] {
  const { ctx, name, options } = call;
  const raw = options.raw("merge_mode");
  if (raw === null) return [a, b];
  const mode = options.string("merge_mode", "concat");
  const inputs = [a.name, b.name];
  const [size, other] = [call.lastSize(a), call.lastSize(b)];
  if (mode === "concat") {
    const axis = a.shape.length - 1;
    return [ctx.concat(name, [a, b], axis, [...a.shape.slice(0, -1), size + other])];
  }
  if (size !== other)
    options.bad(`the two layers have ${size} and ${other} units, which can't be merged by ${mode}`);
  if (mode === "mul") return [ctx.add<ProductLayer>({ op: "product", name, inputs }, a.shape)];
  if (mode !== "sum" && mode !== "ave") options.bad(`merge_mode = ${quote(mode)} is unknown`);
  const sum = ctx.add<SumLayer>({ op: "sum", name, inputs }, a.shape);
  if (mode === "sum") return [sum];
  const scale = call.tensor("half", [1], Float32Array.of(0.5));
  return [ctx.add<AffineLayer>({ op: "affine", name, inputs: [sum.name], scale }, a.shape)];
}
