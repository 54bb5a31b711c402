/** `sotto run MODEL`: private inference on this machine with a throw-away cluster. */
import type { Command } from "commander";
import { addModelOptions, MODEL_FILE, type ModelOptions } from "../compile-options.js";
import { withDeadline } from "../deadline.js";
import { DEFAULT_TIMEOUT } from "../defaults.js";
import { allInputs, type Given } from "../inputs.js";
import { loadLocalModel } from "../local-model.js";
import { collect, positive } from "../options.js";
import { largestDifference, prepareDirectory, writeOutputs } from "../outputs.js";
import { runPlaintext } from "../plaintext.js";
import { type Result, renderResult, resultJson } from "../result-report.js";
import { Progress, print } from "../terminal.js";

interface RunOptions extends ModelOptions {
  input: string[];
  outputDir?: string;
  check?: boolean;
  clip?: boolean;
  json?: boolean;
  timeout: number;
}

export function addRun(program: Command): void {
  const command = program
    .command("run")
    .summary("private inference of a model file, all on this machine")
    .description(
      "private inference of a model file on this machine: dealer, two servers and client as four processes, " +
        "with certificates made for the run; nothing is left afterwards",
    )
    .argument("<model>", MODEL_FILE);
  addModelOptions(command)
    .option("--input <[name=]x.npy>", "an input of the model (required, repeatable)", collect)
    .option("--output-dir <dir>", "write every output to DIR/NAME.npy (float32)")
    .option("--clip", "bring inputs outside the declared range to its end, instead of refusing them")
    .option("--check", "also compute the plaintext result, and print the largest difference")
    .option("--json", "print one JSON object")
    .option("--timeout <seconds>", "deadline for all of it", positive, DEFAULT_TIMEOUT)
    .addHelpText(
      "after",
      "\nExample:\n  sotto run model.onnx --input x.npy --input-range 4 --output-dir out --check",
    )
    .allowExcessArguments()
    .action(async (model: string, given: Given<RunOptions>, command: Command) => {
      const options = { ...given, input: allInputs(given.input, command.args.slice(1)) };
      const result = await withDeadline(options.timeout, "the run", (signal) => run(model, options, signal));
      await print(options.json ? JSON.stringify(resultJson(result)) : renderResult(result));
    });
}

async function run(path: string, options: RunOptions, signal: AbortSignal): Promise<Result> {
  const progress = new Progress(!options.json);
  const { clip = false } = options;
  const { compiled, network, inputs, values } = await loadLocalModel(path, options.input, options);
  if (options.outputDir) await prepareDirectory(options.outputDir);
  const timeoutMs = options.timeout * 1000;
  const [{ throwAwayCluster }, { deployTo, inferAt }] = await Promise.all([
    import("../cluster/local.js"),
    import("../remote.js"),
  ]);
  progress.update("starting the dealer and both servers ...");
  // the servers give up first: they know who they have waited for
  const cluster = await throwAwayCluster({ sessionTimeoutMs: Math.ceil(timeoutMs * 0.8) });
  try {
    progress.update("sharing the model between the servers ...");
    const name = "model";
    const { plan } = await cluster.guard(deployTo(cluster.owner, name, compiled, { timeoutMs, signal }));
    progress.update("inferring ...");
    const { outputs, stats } = await cluster.guard(
      inferAt(cluster.client, name, () => Promise.resolve(inputs), { plan, timeoutMs, signal, clip }),
    );
    progress.done();
    // the plaintext result is not clipped
    const bounds = compiled.plan.layers.flatMap((l) =>
      l.op === "gru" && l.stateBound ? [l.stateBound] : [],
    );
    const clipping = bounds.length > 0 ? { stateBound: Math.min(...bounds) } : {};
    const files = options.outputDir ? await writeOutputs(options.outputDir, outputs) : undefined;
    return {
      outputs,
      stats,
      plan,
      ...(files ? { files } : {}),
      ...(options.check
        ? { maxAbsError: largestDifference(outputs, runPlaintext(compiled, network, values)), ...clipping }
        : {}),
    };
  } finally {
    progress.done();
    await cluster.close();
  }
}
