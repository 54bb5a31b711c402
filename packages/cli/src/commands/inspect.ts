/** `sotto inspect MODEL`: the plan before anything runs; or what a private run makes of samples. */
import {
  type Compiled,
  type CompileOptions,
  compile,
  instantiate,
  type ModelDescription,
  planHash,
  type Sizes,
} from "@sotto/core";
import { loadModel } from "@sotto/model";
import type { Command } from "commander";
import {
  addModelOptions,
  compileOptions,
  MODEL_FILE,
  type ModelOptions,
  needsStateBound,
} from "../compile-options.js";
import { UsageError } from "../errors.js";
import { openSizes, readInputs } from "../inputs.js";
import { collect, size } from "../options.js";
import { type PlanReport, planReport } from "../plan-report.js";
import { render } from "../plan-text.js";
import { type Calibration, calibrate } from "../samples/calibrate.js";
import { type ErrorReport, errorReport } from "../samples/error.js";
import { renderStudy } from "../samples/render.js";
import { readSamples, type Samples } from "../samples/samples.js";
import { chooseSizes, givenSizes, sizesFrom } from "../sizes.js";
import { note, onNote, Progress, print } from "../terminal.js";

export interface InspectOptions extends ModelOptions {
  size?: Sizes;
  input?: string[];
  error?: string[];
  calibrate?: string[];
  json?: boolean;
}

/** With --error, --calibrate or both. */
export interface Study {
  model: string;
  plan: string;
  calibration?: Calibration;
  error?: ErrorReport;
}

/** Assumed while samples are observed, where a model needs a bound: what is observed does not depend on it. */
export const ASSUMED_STATE_BOUND = 16;

export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .summary("what a private run takes, before anything runs; or what it makes of samples")
    .description(
      "show the plan of a private run before anything runs: layers, bounds, rounds, bytes, latency; " +
        "or what it makes of samples: errors (--error), ranges (--calibrate)",
    )
    .argument("<model>", MODEL_FILE);
  addModelOptions(command)
    .option("--size <name=N>", "a size that the model leaves open, e.g. time=50", size)
    .option("--input <[name=]x.npy>", "take sizes and lengths from an input (repeatable)", collect)
    .option(
      "--error <[name=]data.npy>",
      "instead of the plan: errors and changed decisions of a private run on samples, an input or an axis of " +
        "samples in front (repeatable)",
      collect,
    )
    .option(
      "--calibrate <[name=]data.npy>",
      "instead of the plan: what samples reach of ranges and bounds, and what to declare (repeatable)",
      collect,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  sotto inspect model.onnx --input-range 4 --size time=50\n" +
        "  sotto inspect model.onnx --calibrate samples.npy --error samples.npy",
    )
    .action(async (model: string, options: InspectOptions) => {
      const studied = options.error !== undefined || options.calibrate !== undefined;
      const report = studied ? await study(model, options) : await inspect(model, options);
      const text = () =>
        "calibration" in report || "error" in report
          ? renderStudy(report)
          : render(report as PlanReport, options.inputRange);
      await print(options.json ? JSON.stringify(report) : text());
    });
}

export async function inspect(path: string, options: InspectOptions): Promise<PlanReport> {
  const model = await loadModel(path, { config: options.config, onNote });
  const given = await compileOptions(model, options);
  if (!options.input) {
    const compiled = compile(model, { ...given, sizes: options.size });
    const sizes = chooseSizes(compiled, options.size ?? {});
    return planReport(compiled, instantiate(compiled.plan, sizesFrom(sizes)), sizes);
  }
  if (options.size) throw new UsageError("--size with --input, which says the sizes; give one of the two");
  const { sizes } = await readInputs(options.input, model.inputs);
  const compiled = compile(model, { ...given, sizes });
  return planReport(compiled, instantiate(compiled.plan, sizes), givenSizes(compiled, sizes));
}

/** @throws UsageError; SottoError for anything wrong with the model, the samples, or how they fit together. */
export async function study(path: string, options: InspectOptions): Promise<Study> {
  for (const option of ["size", "input"] as const) {
    if (options[option]) throw new UsageError(`--${option} with samples, which say the sizes; leave it out`);
  }
  const model = await loadModel(path, { config: options.config, onNote });
  const read = (option: "error" | "calibrate") =>
    options[option] && readSamples(`--${option}`, options[option], model.inputs);
  const [observed, tested] = [await read("calibrate"), await read("error")];
  const given = await compileOptions(model, options);
  const bounded = observed && !tested ? withStateBound(model, given) : given;
  const sizes = openSizes(model.inputs, (observed ?? tested)!.at(0));
  const compiled = compile(model, { ...bounded, sizes });
  const progress = new Progress(!options.json);
  const counting =
    (what: string, { count }: Samples) =>
    (done: number) =>
      progress.update(`${what}: sample ${done} of ${count} ...`);
  try {
    return {
      ...about(compiled),
      ...(observed && { calibration: calibrate(compiled, observed, counting("observing", observed)) }),
      ...(tested && { error: errorReport(compiled, tested, counting("comparing", tested)) }),
    };
  } finally {
    progress.done();
  }
}

function about({ plan }: Compiled): Pick<Study, "model" | "plan"> {
  return { model: plan.name, plan: planHash(plan) };
}

/** A bound for the GRUs that need one and have none: to choose it is what the samples are observed for. */
function withStateBound(model: ModelDescription, options: CompileOptions): CompileOptions {
  const bounds = { ...(options.stateBound as Record<string, number> | undefined) };
  const missing = model.layers.filter(
    (l) => l.op === "gru" && needsStateBound(l) && bounds[l.name] === undefined,
  );
  if (missing.length === 0) return options;
  for (const { name } of missing) bounds[name] = ASSUMED_STATE_BOUND;
  note(
    `sotto: note: no --state-bound for ${missing.map((l) => l.name).join(", ")}; ` +
      `${ASSUMED_STATE_BOUND} is assumed while the samples are observed`,
  );
  return { ...options, stateBound: bounds };
}
