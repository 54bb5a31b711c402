/** The other floor: the plaintext runtime on the same model and input, one thread. */
import type { InferenceSession } from "onnxruntime-web";
import type { Material, Workload } from "./workloads.js";

export class Plaintext {
  private constructor(
    private readonly session: InferenceSession,
    private readonly feeds: InferenceSession.FeedsType,
  ) {}

  static async open({ onnx, x }: Material, w: Workload): Promise<Plaintext> {
    const ort = await import("onnxruntime-web");
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    const session = await ort.InferenceSession.create(onnx, { logSeverityLevel: 3 });
    return new Plaintext(session, {
      x: new ort.Tensor("float32", x, [w.steps, w.batch, w.inputSize]),
    });
  }

  async run(): Promise<{ ms: number; outputs: Record<string, Float32Array> }> {
    const began = performance.now();
    const results = await this.session.run(this.feeds);
    const ms = performance.now() - began;
    const outputs = Object.entries(results).map(([name, t]) => [name, t.data as Float32Array] as const);
    return { ms, outputs: Object.fromEntries(outputs) };
  }

  close(): Promise<void> {
    return this.session.release();
  }
}
