import type { Axis, Emitter, Value } from "./emit.js";
import { badConfig, quote, shown, unsupported } from "./errors.js";
import { gruLayout, gruParameters, parameter } from "./parameters.js";
import { type GruStep, label, type Take } from "./steps.js";
import type { Weights } from "./weights.js";

/** Time first, as the description's GRU wants it. */
const TIME_FIRST: readonly Axis[] = ["time", "batch", "feature"];

/** A GRU's result, of which it is still open what is read. */
export interface Recurrent {
  step: GruStep;
  /** The last layer's output at every step [T, B, directions * H]. */
  sequence: Value;
  /** Names of the last states [1, B, H], as in h_n: layer by layer, in each forward, reverse. */
  states: string[];
  /** Names of the last layer's output by direction, [T, 1, B, H]. */
  directions: string[];
  hidden: number;
}

/** Writes all layers and directions of a GRU that reads the sequence x, whatever the order of its axes. */
export function recurrent(out: Emitter, weights: Weights, step: GruStep, x: Value): Recurrent {
  if (x.shape.length !== 3)
    badConfig(
      `${label(step)} reads a sequence [batch, time, numbers], but gets ${shown(x.shape)}. A GRU before it ` +
        'may need {"take": "all"}',
    );
  const { layers, bidirectional } = gruLayout(weights, step);
  let sequence = arrange(out, x, TIME_FIRST);
  const states: string[] = [];
  let directions: string[] = [];
  let hidden = 0;
  const initial = step.initial === undefined ? undefined : weights.read(step.initial);
  const count = layers * (bidirectional ? 2 : 1);
  for (let l = 0; l < layers; l++) {
    directions = [];
    for (const reverse of bidirectional ? [false, true] : [false]) {
      const suffix = step.cell ? "" : `_l${l}${reverse ? "_reverse" : ""}`;
      const inputs = sequence.shape[2]!;
      if (typeof inputs === "string")
        badConfig(`${label(step)}: the size ${quote(inputs)} of its input is not fixed`);
      const p = gruParameters(weights, step, suffix, inputs);
      const own = p.U.shape[1]!;
      if (hidden !== 0 && own !== hidden)
        badConfig(
          `${label(step)}: ${quote(parameter(step, `weight_hh${suffix}`))} is for another hidden size`,
        );
      hidden = own;
      const name = layerName(step, suffix);
      const tensor = (part: string, t = p.W) => out.tensor(`${name}.${part}`, t.shape, t.data);
      let h0: string | undefined;
      if (initial) {
        if (initial.data.length !== count * hidden || initial.shape.at(-1) !== hidden)
          badConfig(
            `${label(step)}: the initial state ${quote(step.initial!)} has shape ${shown(initial.shape)}, expected [${count}, 1, ${hidden}]`,
          );
        const at = states.length * hidden;
        h0 = out.tensor(`${name}.h0`, [1, hidden], initial.data.slice(at, at + hidden));
      }
      const outputs = out.layer(
        {
          op: "gru",
          name,
          hidden,
          resetAfter: true,
          W: tensor("W"),
          U: tensor("U", p.U),
          ...(p.bW && p.bU ? { bW: tensor("bW", p.bW), bU: tensor("bU", p.bU) } : {}),
          ...(reverse ? { reverse } : {}),
          ...(h0 === undefined ? {} : { initial: h0 }),
        },
        x.lengths === undefined ? [sequence.name] : [sequence.name, "", x.lengths],
        2,
      );
      directions.push(outputs[0]!);
      states.push(outputs[1]!);
    }
    sequence = joined(out, layerName(step, step.cell ? "" : `_l${l}`), directions, sequence, hidden);
  }
  return { step, sequence, states, directions, hidden };
}

/** Brings a sequence's axes into an order. */
export function arrange(out: Emitter, x: Value, order: readonly Axis[]): Value {
  return out.permute(
    x,
    order.map((axis) => x.axes.indexOf(axis)),
  );
}

/** The sequence with the axes as the GRU's batch_first says. */
export function wholeSequence(out: Emitter, r: Recurrent): Value {
  return r.step.batchFirst ? arrange(out, r.sequence, ["batch", "time", "feature"]) : r.sequence;
}

/** h_n: all last states, [layers * directions, B, H]. */
export function lastStates(out: Emitter, r: Recurrent): Value {
  const [only] = r.states as [string];
  const joint = () => out.layer({ op: "concat", name: `${r.step.name || "gru"}.h_n`, axis: 0 }, r.states)[0]!;
  const shape = [r.states.length, r.sequence.shape[1]!, r.hidden];
  return { name: r.states.length > 1 ? joint() : only, shape, axes: ["feature", "batch", "feature"] };
}

