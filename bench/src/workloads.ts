/** What is measured. */
import type { Profile } from "@sotto/core";
import { makeGruModel, writeRandomModel } from "@sotto/model/testing";

export interface Workload {
  name: string;
  steps: number;
  inputSize: number;
  hidden: number;
  batch: number;
  /** Counted runs, after as many warm-up runs as `warmUp` says. */
  runs: number;
  warmUp: number;
  /** Layers of both directions each; without it, one layer forward. */
  bidirectionalLayers?: number;
  /** Default "lan". */
  profile?: Profile;
}

/** The servers' JavaScript is compiled by then; CPU time of an inference halves until there. */
const WARM_UP = 15;

export const WORKLOADS: readonly Workload[] = [
  { name: "text", steps: 50, inputSize: 100, hidden: 128, batch: 1, runs: 15, warmUp: WARM_UP },
  { name: "text32", steps: 50, inputSize: 100, hidden: 128, batch: 32, runs: 5, warmUp: 3 },
  { name: "ecg", steps: 140, inputSize: 1, hidden: 64, batch: 1, runs: 11, warmUp: WARM_UP },
  { name: "wide", steps: 20, inputSize: 256, hidden: 512, batch: 1, runs: 9, warmUp: WARM_UP },
  {
    name: "deep",
    steps: 50,
    inputSize: 64,
    hidden: 64,
    batch: 1,
    runs: 11,
    warmUp: WARM_UP,
    bidirectionalLayers: 2,
  },
];

export const TEXT = WORKLOADS[0]!;

/** |x| of every input, which the plans declare. */
export const INPUT_RANGE = 2;

export interface Material {
  /** The model file, with random weights in PyTorch's default range. */
  onnx: Uint8Array;
  /** One input [steps, batch, inputSize]. */
  x: Float32Array;
}

export function material(workload: Workload): Material {
  const { steps, inputSize, hidden, batch, bidirectionalLayers: layers } = workload;
  const onnx = layers
    ? deepModel(workload, layers)
    : makeGruModel({ hidden, inputSize, steps, batch, resetAfter: true, seed: 1, head: { outputs: 2 } });
  const length = steps * batch * inputSize;
  const x = Float32Array.from({ length }, (_, i) => INPUT_RANGE * Math.sin(i * 12.9898));
  return { onnx, x };
}

/** A stack of bidirectional layers with a dense layer on the last states. */
function deepModel({ steps, inputSize, hidden, batch }: Workload, layers: number): Uint8Array {
  return writeRandomModel({
    seed: 1,
    opset: 17,
    steps,
    batch,
    open: false,
    inputSize,
    scale: 1,
    before: "none",
    lengths: "none",
    layers: Array.from({ length: layers }, () => ({
      hidden,
      direction: "bidirectional",
      batchFirst: false,
      resetAfter: true,
      bias: true,
      initial: "none",
    })),
    outputs: "Y",
    head: "gemm",
  });
}
