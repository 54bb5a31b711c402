/**
 * A network over a sequence that comes in chunks of so many time steps: the servers keep the recurrent layers' states
 * between them. docs/protocol.md, "Streams".
 *
 * A chunk is a program like any other, for that many steps. Chunks in a row give what one run over all their steps gives.
 */
import { SottoError } from "../errors.js";
import type { ModelInput } from "./description.js";
import { type Network, walkPlan } from "./instantiate.js";
import { hashJson, type Plan, planHash, type Sizes } from "./plan.js";
import { CarriedStates, type ChunkKind, type StateStart } from "./walk/carried.js";
import { Timing } from "./walk/timing.js";

export type { ChunkKind } from "./walk/carried.js";

/** The name of the time axis's size, where the model has a number in its place. */
const TIME = "time steps of a chunk";
/**
 * Steps with which it is found out whether a network can be streamed: a first, a last and one between; and another number,
 * so that none is built into the model.
 */
const TRIALS = [3, 4];

/** What is public about a stream besides the plan. */
export interface StreamShape {
  /** Sizes that the model leaves open; that of time is left out. */
  sizes: Sizes;
  /** Time steps of each chunk. */
  steps: number;
}

interface Axis {
  /** The size's name. */
  name: string;
  /** The time axis of each input that has one. */
  axes: ReadonlyMap<string, number>;
  /** The model's inputs, the time axis open. */
  inputs: ModelInput[];
}

/** A plan as chunks of a stream. */
export class Streaming {
  readonly plan: Plan;
  readonly shape: StreamShape;
  /** The time axis of each input that every chunk takes. */
  readonly timeAxes: ReadonlyMap<string, number>;
  /** The time axis of each output that has a value for every step; the others have one after the last step. */
  readonly outputAxes: ReadonlyMap<string, number>;
  /** Inputs that only the first chunk takes: initial states. */
  readonly initialInputs: ReadonlySet<string>;
  private readonly skeleton: Plan;
  private readonly sizes: Sizes;
  private readonly starts = new Map<string, StateStart>();
  private readonly networks = new Map<ChunkKind, Network>();

  /** @throws SottoError unsupported naming the layer that cannot be streamed; bad-input for sizes; does-not-fit. */
  constructor(plan: Plan, shape: StreamShape) {
    if (!(Number.isInteger(shape.steps) && shape.steps >= 1))
      throw new SottoError(
        "bad-input",
        `chunks of ${shape.steps} time steps; expected a positive whole number`,
      );
    const { axis, outputAxes, timing } = findTime(plan, shape.sizes);
    const { [axis.name]: _, ...sizes } = shape.sizes;
    this.plan = plan;
    this.shape = { sizes, steps: shape.steps };
    this.timeAxes = axis.axes;
    this.outputAxes = outputAxes;
    this.initialInputs = timing.initialInputs;
    this.skeleton = { ...plan, inputs: axis.inputs };
    this.sizes = { ...sizes, [axis.name]: shape.steps };
    this.chunk("start");
  }

  /** Chunks after which the states' bounds have to be renewed. docs/protocol.md, "Bounds". */
  get period(): number {
    const most = [...this.starts.values()].reduce((least, s) => Math.min(least, s.most), Infinity);
    return Math.floor(most / this.shape.steps);
  }

  /** @param number of the chunk, from 0. */
  kindOf(number: number): ChunkKind {
    if (number === 0) return "start";
    return number % this.period === 0 ? "renew" : "continue";
  }

  /** What chunks of a kind run. */
  chunk(kind: ChunkKind): Network {
    let network = this.networks.get(kind);
    if (!network) {
      const states = new CarriedStates(kind, this.starts, this.initialInputs);
      network = { ...walkPlan(this.plan, this.skeleton, this.sizes, { states }), sizes: this.sizes };
      this.networks.set(kind, network);
    }
    return network;
  }

  /** Hex SHA-256 of all that is public about a chunk: what its frames are bound to. */
  hash(kind: ChunkKind): string {
    return hashJson({ plan: planHash(this.plan), stream: this.shape, kind });
  }
}

/** Which axis of the inputs is time: the one along which the recurrent layers go. */
function findTime(plan: Plan, sizes: Sizes) {
  let failure: unknown;
  let tried: Timing | undefined;
  for (const axis of candidates(plan)) {
    let timing = new Timing(axis.axes);
    try {
      let outputAxes = new Map<string, number>();
      for (const steps of TRIALS) {
        timing = new Timing(axis.axes);
        outputAxes = tryAxis(plan, axis, sizes, timing, steps);
      }
      return { axis, timing, outputAxes };
    } catch (error) {
      if (!(error instanceof SottoError)) throw error;
      // once a recurrent layer has accepted the axis, what is said of it is the reason
      if (!tried?.recurrent) [failure, tried] = [error, timing];
    }
  }
  if (tried?.recurrent) {
    const { code, message } = failure as SottoError;
    if (code === "bad-input" || code === "does-not-fit") throw failure;
    throw new SottoError("unsupported", message, { cause: failure });
  }
  const recurrent = plan.layers.some((l) => l.op === "gru");
  throw new SottoError(
    "unsupported",
    recurrent
      ? `no axis of the model's inputs can be streamed${failure ? `: ${(failure as Error).message}` : ""}; ` +
          "export the model with an open time axis"
      : "the model has no recurrent layer, whose state a stream would keep; run each input by itself",
    { cause: failure },
  );
}

/** @returns the outputs' time axes. */
function tryAxis(plan: Plan, axis: Axis, sizes: Sizes, timing: Timing, steps: number): Map<string, number> {
  const outputAxes = new Map<string, number>();
  const all = { ...sizes, [axis.name]: steps };
  walkPlan(plan, { ...plan, inputs: axis.inputs }, all, {
    timing,
    outputs: (tensors) => {
      if (!timing.recurrent) throw new SottoError("unsupported", "no recurrent layer goes along this axis");
      for (const [name, tensor] of tensors) {
        const found = timing.output(name, tensor, steps);
        if (found !== undefined) outputAxes.set(name, found);
      }
    },
  });
  return outputAxes;
}

/** Open sizes first; where the model has a number, it may be as good as open. */
function* candidates({ inputs }: Plan): Iterable<Axis> {
  const streamed = inputs.filter((i) => i.kind !== "length");
  const names = new Set(streamed.flatMap((i) => i.shape).filter((d) => typeof d === "string"));
  for (const name of names) {
    const axes = new Map<string, number>();
    for (const input of streamed)
      if (input.shape.includes(name)) axes.set(input.name, input.shape.indexOf(name));
    yield { name, axes, inputs };
  }
  for (const { name, shape } of streamed) {
    for (const [axis, d] of shape.entries()) {
      if (typeof d === "string") continue;
      const open = (i: ModelInput) =>
        i.name === name ? { ...i, shape: i.shape.map((s, a) => (a === axis ? TIME : s)) } : i;
      yield { name: TIME, axes: new Map([[name, axis]]), inputs: inputs.map(open) };
    }
  }
}
