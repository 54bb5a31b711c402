import type { Converter } from "../convert.js";
import * as affine from "./affine.js";
import * as convolution from "./convolution.js";
import { dense, embedding } from "./dense.js";
import { activation, functionLayer, softmax } from "./functions.js";
import { bidirectional, recurrentLayer } from "./gru.js";
import * as merging from "./merging.js";
import * as plain from "./plain.js";
import { windowPooling } from "./pooling.js";
import * as shapes from "./shapes.js";

/** Keras's layers, by class. */
export const CONVERTERS = new Map<string, Converter>([
  ["Activation", activation],
  ["ActivityRegularization", plain.nothing],
  ["Add", merging.sum("add")],
  ["AlphaDropout", plain.nothing],
  ["Average", merging.average],
  ["AveragePooling1D", windowPooling("mean")],
  ["BatchNormalization", affine.batchNormalization],
  ["Bidirectional", bidirectional],
  ["Concatenate", merging.concatenate],
  ["Conv1D", convolution.conv1d],
  ["CuDNNGRU", recurrentLayer],
  ["Dense", dense],
  ["Dropout", plain.nothing],
  ["ELU", functionLayer],
  ["Embedding", embedding],
  ["Flatten", shapes.flatten],
  ["GRU", recurrentLayer],
  ["GaussianDropout", plain.nothing],
  ["GaussianNoise", plain.nothing],
  ["GlobalAveragePooling1D", convolution.globalPooling("mean")],
  ["GlobalMaxPooling1D", convolution.globalPooling("max")],
  ["Identity", plain.nothing],
  ["LeakyReLU", functionLayer],
  ["Masking", plain.masking],
  ["MaxPooling1D", windowPooling("max")],
  ["Multiply", merging.multiply],
  ["Normalization", affine.normalization],
  ["Permute", shapes.permute],
  ["RNN", recurrentLayer],
  ["ReLU", functionLayer],
  ["RepeatVector", shapes.repeatVector],
  ["Rescaling", affine.rescaling],
  ["Reshape", shapes.reshape],
  ["Softmax", softmax],
  ["SpatialDropout1D", plain.nothing],
  ["Subtract", merging.sum("subtract")],
  ["ThresholdedReLU", functionLayer],
  ["TimeDistributed", plain.timeDistributed],
  ["ZeroPadding1D", convolution.zeroPadding1d],
]);

/** Keras 3's operations between layers: only those that make masks. */
export const OPERATIONS = new Map<string, Converter>([
  ["NotEqual", plain.notEqual],
  ["Any", plain.any],
]);
