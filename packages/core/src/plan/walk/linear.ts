/** Linear maps: dense layers, convolutions over time, look-ups of one-hot vectors. One opening each. */
import { SottoError } from "../../errors.js";
import { dense } from "../../nets/dense.js";
import type { SharedNode } from "../../program/nodes.js";
import type { Conv1dLayer, DenseLayer, EmbeddingLayer, Layer } from "../description.js";
import { inputScale } from "../operand.js";
import { convShape, convTensors, denseTensors, type Fold, tableTensors } from "../tensors.js";
import type { LinearMap, PrivateTensor } from "../values.js";
import { settle, unfold } from "./affine.js";
import type { Walk } from "./walk.js";

export function walkDense(walk: Walk, layer: DenseLayer): void {
  const { builder, oracle } = walk;
  const x = walk.computed(layer, 0);
  const inner = x.shape.at(-1) ?? 0;
  const { elements, folds } = unfold(walk, x.data, inner);
  const { value, operand } = walk.factor(walk.pool.collect(elements));
  const rows = value.length / inner;
  const features = known(layer, layer.features);
  const emit = labelled(walk, layer, (...after: Fold[]) => {
    const name = walk.mapName(layer.name, folds, after);
    oracle.linear(name, (model) => denseTensors(model, layer, folds, after), operand);
    const { rows: outer, cols } = oracle.tensor(`${name}.A`);
    if (inner !== cols || outer !== features) {
      throw new SottoError(
        "bad-model",
        `layer ${layer.name}: input of shape [${x.shape}], expected ${cols} features`,
      );
    }
    return dense(builder, name, value, rows, operand.shift);
  });
  walk.put(layer, walk.pool.mapped([...x.shape.slice(0, -1), features], { features, emit }));
}

/**
 * The input is opened once; each tap's matrix is applied to all steps, and the products are shifted and added.
 * docs/protocol.md, "Convolution".
 */
export function walkConv1d(walk: Walk, layer: Conv1dLayer): void {
  const { builder, oracle, pool } = walk;
  const x = walk.computed(layer, 0);
  const [batch, channels, steps] = x.shape;
  if (batch === undefined || channels === undefined || steps === undefined || x.shape.length !== 3) {
    throw new SottoError(
      "bad-model",
      `layer ${layer.name}: input of shape [${x.shape}], expected [batch, channels, time]`,
    );
  }
  const rowsFirst = timeFirst(x, batch, channels, steps);
  const unfolded = unfold(walk, rowsFirst, channels);
  // an offset would also be added to the zeros of the padding: only without these can it go into the weights
  const padded = layer.pads[0] > 0 || layer.pads[1] > 0;
  const isOffset = unfolded.folds.some((fold) => fold.some((f) => f?.offset));
  const { elements, folds } =
    padded && isOffset ? { elements: settle(walk, rowsFirst), folds: [] } : unfolded;
  const { value, operand } = walk.factor(pool.collect(elements));
  const rows = steps * batch;
  const [M, C, taps] = convShape(layer, known(layer, layer.shape));
  if (C !== channels)
    throw new SottoError("bad-model", `layer ${layer.name}: an input of ${channels} channels, expected ${C}`);
  const out = outputSteps(layer, steps, taps);
  const emit = labelled(walk, layer, (...after: Fold[]) => {
    const name = walk.mapName(layer.name, folds, after);
    oracle.linear(name, (model) => convTensors(model, layer, folds, after), operand);
    let sum = builder.parameter(`${name}.b`, out * batch);
    for (let k = 0; k < taps; k++) {
      const product = builder.linear(`${name}.A${k}`, value, rows, operand.shift);
      sum = builder.add(sum, shifted(walk, layer, product, { k, out, steps, width: batch * M }));
    }
    return sum;
  });
  const t = pool.mapped([out, batch, M], { features: M, emit });
  const data = new Float64Array(t.data.length);
  for (let l = 0; l < out; l++)
    for (let b = 0; b < batch; b++)
      for (let m = 0; m < M; m++) data[(b * M + m) * out + l] = t.data[(l * batch + b) * M + m]!;
  walk.put(layer, { shape: [batch, M, out], data });
}

