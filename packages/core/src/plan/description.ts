/**
 * The model description: what an importer produces and the plan compiler takes.
 *
 * It is a list of layers over named values, in execution order. Nothing about privacy is in
 * it. A value is either *private* (it depends on a model input or a secret tensor) or a
 * *public constant* (integers that exporters use for shapes and indices). Sizes that are known
 * only at run time (batch, time) carry a name; layers whose inputs are all public constants
 * are folded once those sizes are known, so an importer folds what it can and passes the rest
 * on (typically Shape -> Gather -> Concat -> Reshape).
 */

/** A size, or the name of a size that is fixed at run time ("batch", "sequence"). */
export type Dimension = number | string;

/** A dense tensor in row-major order. */
export interface Tensor {
  shape: number[];
  data: Float32Array;
}

/** A public constant: small integers or reals that the exporter wrote for shapes and indices. */
export interface Constant {
  shape: number[];
  data: number[];
}

export interface ModelInput {
  name: string;
  shape: Dimension[];
  /** `real`: numbers, shared between the servers. `token`: indices into a public embedding. */
  kind: "real" | "token";
}

export interface ModelOutput {
  name: string;
}

interface LayerBase {
  /** The original node's name, for messages to the user. */
  name: string;
  /** Names of values; "" marks an optional input that is absent. */
  inputs: string[];
  /** Names of values; "" marks an output that nobody reads. */
  outputs: string[];
}

/**
 * A gated recurrent unit over a time-major sequence.
 * inputs: X [T, B, I]; optionally the initial state [1, B, H] (zero when absent).
 * outputs: Y [T, 1, B, H] (every state), Y_h [1, B, H] (the last one), as in ONNX.
 *
 * resetAfter true:  n = tanh(W_n x + b_Wn + r * (U_n h + b_Un))   (PyTorch, cuDNN, ONNX linear_before_reset = 1)
 * resetAfter false: n = tanh(W_n x + b_Wn + U_n (r * h) + b_Un)   (ONNX linear_before_reset = 0)
 * h' = (1 - z) * n + z * h.
 */
export interface GruLayer extends LayerBase {
  op: "gru";
  hidden: number;
  resetAfter: boolean;
  /** Names of tensors. Rows are the gates z, r, n in this order: W [3H, I], U [3H, H], biases [3H]. */
  W: string;
  U: string;
  bW?: string;
  bU?: string;
}

/** y = x A^T + b over the last axis. inputs: x [..., in]. A [out, in], b [out] are tensors' names. */
export interface DenseLayer extends LayerBase {
  op: "dense";
  A: string;
  b?: string;
}

/** Row look-up, y = table[token]. inputs: tokens [...], directly a model input. table [V, E]; public in this version. */
export interface EmbeddingLayer extends LayerBase {
  op: "embedding";
  table: string;
}

/** Elementwise activation. */
export interface ActivationLayer extends LayerBase {
  op: "sigmoid" | "tanh";
}

/** Softmax or its logarithm over one axis; only at the end, where the client computes it on the revealed logits. */
export interface SoftmaxLayer extends LayerBase {
  op: "softmax" | "logSoftmax";
  axis: number;
}

/**
 * Moves elements, computes nothing; also on public constants. Semantics are ONNX's (opset 13):
 * parameters that ONNX passes as inputs are inputs here too.
 *
 * - identity(x), cast(x) (cast only on public constants and between real types)
 * - transpose(x) {perm}; reshape(x, shape) {allowzero}; flatten(x) {axis}
 * - squeeze(x, axes?), unsqueeze(x, axes)
 * - slice(x, starts, ends, axes?, steps?); gather(x, indices) {axis}; concat(x...) {axis}
 * - expand(x, shape)
 */
export interface ViewLayer extends LayerBase {
  op:
    | "identity"
    | "cast"
    | "transpose"
    | "reshape"
    | "flatten"
    | "squeeze"
    | "unsqueeze"
    | "slice"
    | "gather"
    | "concat"
    | "expand";
  perm?: number[];
  axis?: number;
  allowzero?: boolean;
}

/**
 * Shape arithmetic: always folded, since its results are public constants.
 * shape(x) gives the sizes of x (public even where x is private); constantOfShape(shape) {value};
 * add, sub, mul, div on public constants with ONNX's broadcasting (div of integers truncates).
 */
export interface ShapeLayer extends LayerBase {
  op: "shape" | "constantOfShape" | "add" | "sub" | "mul" | "div";
  value?: number;
  /** shape: the range of axes, as ONNX's start and end (opset 15). */
  start?: number;
  end?: number;
  /** div: operands are integers. */
  integer?: boolean;
}

export type Layer =
  | GruLayer
  | DenseLayer
  | EmbeddingLayer
  | ActivationLayer
  | SoftmaxLayer
  | ViewLayer
  | ShapeLayer;

export interface ModelDescription {
  /** The model's own name for itself (graph name), or the file's. */
  name: string;
  inputs: ModelInput[];
  outputs: ModelOutput[];
  layers: Layer[];
  /** The model owner's secrets (and the public embedding tables), by name. */
  tensors: Record<string, Tensor>;
  /** Public constants that layers refer to, by value name. */
  constants: Record<string, Constant>;
}
