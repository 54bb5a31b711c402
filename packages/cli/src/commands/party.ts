/** `sotto party`: a party started by `run`, `up` or the demo (cluster/party.ts). Not for people. */
import type { Command } from "commander";

export function addParty(program: Command): void {
  program
    .command("party", { hidden: true })
    .option("--scratch <dir>", "directory to remove if the parent dies")
    .action(async ({ scratch }: { scratch?: string }) => {
      const { runParty } = await import("../cluster/party.js");
      await runParty(scratch);
    });
}
