/** Layers of several inputs. */
import type { AffineLayer, ProductLayer, SumLayer } from "@sotto/core";
import { type LayerCall, shapeText } from "../convert.js";
import type { Shape, Value } from "../values.js";

/** Keras gives inputs with fewer axes new ones after the batch (layers/merging/base_merge.py). */
function operands(call: LayerCall): { xs: Value[]; shape: Shape } {
  const xs = call.inputs.map((_, i) => call.real(i));
  if (xs.length === 0) call.options.bad("it has no inputs");
  const rank = Math.max(...xs.map((x) => x.shape.length));
  const wide = xs.map((x) => {
    let value = x;
    while (value.shape.length < rank) value = { ...call.ctx.unsqueeze(call.name, value, 1), mask: x.mask };
    return value;
  });
  const shape = wide[0]!.shape.map((_, axis) => {
    const sizes = wide.map((x) => x.shape[axis]!);
    const known = sizes.filter((s) => s !== 1);
    const numbers = new Set(known.filter((s) => s !== null));
    if (numbers.size > 1)
      call.options.bad(`shapes don't fit: ${wide.map((x) => `[${shapeText(x.shape)}]`).join(", ")}`);
    return known.length === 0 ? 1 : ([...numbers][0] ?? null);
  });
  return { xs: wide, shape };
}

function mask(call: LayerCall, xs: readonly Value[]) {
  const some = xs.filter((x) => x.mask);
  // With one input unmasked, Keras 3 drops the mask and Keras 2 keeps the others'.
  if (call.ctx.keras === 3 && some.length < xs.length) {
    for (const x of xs) call.dropMask(x);
    return undefined;
  }
  return some.length === 0 ? undefined : call.commonMask(some);
}

export function sum(signs: "add" | "subtract") {
  return (call: LayerCall): Value[] => {
    const { xs, shape } = operands(call);
    if (signs === "subtract" && xs.length !== 2) call.options.bad(`it has ${xs.length} inputs, expected 2`);
    const layer = { op: "sum", name: call.name, inputs: xs.map((x) => x.name) } as const;
    const more = signs === "subtract" ? { signs: [1, -1] as (1 | -1)[] } : {};
    return [call.ctx.add<SumLayer>({ ...layer, ...more }, shape, mask(call, xs))];
  };
}

export function average(call: LayerCall): Value[] {
  const [total] = sum("add")(call);
  const scale = call.tensor("scale", [1], Float32Array.of(1 / call.inputs.length));
  const layer: Omit<AffineLayer, "outputs"> = { op: "affine", name: call.name, inputs: [total!.name], scale };
  return [call.ctx.add(layer, total!.shape, total!.mask)];
}

export function multiply(call: LayerCall): Value[] {
  const { xs, shape } = operands(call);
  if (call.ctx.keras === 3 && xs.some((x) => x.mask))
    call.options.unsupported(
      "masked inputs; Keras 3 sets their padding to other values here. Remove the masking",
    );
  const joint = mask(call, xs);
  const y = xs.slice(1).reduce((a, b) => {
    return call.ctx.add<ProductLayer>({ op: "product", name: call.name, inputs: [a.name, b.name] }, shape);
  }, xs[0]!);
  return [{ ...y, input: false, mask: joint }];
}

export function concatenate(call: LayerCall): Value[] {
  const xs = call.inputs.map((_, i) => call.real(i));
  const [first] = xs;
  if (!first) call.options.bad("it has no inputs");
  const rank = first.shape.length;
  const [given = -1] = call.options.has("axis") ? call.options.integers("axis") : [];
  const axis = given < 0 ? given + rank : given;
  if (axis < 1 || axis >= rank) call.options.bad(`axis is ${given}, but its inputs have ${rank} axes`);
  const shape = first.shape.map((size, i) => {
    const sizes = xs.map((x) => (x.shape.length === rank ? x.shape[i]! : Number.NaN));
    if (i === axis)
      return sizes.some((s) => s === null) ? null : (sizes as number[]).reduce((a, b) => a + b, 0);
    const known = new Set(sizes.filter((s) => s !== null));
    if (known.size > 1)
      call.options.bad(`shapes don't fit: ${xs.map((x) => `[${shapeText(x.shape)}]`).join(", ")}`);
    return [...known][0] ?? size;
  });
  if (shape.some((s) => Number.isNaN(s))) call.options.bad("its inputs differ in their number of axes");
  const masked = xs.filter((x) => x.mask);
  let mask = masked.length > 0 ? call.commonMask(masked) : undefined;
  if (mask && axis === 1)
    mask = {
      ...mask,
      mixed: `layer "${call.name}" joins masked sequences in time, after which the mask can't be used`,
    };
  return [call.ctx.concat(call.name, xs, axis, shape, mask)];
}
