import { uniform } from "./random.js";
import { type NodeSpec, type TensorSpec, type ValueSpec, writeOnnx } from "./write-onnx.js";

export interface GruModel {
  hidden: number;
  inputSize: number;
  /** true: linear_before_reset = 1 (as PyTorch); false: 0 (ONNX's default, which PyTorch can't export). */
  resetAfter: boolean;
  /** Sizes of the input; left open under the names "time" and "batch" if absent. */
  steps?: number;
  batch?: number;
  /** Whether there are biases, also in the head. Default true. */
  bias?: boolean;
  /** Default 1. */
  seed?: number;
  /** Weights are uniform in +-scale / sqrt(hidden); PyTorch's are with scale 1, the default. */
  scale?: number;
  /** A Gemm on the last state, and what follows it. */
  head?: { outputs: number; end?: "Sigmoid" | "Tanh" | "Softmax" | "LogSoftmax" };
  /** The initial state is an input "h0" [1, batch, hidden]; otherwise it is zero. */
  initialState?: boolean;
  /** Default 17. */
  opset?: number;
}

/**
 * The bytes of an ONNX model of one GRU with random weights. Input "x" [steps, batch, inputSize].
 * With a head the output is "y" [batch, outputs]; without, the outputs are the GRU's own: "y"
 * [steps, 1, batch, hidden] and "y_h" [1, batch, hidden].
 */
export function makeGruModel(spec: GruModel): Uint8Array {
  const { hidden, inputSize, head, opset = 17, bias = true } = spec;
  const [steps, batch] = [spec.steps ?? "time", spec.batch ?? "batch"];
  const random = uniform(spec.seed ?? 1);
  const bound = (spec.scale ?? 1) / Math.sqrt(hidden);
  const weights = (...shape: number[]): TensorSpec => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { shape, data: Float32Array.from({ length: size }, () => bound * random()) };
  };
  const initialisers: Record<string, TensorSpec> = {
    W: weights(1, 3 * hidden, inputSize),
    R: weights(1, 3 * hidden, hidden),
  };
  if (bias) initialisers.B = weights(1, 6 * hidden);
  const inputs: ValueSpec[] = [{ name: "x", shape: [steps, batch, inputSize] }];
  if (spec.initialState) inputs.push({ name: "h0", shape: [1, batch, hidden] });
  const optional = spec.initialState ? [bias ? "B" : "", "", "h0"] : bias ? ["B"] : [];
  const gru: NodeSpec = {
    op: "GRU",
    name: "gru",
    inputs: ["x", "W", "R", ...optional],
    outputs: head ? ["", "y_h"] : ["y", "y_h"],
    attributes: { hidden_size: hidden, linear_before_reset: spec.resetAfter ? 1 : 0 },
  };
  if (!head) {
    const outputs = [
      { name: "y", shape: [steps, 1, batch, hidden] },
      { name: "y_h", shape: [1, batch, hidden] },
    ];
    return writeOnnx({ opset, inputs, outputs, nodes: [gru], initialisers });
  }
  initialisers.A = weights(head.outputs, hidden);
  if (bias) initialisers.b = weights(head.outputs);
  const squeeze = { op: "Squeeze", name: "squeeze", outputs: ["h"] };
  if (opset >= 13) initialisers.axes = { shape: [1], data: [0], type: "int64" };
  const nodes: NodeSpec[] = [
    gru,
    opset >= 13
      ? { ...squeeze, inputs: ["y_h", "axes"] }
      : { ...squeeze, inputs: ["y_h"], attributes: { axes: [0] } },
    {
      op: "Gemm",
      name: "head",
      // Before opset 11 the bias was not optional.
      inputs: bias ? ["h", "A", "b"] : opset < 11 ? ["h", "A", "zero"] : ["h", "A"],
      outputs: [head.end ? "logits" : "y"],
      attributes: { transB: 1 },
    },
  ];
  if (!bias && opset < 11) initialisers.zero = { shape: [1], data: [0] };
  if (head.end) {
    const attributes: NodeSpec["attributes"] = head.end.endsWith("oftmax")
      ? { axis: opset < 13 ? 1 : -1 }
      : {};
    nodes.push({ op: head.end, name: "end", inputs: ["logits"], outputs: ["y"], attributes });
  }
  const outputs = [{ name: "y", shape: [batch, head.outputs] }];
  return writeOnnx({ opset, inputs, outputs, nodes, initialisers });
}
