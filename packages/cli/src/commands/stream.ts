/** `sotto stream`: private inference over time steps as they come on standard input. */
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { DEFAULT_TIMEOUT } from "../defaults.js";
import { count, modelName, planHashOption, positive, size } from "../options.js";
import { print } from "../terminal.js";
import { forClient } from "./infer.js";

interface StreamOptions {
  name: string;
  cluster: string;
  steps: number;
  size?: Record<string, number>;
  plan?: string;
  clip?: boolean;
  timeout: number;
}

export function addStream(program: Command): void {
  program
    .command("stream")
    .summary("private inference over time steps as they come on standard input")
    .description(
      "private inference over time steps as they come on standard input; the servers keep the hidden state between them",
    )
    .requiredOption("--name <name>", "the model's name", modelName)
    .requiredOption("--cluster <file>", "the cluster, with the client's certificate (YAML)")
    .option("--steps <n>", "time steps to send together", count, 1)
    .option("--size <name=n>", "a size that the model leaves open, besides time (default 1)", size)
    .option("--plan <hash>", "accept this plan only (`sotto deploy` prints its hash)", planHashOption)
    .option("--clip", "bring inputs outside the declared range to its end, instead of refusing them")
    .option("--timeout <seconds>", "deadline for opening the stream", positive, DEFAULT_TIMEOUT)
    .addHelpText(
      "after",
      `
A line of input is one time step: numbers between commas or spaces, or a JSON list; for several inputs a JSON object,
{"x": [...], "y": [...]}. Each result is a line of JSON, written as soon as it is there. A line that is no step ends the stream
with an error that names it.

Example:
  tail -f heart-rate.csv | sotto stream --name heart --cluster cluster-client.yaml`,
    )
    .action(async (options: StreamOptions) => {
      await stream(options).catch((error: unknown) => {
        throw forClient(error);
      });
    });
}

async function stream({ name, cluster, steps, size: sizes = {}, plan, clip, timeout }: StreamOptions) {
  const { connect } = await import("@sotto/client");
  const { openCluster } = await import("../remote.js");
  const { stepsOf } = await import("../rows.js");
  const { refuseUnknown } = await import("../sizes.js");
  const client = connect(openCluster(cluster));
  try {
    const timeoutMs = timeout * 1000;
    const model = await client.model(name, { timeoutMs, ...(plan ? { plan } : {}) });
    refuseUnknown(model.plan.inputs, sizes);
    const outside = clip ? ("clip" as const) : ("refuse" as const);
    const opened = await model.stream({ sizes, steps, outside, timeoutMs });
    const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
    let step = 0;
    // one after the other: a result is written before the next line is waited for
    for await (const { values, located } of stepsOf(lines, opened.inputs)) {
      const { outputs, stats } = await opened.step(values).catch((error: unknown) => {
        throw located(error);
      });
      step += steps;
      const numbers = Object.entries(outputs).map(([output, { data }]) => [
        output,
        Array.from(data, rounded),
      ]);
      await print(
        JSON.stringify({
          step,
          outputs: Object.fromEntries(numbers),
          ms: Math.round(stats.totalMs * 10) / 10,
        }),
      );
    }
    await opened.close();
  } finally {
    client.close();
  }
}

/** Digits beyond these say nothing: results are within 0.002 of float. */
function rounded(v: number): number {
  return Number(v.toFixed(6));
}
