/** The same model without privacy, in the page: loaded when it is asked for, and only then. */
import type { InferenceSession, Tensor } from "onnxruntime-web";

export interface Plaintext {
  run(inputs: Record<string, PlainInput>): Promise<Record<string, Float32Array>>;
}

export type PlainInput =
  | { type: "float32"; data: Float32Array; shape: number[] }
  | { type: "int64"; data: BigInt64Array; shape: number[] };

/** @param url of the ONNX file. */
export async function loadPlaintext(url: string): Promise<Plaintext> {
  const [ort, { default: wasm }, { default: mjs }] = await Promise.all([
    import("onnxruntime-web/wasm"),
    // the package does not export these files, and its own addresses of them are none that vite follows
    import("../../../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm?url"),
    import("../../../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.mjs?url"),
  ]);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm, mjs };
  const session: InferenceSession = await ort.InferenceSession.create(url);
  return {
    async run(inputs) {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, { type, data, shape }]): [string, Tensor] => [
          name,
          type === "int64" ? new ort.Tensor(type, data, shape) : new ort.Tensor(type, data, shape),
        ]),
      );
      const outputs = await session.run(feeds);
      return Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, t.data as Float32Array]));
    },
  };
}
