import type { Dimension, ModelInput } from "@sotto/core";
import type { Axis, Value } from "./emit.js";
import { badConfig, quote, shown } from "./errors.js";
import { parameter } from "./parameters.js";
import type { Chain, Step } from "./steps.js";
import type { Weights } from "./weights.js";

/**
 * The model's input, and the lengths of its sequences if these are bounded. The input is as the configuration declares it, otherwise as the first modules take it. Tokens [batch, time];
 * sequences [batch, time, numbers]; with the two exchanged for a GRU that is not batch_first; [batch, channels, time]
 * where a convolution is first; without any of these [batch, numbers].
 */
export function modelInputs(chain: Chain, weights: Weights): { declared: ModelInput[]; value: Value } {
  const { steps, input, lengths } = chain;
  const tokens = steps[0]?.op === "embedding";
  const standard = usualAxes(steps, tokens);
  const shape =
    input?.shape ?? standard.map((axis) => (axis === "feature" ? features(steps, weights) : axis));
  const axes = input?.shape ? named(input.shape, standard, tokens) : standard;
  const name = input?.name ?? (tokens ? "tokens" : "x");
  const declared: ModelInput[] = [{ name, shape, kind: tokens ? "token" : "real" }];
  if (!lengths) return { declared, value: { name, shape, axes } };
  if (!axes.includes("time")) badConfig(`"lengths" need an input with an axis of time, not ${shown(shape)}`);
  const size = shape[axes.indexOf("batch")]!;
  const bound: ModelInput = { name: lengths.name, shape: [size], kind: "length" };
  if (lengths.padding !== undefined) {
    if (axes[0] !== "batch" || axes[1] !== "time")
      badConfig(`padding is found only in inputs [batch, time, ...], not in ${shown(shape)}`);
    bound.mask = { input: name, value: lengths.padding, edge: "end" };
  }
  declared.push(bound);
  return { declared, value: { name, shape, axes, lengths: lengths.name } };
}

function usualAxes(steps: readonly Step[], tokens: boolean): Axis[] {
  const layout = steps.find((step) => step.op === "gru" || step.op === "conv1d");
  const first = steps.find((step) => ["gru", "conv1d", "linear"].includes(step.op));
  const order: Axis[] = layout?.op === "gru" && !layout.batchFirst ? ["time", "batch"] : ["batch", "time"];
  if (tokens) return order;
  if (!layout) return ["batch", "feature"];
  return first?.op === "conv1d" ? ["batch", "feature", "time"] : [...order, "feature"];
}

/** Names say what axes are, otherwise their order does. */
function named(shape: readonly Dimension[], standard: readonly Axis[], tokens: boolean): Axis[] {
  const [batch, time] = [shape.indexOf("batch"), shape.indexOf("time")];
  if (batch >= 0 && time >= 0 && shape.length === (tokens ? 2 : 3))
    return shape.map((d) => (d === "batch" || d === "time" ? d : "feature"));
  if (shape.length === standard.length) return [...standard];
  if (!tokens && shape.length === 3) return ["batch", "time", "feature"];
  if (!tokens && shape.length === 2) return ["batch", "feature"];
  badConfig(`the input's shape ${shown(shape)} should have ${standard.length} axes: ${standard.join(", ")}`);
}

/** How many numbers the first module that says so takes. */
function features(steps: readonly Step[], weights: Weights): number {
  for (const step of steps) {
    const found = (suffix: string, axis: number, factor = 1) => {
      const size = "name" in step ? weights.shape(parameter(step, suffix))?.[axis] : undefined;
      if (size === undefined || size < 1)
        badConfig(
          `${quote("name" in step ? parameter(step, suffix) : suffix)} is not among the weights, or not as expected`,
        );
      return size * factor;
    };
    if (step.op === "gru") return found(step.cell ? "weight_ih" : "weight_ih_l0", 1);
    if (step.op === "linear") return found("weight", 1);
    if (step.op === "conv1d") return found("weight", 1, step.groups);
    if (step.op === "batchNorm") return found("running_mean", 0);
  }
  badConfig('it has no weights; the shape of the input must be given, as in {"inputs": {"x": ["batch", 3]}}');
}
