/** `sotto infer`: private inference at a cluster, as a client. */
import { instantiate, SottoError } from "@sotto/core";
import type { Command } from "commander";
import { withDeadline } from "../deadline.js";
import { DEFAULT_TIMEOUT } from "../defaults.js";
import { allInputs, type Given, readInputs } from "../inputs.js";
import { warnOfClipping } from "../local-model.js";
import { collect, modelName, planHashOption, positive } from "../options.js";
import { prepareDirectory, writeOutputs } from "../outputs.js";
import { type Result, renderResult, resultJson } from "../result-report.js";
import { print } from "../terminal.js";

interface InferOptions {
  name: string;
  cluster: string;
  input: string[];
  outputDir?: string;
  plan?: string;
  clip?: boolean;
  json?: boolean;
  timeout: number;
}

export function addInfer(program: Command): void {
  program
    .command("infer")
    .description("private inference of a deployed model, as a client")
    .requiredOption("--name <name>", "the model's name", modelName)
    .requiredOption("--cluster <file>", "the cluster, with the client's certificate (YAML)")
    .option("--input <[name=]x.npy>", "an input of the model (required, repeatable)", collect)
    .option("--output-dir <dir>", "write every output to DIR/NAME.npy (float32)")
    .option("--plan <hash>", "accept this plan only (`sotto deploy` prints its hash)", planHashOption)
    .option("--clip", "bring inputs outside the declared range to its end, instead of refusing them")
    .option("--json", "print one JSON object")
    .option("--timeout <seconds>", "deadline for all of it", positive, DEFAULT_TIMEOUT)
    .addHelpText(
      "after",
      "\nExample:\n  sotto infer --name heart --cluster cluster-client.yaml --input x.npy --output-dir out",
    )
    .allowExcessArguments()
    .action(async (given: Given<InferOptions>, command: Command) => {
      const options = { ...given, input: allInputs(given.input, command.args) };
      const result = await withDeadline(options.timeout, "the inference", (signal) => infer(options, signal));
      await print(options.json ? JSON.stringify(resultJson(result)) : renderResult(result));
    });
}

async function infer(options: InferOptions, signal: AbortSignal): Promise<Result> {
  const { inferAt } = await import("../remote.js");
  if (options.outputDir) await prepareDirectory(options.outputDir);
  const { name, cluster, plan, clip = false } = options;
  const result = await inferAt(
    cluster,
    name,
    async (served) => {
      const { values, sizes } = await readInputs(options.input, served.inputs);
      if (clip) warnOfClipping(instantiate(served, sizes), values);
      return values;
    },
    { timeoutMs: options.timeout * 1000, signal, clip, ...(plan ? { plan } : {}) },
  ).catch((error: unknown) => {
    throw forClient(error);
  });
  const files = options.outputDir ? await writeOutputs(options.outputDir, result.outputs) : undefined;
  return { ...result, ...(files ? { files } : {}) };
}

/** A client can't declare ranges: that is the owner's to do, when the model is deployed. */
export function forClient(error: unknown): unknown {
  if (!(error instanceof SottoError) || !error.message.includes("outside the declared range")) return error;
  const message = error.message.replace(/; declare a larger .*$/s, "");
  return new SottoError(
    error.code,
    `${message}; normalise the input, clip it (--clip), or ask the model's owner to deploy it with a larger --input-range`,
    { cause: error },
  );
}