/** A token's row of a secret table: the product with a one-hot vector that the client shares. */
export function walkTable(walk: Walk, layer: EmbeddingLayer, shape: readonly number[]): void {
  const { builder, oracle } = walk;
  const input = layer.inputs[0]!;
  const range = known(layer, layer.most);
  const scale = inputScale(range);
  oracle.table(layer.name, (model) => tableTensors(model, layer), scale);
  const { rows: width, cols: vocabulary } = oracle.tensor(`${layer.name}.A`);
  const tokens = shape.reduce((n, d) => n * d, 1);
  const shared = walk.tensors.get(input);
  const oneHot =
    shared ?? walk.input({ name: input, kind: "token", shape: [...shape], vocabulary }, [tokens, vocabulary]);
  if (oneHot.data.length !== tokens * vocabulary) {
    throw new SottoError(
      "unsupported",
      `layer ${layer.name}: input ${input} is looked up in tables of different lengths`,
    );
  }
  walk.tensors.set(input, oneHot);
  walk.builder.label = layer.name;
  const y = builder.linear(`${layer.name}.A`, walk.collect(oneHot.data), tokens, 0);
  // a row of the table, if the client's vector is one-hot as it should be: whoever sends another spoils its own result
  walk.put(
    layer,
    walk.pool.tensor([...shape, width], [builder.within(y, Math.ceil(range * 2 ** scale) + 1)]),
  );
}

/** Elements [batch, channels, steps] as [steps, batch, channels]. */
function timeFirst(x: PrivateTensor, batch: number, channels: number, steps: number): Float64Array {
  const out = new Float64Array(x.data.length);
  for (let b = 0; b < batch; b++)
    for (let c = 0; c < channels; c++)
      for (let t = 0; t < steps; t++)
        out[(t * batch + b) * channels + c] = x.data[(b * channels + c) * steps + t]!;
  return out;
}

/** A size that the compiler wrote into the plan. */
function known<T>(layer: Layer, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new SottoError("plan-mismatch", `layer ${layer.name}: the plan lacks its sizes`);
}

/** Nodes belong to the layer, whenever they are written down. */
function labelled(walk: Walk, layer: Layer, emit: (...after: Fold[]) => SharedNode): LinearMap["emit"] {
  return (...after) => {
    const { label } = walk.builder;
    walk.builder.label = layer.name;
    const node = emit(...after);
    walk.builder.label = label;
    return node;
  };
}

function outputSteps(layer: Conv1dLayer, steps: number, taps: number): number {
  const reach = layer.dilation * (taps - 1) + 1;
  const out = Math.floor((steps + layer.pads[0] + layer.pads[1] - reach) / layer.stride) + 1;
  if (out >= 1) return out;
  throw new SottoError(
    "bad-input",
    `layer ${layer.name}: ${steps} time steps are too few for a kernel that reaches over ${reach}`,
  );
}

/** What tap k adds to each output step: the product, moved; zeros beyond the ends. */
function shifted(
  walk: Walk,
  layer: Conv1dLayer,
  product: SharedNode,
  at: { k: number; out: number; steps: number; width: number },
): SharedNode {
  const { builder } = walk;
  const { k, out, steps, width } = at;
  const { stride } = layer;
  const offset = k * layer.dilation - layer.pads[0];
  // the output steps first .. last - 1 meet input steps
  const first = Math.min(out, Math.max(0, Math.ceil(-offset / stride)));
  const last = Math.max(first, Math.min(out, Math.ceil((steps - offset) / stride)));
  const zeros = (n: number) => (n > 0 ? [builder.zero(n * width, product.scale)] : []);
  if (first === last) {
    // with more steps it may meet others: bounds must not depend on how many there are
    const { lo, hi, room } = product;
    return Object.assign(builder.zero(out * width, product.scale), { lo, hi, room });
  }
  const length = (last - first) * width;
  let part: SharedNode;
  if (stride === 1) part = builder.slice(product, (first + offset) * width, length);
  else {
    const source = (i: number) => ((first + Math.floor(i / width)) * stride + offset) * width + (i % width);
    part = builder.gather(
      product,
      Int32Array.from({ length }, (_, i) => source(i)),
    );
  }
  return builder.concat([...zeros(first), part, ...zeros(out - last)]);
}
