/** `sotto deploy MODEL`: the model owner compiles, shares, and sends each share only to its server. */
import type { Deployed } from "@sotto/client";
import type { Sizes } from "@sotto/core";
import { loadModel } from "@sotto/model";
import type { Command } from "commander";
import { addModelOptions, compileOptions, MODEL_FILE, type ModelOptions } from "../compile-options.js";
import { withDeadline } from "../deadline.js";
import { DEFAULT_TIMEOUT } from "../defaults.js";
import { significant } from "../format.js";
import { modelName, positive, size } from "../options.js";
import { compileFor } from "../profile.js";
import { note, onNote, print } from "../terminal.js";

interface DeployOptions extends ModelOptions {
  name: string;
  cluster: string;
  size?: Sizes;
  json?: boolean;
  timeout: number;
}

export function addDeploy(program: Command): void {
  const command = program
    .command("deploy")
    .description("share a model between the two servers, as its owner")
    .argument("<model>", MODEL_FILE);
  addModelOptions(command)
    .requiredOption("--name <name>", "name under which clients ask for it", modelName)
    .requiredOption("--cluster <file>", "the cluster, with the owner's certificate (YAML)")
    .option(
      "--size <name=N>",
      "a size that the model leaves open, at its largest; only for sums over time, whose bounds grow with it",
      size,
    )
    .option("--json", "print one JSON object")
    .option("--timeout <seconds>", "deadline for all of it", positive, DEFAULT_TIMEOUT)
    .addHelpText(
      "after",
      "\nExample:\n  sotto deploy model.onnx --name heart --cluster cluster-owner.yaml --input-range 4",
    )
    .action(async (path: string, options: DeployOptions) => {
      const { name, cluster, timeout } = options;
      const model = await loadModel(path, { config: options.config, onNote });
      const asked = { ...(await compileOptions(model, options)), sizes: options.size };
      const { deployTo, roundTripAt } = await import("../remote.js");
      const { profile, plan, version, replaced } = await withDeadline(
        timeout,
        "the deployment",
        async (signal) => {
          const remote = { timeoutMs: timeout * 1000, signal };
          const roundTripMs = asked.profile ? undefined : await roundTripAt(cluster, remote);
          const compiled = compileFor(model, asked, roundTripMs);
          const { profile } = compiled.plan;
          if (profile === "wan")
            note(
              `sotto: profile wan${roundTripMs === undefined ? "" : `: a round trip between the servers takes ${significant(roundTripMs)} ms`}`,
            );
          return { profile, ...(await deployTo(cluster, name, compiled, remote)) };
        },
      );
      await print(
        options.json
          ? JSON.stringify({
              name,
              plan,
              profile,
              version,
              replaced: replaced.map((v) => v?.version ?? null),
            })
          : `${name} is deployed and ready\nplan ${plan}\n  (clients pin it: sotto infer --plan)\n` +
              `version ${version}${replacing(replaced)}`,
      );
    });
}

/** What the servers served under the name before; they may have differed. */
function replacing([a, b]: Deployed["replaced"]): string {
  if (!a && !b) return "";
  if (a?.version === b?.version) return `, replaces ${a!.version}`;
  return `, replaces ${a?.version ?? "nothing"} at server 0 and ${b?.version ?? "nothing"} at server 1`;
}
