import type { Context } from "../context.js";
import type { Node } from "../graph.js";
import { activation, softmax } from "./activations.js";
import { gemm, matMul } from "./dense.js";
import { gru } from "./gru.js";
import { cast, constant, dropout, identity } from "./plain.js";
import { arithmetic, constantOfShape, shape } from "./shapes.js";
import { concat, expand, flatten, gather, reshape, slice, split, transpose, withAxes } from "./views.js";

/** Reads a node's inputs from the context, and defines its outputs there. */
export type Converter = (ctx: Context, node: Node) => void;

/** The operators of ONNX that this version imports. */
export const CONVERTERS: ReadonlyMap<string, Converter> = new Map<string, Converter>([
  ["Add", arithmetic("add")],
  ["Cast", cast],
  ["Concat", concat],
  ["Constant", constant],
  ["ConstantOfShape", constantOfShape],
  ["Div", arithmetic("div")],
  ["Dropout", dropout],
  ["Expand", expand],
  ["Flatten", flatten],
  ["GRU", gru],
  ["Gather", gather],
  ["Gemm", gemm],
  ["Identity", identity],
  ["LogSoftmax", softmax("logSoftmax")],
  ["MatMul", matMul],
  ["Mul", arithmetic("mul")],
  ["Reshape", reshape],
  ["Shape", shape],
  ["Sigmoid", activation("sigmoid")],
  ["Slice", slice],
  ["Softmax", softmax("softmax")],
  ["Split", split],
  ["Squeeze", withAxes("squeeze")],
  ["Sub", arithmetic("sub")],
  ["Tanh", activation("tanh")],
  ["Transpose", transpose],
  ["Unsqueeze", withAxes("unsqueeze")],
]);
