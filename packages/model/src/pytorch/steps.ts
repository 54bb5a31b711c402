import type { Activation } from "@sotto/core";

/**
 * What is taken of a GRU's result (or of any sequence):
 * all steps; the first or last step of the output; the last layer's last state (h[-1], or with two directions
 * cat(h[-2], h[-1])); h[i], one row of PyTorch's h_n; the mean, maximum or sum over time.
 */
export type Take =
  | "all"
  | "first_step"
  | "last_step"
  | "last_state"
  | "mean"
  | "max"
  | "sum"
  | `h[${number}]`;

export const TAKES = ["all", "last_state", "last_step", "first_step", "mean", "max", "sum", "h[-1]"] as const;

export function isTake(text: unknown): text is Take {
  if (typeof text !== "string") return false;
  return /^h\[-?\d{1,4}\]$/.test(text) || (text !== "h[-1]" && (TAKES as readonly string[]).includes(text));
}

interface Weighted {
  /** The module's name: its weights are `${name}.weight` and so on; "" where the file has them without. */
  name: string;
  /** The shape that the configuration claims of `weight` (for a GRU `weight_ih_l0`), where it does. */
  expected?: number[];
  /** Whether it claims a bias. Undefined: as the file has it. */
  bias?: boolean;
}

export interface GruStep extends Weighted {
  op: "gru";
  /** A GRUCell, run over time. */
  cell: boolean;
  batchFirst: boolean;
  /** Claimed; undefined: as the file has it. */
  layers?: number;
  bidirectional?: boolean;
  /** Name of a tensor [layers * directions, 1, H]: a trained initial state. */
  initial?: string;
}

export interface Conv1dStep extends Weighted {
  op: "conv1d";
  stride: number;
  dilation: number;
  groups: number;
  padding: number | "same";
}

/** A pool over windows of steps. */
export interface WindowsStep {
  op: "windows";
  fn: "mean" | "max";
  size: number;
  stride: number;
  dilation: number;
}

/** One module of a model that is a chain, in the order of execution. */
export type Step =
  | GruStep
  | Conv1dStep
  | WindowsStep
  | (Weighted & { op: "embedding" | "linear" })
  | (Weighted & { op: "batchNorm"; eps: number })
  | { op: "take"; what: Take }
  | { op: "activation"; activation: Activation }
  | { op: "softmax" | "logSoftmax"; axis: number | undefined }
  | { op: "flatten"; start: number; end: number }
  | { op: "pool"; fn: "mean" | "max" }
  | { op: "transpose"; axes: [number, number] };

/** A model as it was configured, printed or guessed. */
export interface Chain {
  steps: Step[];
  /** The model's one input; undefined: as the first modules want it. */
  input?: { name?: string; shape?: (number | string)[] };
  /**
   * Sequences of different lengths: the name of an input [batch] of lengths; with `padding`, the client finds them:
   * a sequence ends before the last steps that have only this number (or are this token).
   */
  lengths?: { name: string; padding?: number };
  /** The names of the outputs: of the last value; of a final GRU's states. */
  output?: string;
  /** What to take of a GRU that is followed by another module and no `take`. Default: last_state. */
  take?: Take;
  /** Tensors, or modules with all of theirs, that the model does not need. */
  ignore: string[];
}

/** How a step is called in messages. */
export function label(step: Step): string {
  if ("name" in step)
    return `${step.op === "gru" && step.cell ? "gru_cell" : step.op} ${JSON.stringify(step.name)}`;
  if (step.op === "take") return `take ${step.what}`;
  if (step.op === "windows") return step.fn === "max" ? "max_pool1d" : "avg_pool1d";
  return step.op === "activation" ? step.activation.name : step.op;
}
