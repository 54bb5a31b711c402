/** Pools over windows of steps: what is a slice for each element of the windows, and then their maximum or mean. */
import type { Dimension, ReduceLayer } from "@sotto/core";
import { isIncreasing } from "../parts.js";
import type { Value } from "./emit.js";
import { badConfig } from "./errors.js";
import type { Site } from "./layers.js";
import { arrange } from "./recurrent.js";
import { label, type WindowsStep } from "./steps.js";

/** Gives [batch, channels, time], as PyTorch's pools do. */
export function windowPool(site: Site, step: WindowsStep, x: Value): Value {
  const last = site.out.producer(x.name);
  if (step.fn !== "max" || last?.op !== "activation" || !isIncreasing(last.activation))
    return pooled(site, step, x);
  const most = pooled(site, step, { ...x, name: last.inputs[0]! });
  const { op, name, activation } = last;
  return { ...most, name: site.out.layer({ op, name, activation }, [most.name])[0]! };
}

function pooled(site: Site, step: WindowsStep, before: Value): Value {
  const { out } = site;
  const { fn, size, stride, dilation } = step;
  if (before.shape.length !== 3 || !before.axes.includes("time")) site.misfit(step, 3, "axes", before);
  const x = arrange(out, before, ["batch", "feature", "time"]);
  if (x.lengths !== undefined)
    badConfig(`${label(step)} changes the number of steps, so that "lengths" fit no longer`);
  const span = (size - 1) * dilation + 1;
  const time = x.shape[2]!;
  if (typeof time === "number" && time < span) site.misfit(step, span, "steps or more", x);
  const one = (name: string, value: number) => out.integers(`windows.${name}`, [value]);
  const [axis, last, every] = [one("axis", 2), one("last", 3), one("step", stride)];
  const parts = Array.from({ length: size }, (_, i) => {
    const end = (i - size + 1) * dilation;
    // ONNX's way to say "to the end"
    const range = [one("start", i * dilation), one("end", end === 0 ? 2 ** 31 - 1 : end)];
    const [part] = out.layer({ op: "slice", name: "windows.part" }, [x.name, ...range, axis, every]);
    return out.layer({ op: "unsqueeze", name: "windows.element" }, [part!, last])[0]!;
  });
  const [all] = out.layer({ op: "concat", name: "windows", axis: 3 }, parts);
  const reduce: Omit<ReduceLayer, "inputs" | "outputs"> = {
    op: "reduce",
    name: `pool_${fn}`,
    fn,
    axes: [3],
    keepDims: false,
  };
  const [y] = out.layer(reduce, [all!]);
  const steps: Dimension = typeof time === "number" ? Math.floor((time - span) / stride) + 1 : `${y}.time`;
  return { ...x, name: y!, shape: [x.shape[0]!, x.shape[1]!, steps] };
}
