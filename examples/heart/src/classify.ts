/** The models in the clear, by ONNX Runtime: what the private inference is compared with (Node only). */
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import type { Sample } from "./sets.js";

/**
 * Runs a model on samples, one after the other.
 * @returns per sample the largest logit's class of each answered step, in the order of its labels
 */
export async function classify(modelPath: string, samples: Pick<Sample, "inputs">[]): Promise<number[][]> {
  // One thread: the runtime's workers are no use to a model this small.
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await readFile(modelPath));
  const result: number[][] = [];
  for (const { inputs } of samples) {
    const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
      name,
      new ort.Tensor("float32", data, shape),
    ]);
    const { logits } = await session.run(Object.fromEntries(feeds));
    result.push(decisions(logits?.data as Float32Array, logits!.dims.at(-1)!));
  }
  await session.release();
  return result;
}

/** The index of each row's largest entry. */
export function decisions(logits: ArrayLike<number>, classes: number): number[] {
  return Array.from({ length: logits.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c++)
      if (logits[row * classes + c]! > logits[row * classes + best]!) best = c;
    return best;
  });
}
