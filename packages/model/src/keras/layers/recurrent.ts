/** A stack of GRU cells over time: GRU, CuDNNGRU, RNN(GRUCell), RNN(StackedRNNCells). */
import type { Activation, GruLayer } from "@sotto/core";
import type { LayerCall } from "../convert.js";
import { quote } from "../errors.js";
import { parseLayer } from "../json.js";
import type { Mask, Value } from "../values.js";
import { readGate } from "./functions.js";
import { cudnnWeights, type GruWeights, kerasWeights } from "./gru-weights.js";

interface Cell {
  call: LayerCall;
  units: number;
  weights: (inputSize: number) => GruWeights;
  gate: Activation;
  candidate: Activation;
}

export interface Recurrent {
  cells: Cell[];
  goBackwards: boolean;
  returnSequences: boolean;
  returnState: boolean;
  timeMajor: boolean;
  zeroOutputForMask: boolean;
}

export const RECURRENT = ["GRU", "CuDNNGRU", "RNN"];

export function readRecurrent(call: LayerCall): Recurrent {
  const { options } = call;
  options.refuse("stateful", "pass the state on: return_state = True and initial_state");
  return {
    cells: readCells(call),
    goBackwards: options.boolean("go_backwards", false),
    returnSequences: options.boolean("return_sequences", false),
    returnState: options.boolean("return_state", false),
    timeMajor: options.boolean("time_major", false),
    zeroOutputForMask: options.boolean("zero_output_for_mask", false),
  };
}

function readCells(call: LayerCall): Cell[] {
  if (call.type === "GRU") return [readCell(call.inner(call.json, "cell"))];
  if (call.type === "CuDNNGRU") return [readCell(call)];
  const json = parseLayer(call.options.raw("cell"), `the cell of layer ${quote(call.name)}`);
  if (json.class_name !== "StackedRNNCells") return [readCell(call.inner(json, "cell"))];
  const cells = json.config.cells;
  if (json.config.reverse_state_order === true)
    call.options.unsupported("reverse_state_order is not supported");
  if (!Array.isArray(cells) || cells.length === 0) call.options.bad("StackedRNNCells has no cells");
  return cells.map((cell, i) => {
    const inner = parseLayer(cell, `a cell of layer ${quote(call.name)}`);
    // Keras numbers members of lists by their class (saving_lib.py, _save_container_state).
    return readCell(call.inner(inner, `cell/cells/gru_cell${i === 0 ? "" : `_${i}`}`));
  });
}

function readCell(call: LayerCall): Cell {
  const { options } = call;
  if (!["GRU", "GRUCell", "CuDNNGRU"].includes(call.type))
    options.unsupported(`cells of class ${quote(call.type)} are not supported; supported is GRUCell`);
  const units = options.size("units");
  if (call.type === "CuDNNGRU")
    return {
      call,
      units,
      weights: (inputSize) => cudnnWeights(call, units, inputSize),
      gate: { name: "sigmoid" },
      candidate: { name: "tanh" },
    };
  return {
    call,
    units,
    weights: (inputSize) => kerasWeights(call, units, inputSize),
    // What old files leave out had these values then.
    gate: readGate(call, "recurrent_activation", "hard_sigmoid"),
    candidate: readGate(call, "activation", "tanh"),
  };
}

export interface Outcome {
  /** Every state of the last cell, in the order of time whichever way it ran; [B, T, H], or as time_major says. */
  sequence?: Value;
  /** The last state of each cell [B, H]. */
  states: Value[];
}

export interface Run {
  /** [B, T, I], or [T, B, I] with time_major. */
  x: Value;
  /** One for each cell [B, H], or none. */
  initial: Value[];
  mask?: Mask;
  /** What the sequence has at padding. */
  padding: "zero" | "carry";
}

/** Writes the cells, each over all steps before the next: cells above see only what those below have put out. */
export function run(call: LayerCall, recurrent: Recurrent, { x, initial, mask, padding }: Run): Outcome {
  const { ctx, name } = call;
  if (mask && recurrent.timeMajor) call.options.unsupported("a mask together with time_major");
  const limits = mask ? ctx.lengthsOf(mask) : undefined;
  const { cells } = recurrent;
  let steps = recurrent.timeMajor ? x : ctx.transpose(name, x, [1, 0, 2]);
  const states: Value[] = [];
  cells.forEach((cell, i) => {
    const last = i === cells.length - 1;
    const [time, batch] = steps.shape as [number | null, number | null, number | null];
    const { W, U, bW, bU, resetAfter } = cell.weights(call.lastSize(steps));
    const h0 = initial[i] && ctx.unsqueeze(name, checked(cell, initial[i]), 0).name;
    const inputs = [steps.name];
    if (h0 || limits) inputs.push(h0 ?? "");
    if (limits) inputs.push(...limits);
    const [Y, Yh] = [ctx.unique(`${name}.Y`), ctx.unique(`${name}.Y_h`)];
    const layer: GruLayer = {
      op: "gru",
      name,
      hidden: cell.units,
      resetAfter,
      inputs,
      outputs: [Y, Yh],
      W,
      U,
      ...(bW ? { bW } : {}),
      ...(bU ? { bU } : {}),
      ...(recurrent.goBackwards ? { reverse: true } : {}),
      ...(cell.gate.name === "sigmoid" ? {} : { gate: cell.gate }),
      ...(cell.candidate.name === "tanh" ? {} : { candidate: cell.candidate }),
      ...(limits ? { padding: last ? padding : "carry" } : {}),
    };
    ctx.layers.push(layer);
    states.push(ctx.squeeze(name, { name: Yh, shape: [1, batch, cell.units], kind: "real" }, 0));
    if (!last || recurrent.returnSequences)
      steps = ctx.squeeze(name, { name: Y, shape: [time, 1, batch, cell.units], kind: "real" }, 1);
  });
  if (!recurrent.returnSequences) return { states };
  return { states, sequence: recurrent.timeMajor ? steps : ctx.transpose(name, steps, [1, 0, 2]) };
}

function checked(cell: Cell, state: Value): Value {
  if (state.shape.length !== 2 || (state.shape[1] !== null && state.shape[1] !== cell.units))
    cell.call.options.bad(
      `an initial state has ${state.shape.length} axes and size ${state.shape[1]}, expected ${cell.units}`,
    );
  return state;
}
