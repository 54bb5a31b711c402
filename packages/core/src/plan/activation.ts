/**
 * Functions of one number: what they compute, and what their tables need to know of them (plan/table.ts).
 * The definitions are ONNX's for recurrent networks (onnx.ai, operator GRU, "Activation functions").
 */
import { SottoError } from "../errors.js";
import type { Activation } from "./description.js";

/** A function as a table holds it. */
export interface FunctionSpec extends Activation {
  /** The argument is limited to [-clip, clip] first. */
  clip?: number;
  /** The result is limited to [-limit, limit]; only in the table, as a bound that the user gave. */
  limit?: number;
}

/** What a table of the function needs: all in real units. */
export interface FunctionShape {
  /** Beyond |x| = saturation the function is constant, to within 2^-11; Infinity if it never is. */
  saturation: number;
  /** The distance of nodes that keeps the quadratics within 2^-11. */
  spacing: number;
  /** The same between kinks: what is left of it where nodes as close as a kink wants would be too many. */
  smooth: number;
  /** At least the largest |slope|. */
  slope: number;
  /** Whether it bends between its kinks. */
  curved: boolean;
  /** Its values where they are bounded, whatever the argument. */
  range?: [number, number];
}

/** Half a unit of 2^-10: what one look-up may be off by. */
const PRECISION = 2 ** -11;

