import type { LayerCall } from "../convert.js";
import { parseLayer } from "../json.js";
import type { Value } from "../values.js";
import { batchNormalization, rescaling } from "./affine.js";
import { dense } from "./dense.js";
import { activation, functionLayer } from "./functions.js";

/** What does nothing once a model is trained. Masks go through. */
export function nothing(call: LayerCall): Value[] {
  return [{ ...call.input(), input: false }];
}

/** Steps of which every number is mask_value are padding; Keras sets them to 0, too. */
export function masking(call: LayerCall): Value[] {
  const x = call.input();
  call.rank(x, 3);
  if (!x.input)
    call.options.unsupported("its input should be a model input as it is; move the masking to the start");
  const value = call.options.number("mask_value", 0);
  return [{ ...x, input: false, mask: { input: x.name, value, dirty: value !== 0 } }];
}

/** Layers that treat each step alike anyway. */
const EACH_STEP: Record<string, (call: LayerCall) => Value[]> = {
  Activation: activation,
  BatchNormalization: batchNormalization,
  Dense: dense,
  Dropout: nothing,
  ELU: functionLayer,
  LeakyReLU: functionLayer,
  ReLU: functionLayer,
  Rescaling: rescaling,
};

export function timeDistributed(call: LayerCall): Value[] {
  const json = parseLayer(call.options.raw("layer"), `the layer inside of ${JSON.stringify(call.name)}`);
  const convert = Object.hasOwn(EACH_STEP, json.class_name) ? EACH_STEP[json.class_name] : undefined;
  const axes = [json.config.axis ?? -1].flat();
  if (!convert || (json.class_name === "BatchNormalization" && axes[0] !== -1))
    call.options.unsupported(
      `a layer of class ${json.class_name.slice(0, 100)} inside; supported are ${Object.keys(EACH_STEP).join(", ")}`,
    );
  return convert(call.inner(json, "layer"));
}

/** x != value: the start of a mask, which functional models of Keras 3 write as an operation of its own. */
export function notEqual(call: LayerCall): Value[] {
  const [x] = call.inputs;
  const [value] = call.values;
  if (!x || call.inputs.length !== 1 || typeof value !== "number")
    call.options.unsupported("supported is the comparison of a model input with a number, for masks");
  const mixed = x.input
    ? undefined
    : `layer "${call.name}" makes a mask from something else than a model input`;
  return [
    {
      name: "",
      shape: x.shape,
      kind: "mask",
      mask: { input: x.name, value, dirty: false, ...(mixed ? { mixed } : {}) },
    },
  ];
}

/** Whether any number of a step differs. */
export function any(call: LayerCall): Value[] {
  const [x] = call.inputs;
  const axes = call.options.has("axis") ? call.options.integers("axis") : [];
  if (x?.kind !== "mask" || x.shape.length !== 3 || axes.length !== 1 || (axes[0] !== -1 && axes[0] !== 2))
    call.options.unsupported("supported is any of a mask over the last axis");
  return [{ ...x, shape: x.shape.slice(0, 2) }];
}
