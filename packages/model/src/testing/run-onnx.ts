import type { InferenceSession, Tensor } from "onnxruntime-web";

export interface Feed {
  shape: number[];
  data: ArrayLike<number>;
  /** "float32" unless said otherwise. */
  type?: "float32" | "int32" | "int64";
}

export interface OnnxResult {
  shape: number[];
  data: number[];
}

/**
 * Runs a model with ONNX Runtime (WebAssembly, one thread): what it computes without privacy.
 * @param feeds by the names of the model's inputs.
 * @returns all outputs by name.
 */
export async function runOnnx(
  bytes: Uint8Array,
  feeds: Record<string, Feed>,
): Promise<Record<string, OnnxResult>> {
  // Loaded when needed: it is a development dependency, and large.
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session: InferenceSession = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  try {
    const tensors: Record<string, Tensor> = {};
    for (const [name, { shape, data, type }] of Object.entries(feeds))
      tensors[name] =
        type === "int64"
          ? new ort.Tensor(
              "int64",
              BigInt64Array.from(Array.from(data), (v) => BigInt(v)),
              shape,
            )
          : type === "int32"
            ? new ort.Tensor("int32", Int32Array.from(data), shape)
            : new ort.Tensor("float32", Float32Array.from(data), shape);
    const results = await session.run(tensors);
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => {
        const data = Array.from(tensor.data as ArrayLike<number | bigint>, Number);
        return [name, { shape: [...tensor.dims], data }];
      }),
    );
  } finally {
    await session.release();
  }
}