/** The function itself, in doubles; without the limit, which is no part of the model. @throws SottoError bad-model. */
export function activationFunction(spec: FunctionSpec): (x: number) => number {
  const { name, clip } = spec;
  const { alpha: a, beta: b } = parameters(spec);
  const f = ((): ((x: number) => number) => {
    switch (name) {
      case "sigmoid":
        return (x) => 1 / (1 + Math.exp(-x));
      case "tanh":
        return Math.tanh;
      case "relu":
        return (x) => (x > 0 ? x : 0);
      case "hardSigmoid":
        return (x) => Math.max(0, Math.min(1, a * x + b));
      case "leakyRelu":
        return (x) => (x < 0 ? a * x : x);
      case "elu":
        return (x) => (x < 0 ? a * Math.expm1(x) : x);
      case "softsign":
        return (x) => x / (1 + Math.abs(x));
      case "softplus":
        return (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
      case "affine":
        return (x) => a * x + b;
      case "thresholdedRelu":
        return (x) => (x > a ? x : 0);
      case "scaledTanh":
        return (x) => a * Math.tanh(b * x);
      case "clip":
        return (x) => Math.min(Math.max(x, a), b);
      default:
        throw new SottoError("unsupported", `activation ${JSON.stringify(name)}: there is none of this name`);
    }
  })();
  if (clip === undefined) return f;
  if (!(clip > 0)) throw new SottoError("bad-model", `clip ${clip}; expected a positive number`);
  return (x) => f(Math.min(Math.max(x, -clip), clip));
}

/** A function's parameters, with the defaults that ONNX gives them. @throws SottoError bad-model. */
export function parameters({ name, alpha, beta }: Activation): { alpha: number; beta: number } {
  const defaults: Partial<Record<Activation["name"], [number, number]>> = {
    hardSigmoid: [0.2, 0.5],
    leakyRelu: [0.01, 0],
    elu: [1, 0],
    affine: [1, 0],
    thresholdedRelu: [1, 0],
    scaledTanh: [1, 1],
    clip: [-1, 1],
  };
  const [a, b] = defaults[name] ?? [0, 0];
  const result = { alpha: alpha ?? a, beta: beta ?? b };
  if (!Number.isFinite(result.alpha) || !Number.isFinite(result.beta))
    throw new SottoError("bad-model", `activation ${name}: its parameters are not finite`);
  if (name === "clip" && result.alpha > result.beta)
    throw new SottoError(
      "bad-model",
      `activation clip: its limits ${result.alpha} and ${result.beta} are crossed`,
    );
  return result;
}

/** What a function is like; with a clip and a limit taken into account. */
export function shapeOfFunction(spec: FunctionSpec): FunctionShape {
  const { alpha, beta } = parameters(spec);
  const own = ownShape(spec.name, alpha, beta);
  const shape: FunctionShape = { smooth: own.curved ? own.spacing : 1, ...own };
  const { clip, limit } = spec;
  if (clip !== undefined && clip < shape.saturation) {
    const f = activationFunction({ name: spec.name, alpha, beta });
    // a clip is a kink: as steep as the function is there
    const d = 2 ** -10;
    const kink = Math.max(Math.abs(f(clip) - f(clip - d)) / d, Math.abs(f(-clip) - f(d - clip)) / d);
    const ends = [
      f(clip),
      f(-clip),
      f(0),
      ...(spec.name === "thresholdedRelu" ? [Math.min(alpha, clip)] : []),
    ];
    shape.saturation = clip;
    shape.spacing = Math.min(shape.spacing, kinkSpacing(kink));
    shape.range = [Math.min(...ends), Math.max(...ends)];
  }
  if (limit !== undefined) {
    shape.spacing = Math.min(shape.spacing, kinkSpacing(shape.slope));
    const [lo, hi] = shape.range ?? [-Infinity, Infinity];
    const ends = { relu: limit, affine: (limit + Math.abs(beta)) / Math.max(Math.abs(alpha), 2 ** -20) };
    if (spec.name === "relu" || spec.name === "affine") {
      shape.saturation = Math.min(shape.saturation, ends[spec.name]);
    }
    shape.range = [Math.max(lo, -limit), Math.min(hi, limit)];
  }
  return shape;
}

/** Whether the function's values are bounded by itself. */
export function isBounded(spec: FunctionSpec): boolean {
  return shapeOfFunction(spec).range !== undefined;
}

function ownShape(
  name: Activation["name"],
  a: number,
  b: number,
): Omit<FunctionShape, "smooth"> & { smooth?: number } {
  switch (name) {
    case "sigmoid":
      return { saturation: 16 - 1 / 4, spacing: 1 / 4, slope: 1 / 4, curved: true, range: [0, 1] };
    case "tanh":
      return { saturation: 8 - 1 / 8, spacing: 1 / 8, slope: 1, curved: true, range: [-1, 1] };
    case "scaledTanh": {
      const [high, steep] = [Math.abs(a), Math.max(Math.abs(b), 2 ** -10)];
      const spacing = powerBelow(1 / (8 * steep * Math.max(1, Math.cbrt(high))));
      return { saturation: 8 / steep, spacing, slope: high * steep, curved: true, range: [-high, high] };
    }
    case "hardSigmoid": {
      const steep = Math.max(Math.abs(a), 2 ** -10);
      const saturation = Math.max(Math.abs((1 - b) / steep), Math.abs(b / steep));
      return { saturation, spacing: kinkSpacing(steep), slope: steep, curved: false, range: [0, 1] };
    }
    case "clip":
      return {
        saturation: Math.max(Math.abs(a), Math.abs(b)),
        spacing: kinkSpacing(1),
        slope: 1,
        curved: false,
        range: [a, b],
      };
    case "softsign":
      return { saturation: Infinity, spacing: 1 / 32, slope: 1, curved: true, range: [-1, 1] };
    case "softplus":
      return { saturation: Infinity, spacing: 1 / 4, slope: 1, curved: true };
    case "relu":
      return { saturation: Infinity, spacing: kinkSpacing(1), slope: 1, curved: false };
    case "leakyRelu":
      return {
        saturation: Infinity,
        spacing: kinkSpacing(Math.abs(1 - a)),
        slope: Math.max(1, Math.abs(a)),
        curved: false,
      };
    case "thresholdedRelu":
      return { saturation: Infinity, spacing: kinkSpacing(1), slope: 1, curved: false };
    case "elu": {
      const steep = Math.max(1, Math.abs(a));
      const smooth = Math.min(1 / 16, powerBelow(1 / (8 * steep)));
      const spacing = Math.min(smooth, kinkSpacing(Math.abs(1 - a)));
      return { saturation: Infinity, spacing, smooth, slope: steep, curved: true };
    }
    case "affine":
      return { saturation: Infinity, spacing: 1, slope: Math.abs(a), curved: false };
  }
}

/** A quadratic over two node distances d meets a kink where the slope changes by k to within k d / 16. */
function kinkSpacing(change: number): number {
  return Math.min(1, powerBelow((16 * PRECISION) / Math.max(change, 2 ** -7)));
}

function powerBelow(x: number): number {
  return 2 ** Math.floor(Math.log2(x));
}
