/** What is measured. */
import { makeGruModel } from "@sotto/model/testing";

export interface Workload {
  name: string;
  steps: number;
  inputSize: number;
  hidden: number;
  batch: number;
  /** Counted runs, after as many warm-up runs as WARM_UP says. */
  runs: number;
}

export const WARM_UP = 3;

export const WORKLOADS: readonly Workload[] = [
  { name: "text", steps: 50, inputSize: 100, hidden: 128, batch: 1, runs: 15 },
  { name: "text32", steps: 50, inputSize: 100, hidden: 128, batch: 32, runs: 5 },
  { name: "ecg", steps: 140, inputSize: 1, hidden: 64, batch: 1, runs: 10 },
  { name: "wide", steps: 20, inputSize: 256, hidden: 512, batch: 1, runs: 7 },
];

/** The model file, with random weights in PyTorch's default range, and one input. */
export function material({ steps, inputSize, hidden, batch }: Workload): {
  onnx: Uint8Array;
  x: Float32Array;
} {
  const onnx = makeGruModel({
    hidden,
    inputSize,
    steps,
    batch,
    resetAfter: true,
    seed: 1,
    head: { outputs: 2 },
  });
  const x = Float32Array.from({ length: steps * batch * inputSize }, (_, i) => 2 * Math.sin(i * 12.9898));
  return { onnx, x };
}
