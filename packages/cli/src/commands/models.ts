/** `sotto models`: what the servers hold, and removing it. */
import type { ListedModel } from "@sotto/client";
import type { Command } from "commander";
import { withDeadline } from "../deadline.js";
import { DEFAULT_TIMEOUT } from "../defaults.js";
import { modelName, positive } from "../options.js";
import { print } from "../terminal.js";

interface ModelsOptions {
  cluster: string;
  json?: boolean;
  timeout: number;
}

const SHORT = 8;

export function addModels(program: Command): void {
  const models = program
    .command("models")
    .description("list or remove the models that the two servers hold")
    .addHelpText("after", "\nExample:\n  sotto models list --cluster cluster-owner.yaml");
  common(models.command("list").description("what each server holds, and whether clients can use it"))
    .addHelpText("after", "\nExample:\n  sotto models list --cluster cluster-owner.yaml")
    .action(async ({ cluster, json, timeout }: ModelsOptions) => {
      const { modelsAt } = await import("../remote.js");
      const found = await withDeadline(timeout, "the list", (signal) =>
        modelsAt(cluster, { timeoutMs: timeout * 1000, signal }),
      );
      await print(json ? JSON.stringify({ models: found }) : renderModels(found));
    });
  common(models.command("remove").description("remove a model from both servers, as its owner"))
    .argument("<name>", "the model's name", modelName)
    .addHelpText("after", "\nExample:\n  sotto models remove heart --cluster cluster-owner.yaml")
    .action(async (name: string, { cluster, json, timeout }: ModelsOptions) => {
      const { removeAt } = await import("../remote.js");
      await withDeadline(timeout, "the removal", (signal) =>
        removeAt(cluster, name, { timeoutMs: timeout * 1000, signal }),
      );
      await print(json ? JSON.stringify({ removed: name }) : `${name} is removed from both servers`);
    });
}

function common(command: Command): Command {
  return command
    .requiredOption(
      "--cluster <file>",
      "the cluster, with the owner's or the client's certificate or token (YAML)",
    )
    .option("--json", "print one JSON object")
    .option("--timeout <seconds>", "deadline for all of it", positive, DEFAULT_TIMEOUT);
}

/** One block a model: its state, and the versions at each server. */
export function renderModels(models: readonly ListedModel[]): string {
  if (models.length === 0) return "the servers hold no models";
  return models
    .map(({ name, ready, reason, servers }) => {
      const lines = servers.map((versions, i) => {
        const text = versions.map(
          ({ version, hash, profile, stored, served }) =>
            `version ${version.slice(0, SHORT)} (plan ${hash.slice(0, SHORT)}, profile ${profile}, ${stored})${served ? ", served" : ""}`,
        );
        return `  server ${i}: ${text.join("; ") || "nothing"}`;
      });
      return [`${name}: ${ready ? "ready" : `not ready: ${reason}`}`, ...lines].join("\n");
    })
    .join("\n");
}
