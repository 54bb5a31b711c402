/** The other floor: the plaintext runtime on the same model and input, one thread. */
import type { Workload } from "./workloads.js";

export interface Plaintext {
  ms: number[];
  outputs: Record<string, number[]>;
}

export async function plaintext(
  onnx: Uint8Array,
  x: Float32Array,
  w: Workload,
  warmUp: number,
): Promise<Plaintext> {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(onnx, { logSeverityLevel: 3 });
  const feeds = { x: new ort.Tensor("float32", x, [w.steps, w.batch, w.inputSize]) };
  const ms: number[] = [];
  const outputs: Record<string, number[]> = {};
  for (let run = 0; run < w.runs + warmUp; run++) {
    const began = performance.now();
    const results = await session.run(feeds);
    if (run >= warmUp) ms.push(performance.now() - began);
    for (const [name, t] of Object.entries(results)) outputs[name] = Array.from(t.data as Float32Array);
  }
  await session.release();
  return { ms, outputs };
}
