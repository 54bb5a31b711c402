/** Random model descriptions for tests. */
import type { Layer, ModelDescription, Tensor } from "../plan/description.js";
import { seededUniform } from "./seeded.js";

export interface RandomGru {
  seed: string | number;
  hidden: number;
  inputSize: number;
  steps: number;
  batch?: number;
  resetAfter?: boolean;
  /** Times PyTorch's default range, 1 / sqrt(hidden). */
  scale?: number;
  /** Outputs of a dense layer on the last state; without it the outputs are Y and Y_h. */
  head?: number;
  layers?: number;
}

/** A GRU stack with uniform weights, as PyTorch initialises one. */
export function randomGru(options: RandomGru): ModelDescription {
  const { hidden: H, inputSize, steps, batch = 1, resetAfter = true, scale = 1, head, layers = 1 } = options;
  const random = seededUniform(options.seed);
  const range = scale / Math.sqrt(H);
  const tensor = (...shape: number[]): Tensor => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => (2 * random() - 1) * range),
  });
  const tensors: Record<string, Tensor> = {};
  const list: Layer[] = [];
  let x = "x";
  for (let l = 0; l < layers; l++) {
    tensors[`W${l}`] = tensor(3 * H, l === 0 ? inputSize : H);
    tensors[`U${l}`] = tensor(3 * H, H);
    tensors[`bW${l}`] = tensor(3 * H);
    tensors[`bU${l}`] = tensor(3 * H);
    list.push({
      op: "gru",
      name: `gru${l}`,
      inputs: [x],
      outputs: [`Y${l}`, `h${l}`],
      hidden: H,
      resetAfter,
      W: `W${l}`,
      U: `U${l}`,
      bW: `bW${l}`,
      bU: `bU${l}`,
    });
    if (l + 1 < layers) {
      list.push({ op: "squeeze", name: `squeeze${l}`, inputs: [`Y${l}`, "axis1"], outputs: [`x${l + 1}`] });
      x = `x${l + 1}`;
    }
  }
  const last = layers - 1;
  let outputs = [{ name: `Y${last}` }, { name: `h${last}` }];
  if (head) {
    tensors.A = tensor(head, H);
    tensors.b = tensor(head);
    list.push({ op: "squeeze", name: "squeeze", inputs: [`h${last}`, "axis0"], outputs: ["state"] });
    list.push({ op: "dense", name: "head", inputs: ["state"], outputs: ["y"], A: "A", b: "b" });
    outputs = [{ name: "y" }];
  }
  return {
    name: "random",
    inputs: [{ name: "x", shape: [steps, batch, inputSize], kind: "real" }],
    outputs,
    layers: list,
    tensors,
    constants: { axis0: { shape: [1], data: [0] }, axis1: { shape: [1], data: [1] } },
  };
}

/** Roughly normal inputs, clipped to a range. */
export function randomInput(seed: string | number, length: number, range = 4): Float64Array {
  const random = seededUniform(seed);
  return Float64Array.from({ length }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += random();
    return Math.max(-range, Math.min(range, sum));
  });
}
