import type { LayerCall } from "../convert.js";

/** Names of tensors of a GruLayer. */
export interface GruWeights {
  W: string;
  U: string;
  bW?: string;
  bU?: string;
  resetAfter: boolean;
}

/**
 * Keras: kernel [I, 3H], recurrent_kernel [H, 3H], whose columns are the gates z, r, h; bias [2, 3H] (of input and
 * state) with reset_after, otherwise [3H]. Source: keras-team/keras, src/layers/rnn/gru.py.
 */
export function kerasWeights(call: LayerCall, units: number, inputSize: number): GruWeights {
  const rows = 3 * units;
  const useBias = call.options.boolean("use_bias", true);
  // Files from before the option (and TensorFlow.js, which can't do otherwise) mean false.
  const resetAfter = call.options.boolean("reset_after", false);
  const shapes: Record<string, number[]> = { kernel: [inputSize, rows], recurrent_kernel: [units, rows] };
  if (useBias) shapes.bias = resetAfter ? [2, rows] : [rows];
  const { kernel, recurrent_kernel, bias } = call.weights(shapes);
  const result: GruWeights = {
    W: call.tensor("W", [rows, inputSize], transpose(kernel!.data, inputSize, rows)),
    U: call.tensor("U", [rows, units], transpose(recurrent_kernel!.data, units, rows)),
    resetAfter,
  };
  if (bias) result.bW = call.tensor("bW", [rows], bias.data.slice(0, rows));
  if (bias && resetAfter) result.bU = call.tensor("bU", [rows], bias.data.slice(rows));
  return result;
}

/**
 * CuDNNGRU of Keras 2: kernel [I, 3H] holds each gate's matrix as cuDNN has it, [H, I] row by row, and the recurrent
 * one [H, H] transposed; bias [6H]. Source: Keras 2's saving/hdf5_format.py, convert_gru_weights.
 */
export function cudnnWeights(call: LayerCall, units: number, inputSize: number): GruWeights {
  const rows = 3 * units;
  const { kernel, recurrent_kernel, bias } = call.weights({
    kernel: [inputSize, rows],
    recurrent_kernel: [units, rows],
    bias: [2 * rows],
  });
  return {
    W: call.tensor("W", [rows, inputSize], stackGates(kernel!.data, inputSize, units)),
    U: call.tensor("U", [rows, units], stackGates(recurrent_kernel!.data, units, units)),
    bW: call.tensor("bW", [rows], bias!.data.slice(0, rows)),
    bU: call.tensor("bU", [rows], bias!.data.slice(rows)),
    resetAfter: true,
  };
}

/** Rows [n, 3H] to three blocks, each gate's [n, H] numbers in their order. */
function stackGates(data: Float32Array, n: number, units: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let gate = 0; gate < 3; gate++)
    for (let row = 0; row < n; row++)
      for (let unit = 0; unit < units; unit++)
        result[gate * n * units + row * units + unit] = data[row * 3 * units + gate * units + unit]!;
  return result;
}

/** [rows, columns] to [columns, rows]. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j]!;
  return result;
}
