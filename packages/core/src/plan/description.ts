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
  /**
   * `real`: numbers, shared between the servers. `token`: indices into an embedding. `length`: [B] whole numbers,
   * public: they bound the time steps of a batch's sequences (GruLayer, ReduceLayer), and become sizes of the run.
   */
  kind: "real" | "token" | "length";
  /**
   * length: not given by the user but found by the client in another input, [B, T] tokens or [B, T, I] reals: the
   * first step that is not padding, or the one after the last such step. A step of which every number is `value` is padding.
   */
  mask?: { input: string; value: number; edge: "start" | "end" };
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
 * A function of one number, as ONNX defines it for recurrent networks; the parameters are public. Defaults in brackets.
 *
 * sigmoid, tanh, relu, softsign x/(1+|x|), softplus log(1+e^x); hardSigmoid max(0, min(1, alpha x + beta)) [0.2, 0.5];
 * leakyRelu x < 0 ? alpha x : x [0.01]; elu x < 0 ? alpha (e^x - 1) : x [1]; affine alpha x + beta [1, 0];
 * thresholdedRelu x > alpha ? x : 0 [1]; scaledTanh alpha tanh(beta x) [1, 1]; clip min(max(x, alpha), beta).
 */
export interface Activation {
  name:
    | "sigmoid"
    | "tanh"
    | "relu"
    | "hardSigmoid"
    | "leakyRelu"
    | "elu"
    | "softsign"
    | "softplus"
    | "affine"
    | "thresholdedRelu"
    | "scaledTanh"
    | "clip";
  alpha?: number;
  beta?: number;
}

/**
 * A gated recurrent unit over a time-major sequence, in one direction.
 * inputs: X [T, B, I]; optionally the initial state [1, B, H] (zero when absent); optionally lengths [B] and starts [B]
 * (inputs of kind `length`, or public constants): a sequence's steps are start .. length - 1, the rest is padding.
 * outputs: Y [T, 1, B, H] (every state), Y_h [1, B, H] (the last one), as in ONNX.
 *
 * resetAfter true:  n = g(W_n x + b_Wn + r * (U_n h + b_Un))   (PyTorch, cuDNN, ONNX linear_before_reset = 1)
 * resetAfter false: n = g(W_n x + b_Wn + U_n (r * h) + b_Un)   (ONNX linear_before_reset = 0)
 * z, r = f(W x + b_W + U h + b_U); h' = (1 - z) * n + z * h.
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
  /** From the last step to the first; Y[t] stays at its step, Y_h is the state after step 0. */
  reverse?: boolean;
  /** f, of z and r. Default: sigmoid. */
  gate?: Activation;
  /** g. Default: tanh. */
  candidate?: Activation;
  /** What goes into f and g is limited to [-clip, clip] first. */
  clip?: number;
  /** Name of a tensor [1, H] or [B, H]: the initial state, where it belongs to the model. */
  initial?: string;
  /**
   * |h| <= stateBound, for a network whose functions do not bound its state by themselves: what goes beyond is clipped.
   * The user's to give (CompileOptions.stateBound).
   */
  stateBound?: number;
  /**
   * What Y has at steps of padding: 0 (ONNX; the default), or the state that is carried over them (Keras). Of a sequence
   * without steps Y_h is 0 (ONNX Runtime), or the initial state.
   */
  padding?: "zero" | "carry";
}

/** y = x A^T + b over the last axis. inputs: x [..., in]. A [out, in], b [out] are tensors' names. */
export interface DenseLayer extends LayerBase {
  op: "dense";
  A: string;
  b?: string;
  /** Set by the compiler: out. */
  features?: number;
}

/**
 * Row look-up, y = table[token]. inputs: tokens [...], directly a model input. table [V, E] is public, and the client
 * looks up itself, unless the compiler is told to keep it secret (CompileOptions.privateEmbeddings).
 */
export interface EmbeddingLayer extends LayerBase {
  op: "embedding";
  table: string;
  /** Set by the compiler: the table is shared between the servers, and the client shares a one-hot vector a token. */
  private?: boolean;
  /** Set by the compiler with it: at least the largest |entry|. */
  most?: number;
}

/** Elementwise function. */
export interface ActivationLayer extends LayerBase {
  op: "activation";
  activation: Activation;
}

/**
 * y = x * scale + offset, elementwise; tensors of the model owner, whose shapes broadcast to x's (as NumPy does;
 * x keeps its shape). Batch normalisation, standardisation, products with and sums of constants. Costs nothing next
 * to a dense, convolutional or recurrent layer, into whose weights it is folded.
 */
export interface AffineLayer extends LayerBase {
  op: "affine";
  scale?: string;
  offset?: string;
  /** Set by the compiler: the tensors' shapes, which are public. */
  shapes?: { scale?: number[]; offset?: number[] };
}

/** The sum of private values; signs default to 1. inputs broadcast as NumPy does. */
export interface SumLayer extends LayerBase {
  op: "sum";
  signs?: (1 | -1)[];
}

/** The elementwise product of two private values, which broadcast as NumPy does. */
export interface ProductLayer extends LayerBase {
  op: "product";
}

/**
 * Sum, mean or maximum over axes of x. inputs: x; optionally lengths [B] and starts [B] as for a GRU: then x is
 * [B, T, ...], axes is [1], and steps of padding do not count.
 */
export interface ReduceLayer extends LayerBase {
  op: "reduce";
  fn: "sum" | "mean" | "max";
  /** Negative ones count from the end. */
  axes: number[];
  keepDims: boolean;
}

/**
 * Convolution over time as ONNX has it: x [B, C, L] gives [B, M, L'], y[m, l] = b[m] + sum W[m, c, k] x[c, l stride
 * + k dilation - pads[0]], x being 0 outside. Names of tensors: W [M, C / groups, K], b [M].
 */
export interface Conv1dLayer extends LayerBase {
  op: "conv1d";
  W: string;
  b?: string;
  stride: number;
  dilation: number;
  groups: number;
  /** Zeros before and after. */
  pads: [number, number];
  /** Set by the compiler: the shape of W. */
  shape?: number[];
}

/**
 * Softmax or its logarithm over one axis; only at the end, where the client computes it on the revealed logits. Views
 * may follow: the client takes what they leave, and gets the logits of every softmax of which anything is left.
 */
export interface SoftmaxLayer extends LayerBase {
  op: "softmax" | "logSoftmax";
  axis: number;
}

/** The position of the largest along one axis, the first of equal ones; only at the end, as a softmax. */
export interface ArgMaxLayer extends LayerBase {
  op: "argMax";
  axis: number;
  keepDims: boolean;
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
  | AffineLayer
  | SumLayer
  | ProductLayer
  | ReduceLayer
  | Conv1dLayer
  | SoftmaxLayer
  | ArgMaxLayer
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