/** What `take` names of a GRU's result. */
export function taken(out: Emitter, r: Recurrent, what: Take): Value {
  const backward = r.directions.length === 2;
  const last = r.states.slice(-r.directions.length);
  if (what === "all") return wholeSequence(out, r);
  if (what === "last_state" || (what === "last_step" && !backward))
    return flat(
      out,
      r,
      what,
      last.map((state) => squeezed(out, state)),
    );
  if (what === "last_step") {
    if (r.sequence.lengths !== undefined)
      unsupported(`take last_step of two directions with "lengths" is not supported; last_state is`);
    // the reverse direction has seen only the last step there
    const edge = step(out, r.directions[1]!, -1);
    return flat(out, r, what, [squeezed(out, last[0]!), edge]);
  }
  if (what === "first_step") {
    const edge = step(out, r.directions[0]!, 0);
    return flat(out, r, what, backward ? [edge, squeezed(out, last[1]!)] : [edge]);
  }
  const row = /^h\[(.*)\]$/.exec(what)?.[1];
  if (row !== undefined) {
    const state = r.states.at(Number(row));
    if (state === undefined || Number(row) < -r.states.length)
      badConfig(`take ${what}: ${label(r.step)} has ${r.states.length} last states`);
    return flat(out, r, what, [squeezed(out, state)]);
  }
  return overTime(out, r.sequence, what);
}

/** Takes of any sequence that needs no states. */
export function overTime(out: Emitter, x: Value, what: Take): Value {
  const axis = x.axes.indexOf("time");
  if (what === "all") return x;
  if (axis < 0)
    badConfig(`take ${what} needs a sequence, but gets ${shown(x.shape)}, which has no axis of time`);
  const drop = <T>(list: readonly T[]) => list.filter((_, i) => i !== axis);
  const rest = { shape: drop(x.shape), axes: drop(x.axes) };
  const name = `${x.name}.${what}`;
  if (what === "mean" || what === "max" || what === "sum") {
    const draft = { op: "reduce", name, fn: what, keepDims: false } as const;
    if (x.lengths !== undefined && x.shape.length === 3) {
      // steps of padding do not count
      const { name: sequence, lengths, shape } = arrange(out, x, ["batch", "time", "feature"]);
      const [y] = out.layer({ ...draft, axes: [1] }, [sequence, lengths!]);
      return { name: y!, shape: [shape[0]!, shape[2]!], axes: ["batch", "feature"] };
    }
    const [y] = out.layer({ ...draft, axes: [axis] }, [x.name]);
    return { name: y!, ...rest };
  }
  if (what !== "last_step" && what !== "first_step")
    badConfig(
      `take ${what} is possible only right after a GRU; here: all, last_step, first_step, mean, max, sum`,
    );
  if (what === "last_step" && x.lengths !== undefined)
    unsupported('take last_step with "lengths" is supported only right after a GRU');
  const index = out.integers(`${name}.index`, [what === "last_step" ? -1 : 0]);
  const [picked] = out.layer({ op: "gather", name, axis }, [x.name, index]);
  const axes = out.integers(`${name}.axis`, [axis]);
  const [y] = out.layer({ op: "squeeze", name }, [picked!, axes]);
  return { name: y!, ...rest };
}

function layerName(step: GruStep, suffix: string): string {
  const base = step.name || "gru";
  return suffix === "" ? base : `${base}.${suffix.slice(1).replace("_", ".")}`;
}

/** [T, 1, B, H] of each direction to [T, B, directions * H]. */
function joined(out: Emitter, name: string, directions: string[], x: Value, hidden: number): Value {
  const one = out.integers(`${name}.direction`, [1]);
  const parts = directions.map((y) => out.layer({ op: "squeeze", name: `${name}.y` }, [y, one])[0]!);
  const [y] = parts.length === 1 ? parts : out.layer({ op: "concat", name: `${name}.both`, axis: 2 }, parts);
  const shape = [...x.shape.slice(0, 2), directions.length * hidden];
  return { ...x, name: y!, shape, axes: [...TIME_FIRST] };
}

/** [1, B, H] to [B, H]. */
function squeezed(out: Emitter, state: string): string {
  const zero = out.integers(`${state}.layer`, [0]);
  return out.layer({ op: "squeeze", name: `${state}.last` }, [state, zero])[0]!;
}

/** One step of [T, 1, B, H], as [B, H]. */
function step(out: Emitter, y: string, at: number): string {
  const index = out.integers(`${y}.index`, [at]);
  const [picked] = out.layer({ op: "gather", name: `${y}.step`, axis: 0 }, [y, index]);
  const axes = out.integers(`${y}.axes`, [0, 1]);
  return out.layer({ op: "squeeze", name: `${y}.at` }, [picked!, axes])[0]!;
}

function flat(out: Emitter, r: Recurrent, what: string, parts: string[]): Value {
  const name = `${r.step.name || "gru"}.${what}`;
  const [y] = parts.length === 1 ? parts : out.layer({ op: "concat", name, axis: 1 }, parts);
  return {
    name: y!,
    shape: [r.sequence.shape[1]!, parts.length * r.hidden],
    axes: ["batch", "feature"],
  };
}
