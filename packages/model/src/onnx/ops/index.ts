import type { Context } from "../context.js";
import type { Node } from "../graph.js";
import { absolute, activation, clip, hardSwish, prelu, selu } from "./activations.js";
import { arithmetic, extreme, negate, power, sum } from "./arithmetic.js";
import { conv, pad } from "./conv.js";
import { gemm, matMul } from "./dense.js";
import { argMax, logarithm, softmax } from "./ends.js";
import { gru } from "./gru.js";
import { scatter, topK } from "./order.js";
import { cast, constant, dropout, identity } from "./plain.js";
import { windowPool } from "./pool.js";
import { equal, publicFunction, range, tile, where } from "./publics.js";
import { batchNormalization, globalPool, reduce } from "./reduce.js";
import { constantOfShape, shape } from "./shapes.js";
import { concat, expand, flatten, gather, reshape, slice, split, transpose, withAxes } from "./views.js";

/** Reads a node's inputs from the context, and defines its outputs there. */
export type Converter = (ctx: Context, node: Node) => void;

/** The operators of ONNX that this version imports. */
export const CONVERTERS: ReadonlyMap<string, Converter> = new Map<string, Converter>([
  ["Abs", absolute],
  ["Add", arithmetic("add")],
  ["And", publicFunction(2, (a, b) => (a && b ? 1 : 0))],
  ["ArgMax", argMax],
  ["AveragePool", windowPool("mean")],
  ["BatchNormalization", batchNormalization],
  ["Cast", cast],
  ["Ceil", publicFunction(1, Math.ceil)],
  ["Clip", clip],
  ["Concat", concat],
  ["Constant", constant],
  ["ConstantOfShape", constantOfShape],
  ["Conv", conv],
  ["Div", arithmetic("div")],
  ["Dropout", dropout],
  ["Elu", activation("elu", { alpha: 1 })],
  ["Equal", equal],
  ["Expand", expand],
  ["Flatten", flatten],
  ["Floor", publicFunction(1, Math.floor)],
  ["GRU", gru],
  ["Gather", gather],
  ["Gemm", gemm],
  ["GlobalAveragePool", globalPool("mean")],
  ["GlobalMaxPool", globalPool("max")],
  ["Greater", publicFunction(2, (a, b) => (a > b ? 1 : 0), "boolean")],
  ["GreaterOrEqual", publicFunction(2, (a, b) => (a >= b ? 1 : 0), "boolean")],
  ["HardSigmoid", activation("hardSigmoid", { alpha: 0.2, beta: 0.5 })],
  ["Identity", identity],
  ["HardSwish", hardSwish],
  ["LeakyRelu", activation("leakyRelu", { alpha: 0.01 })],
  ["Less", publicFunction(2, (a, b) => (a < b ? 1 : 0), "boolean")],
  ["LessOrEqual", publicFunction(2, (a, b) => (a <= b ? 1 : 0), "boolean")],
  ["Log", logarithm],
  ["LogSoftmax", softmax("logSoftmax")],
  ["MatMul", matMul],
  ["Max", extreme("max")],
  ["MaxPool", windowPool("max")],
  ["Min", extreme("min")],
  // The sign of the divisor, or with fmod of the dividend; sizes and indices have one sign.
  ["Mod", publicFunction(2, (a, b) => (b === 0 ? Number.NaN : a - b * Math.floor(a / b)))],
  ["Mul", arithmetic("mul")],
  ["Neg", negate],
  ["Not", publicFunction(1, (a) => (a ? 0 : 1))],
  ["Or", publicFunction(2, (a, b) => (a || b ? 1 : 0))],
  ["PRelu", prelu],
  ["Pad", pad],
  ["Pow", power],
  ["Range", range],
  ["Reciprocal", publicFunction(1, (a) => 1 / a)],
  ["ReduceMax", reduce("max")],
  ["ReduceMean", reduce("mean")],
  ["ReduceMin", reduce("min")],
  ["ReduceProd", reduce("prod")],
  ["ReduceSum", reduce("sum")],
  ["Relu", activation("relu")],
  ["Reshape", reshape],
  ["ScatterElements", scatter],
  ["Selu", selu],
  ["Shape", shape],
  ["Sigmoid", activation("sigmoid")],
  ["Slice", slice],
  ["Softmax", softmax("softmax")],
  ["Softplus", activation("softplus")],
  ["Softsign", activation("softsign")],
  ["Split", split],
  ["Sqrt", publicFunction(1, Math.sqrt)],
  ["Squeeze", withAxes("squeeze")],
  ["Sub", arithmetic("sub")],
  ["Sum", sum],
  ["Tanh", activation("tanh")],
  ["ThresholdedRelu", activation("thresholdedRelu", { alpha: 1 })],
  ["Tile", tile],
  ["TopK", topK],
  ["Transpose", transpose],
  ["Unsqueeze", withAxes("unsqueeze")],
  ["Where", where],
]);

const NORM =
  "this normalisation divides by what it computes from private values, which is not supported; use BatchNormalization";
const SELECTION =
  "selection by computed indices is not supported; for the last step take the GRU's last state (Y_h), or slice with constant indices";

const LOOP =
  "supported is a loop of which each step is a GRU cell; use torch.nn.GRU or keras.layers.GRU, which become ONNX's GRU operator";
/** Operators that people may have, with what to do instead. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ["InstanceNormalization", NORM],
  ["LayerNormalization", NORM],
  ["GroupNormalization", NORM],
  ["GatherElements", SELECTION],
  ["GatherND", SELECTION],
  ["ScatterND", SELECTION],
  ["Loop", LOOP],
  ["Scan", LOOP],
  [
    "ConcatFromSequence",
    "it is supported only of a list that a loop over a GRU cell collects its states in, with new_axis = 1",
  ],
  ["LSTM", "LSTMs are not supported; supported are GRUs, with what is usual around them"],
  ["RNN", "simple recurrent layers are not supported; supported are GRUs, with what is usual around them"],
]);
