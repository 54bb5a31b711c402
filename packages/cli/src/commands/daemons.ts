/** `sotto dealer`, `sotto server` and `sotto front`: a party in the foreground, until it is told to end. */
import type { Command } from "commander";
import { untilSignal } from "../cluster/cleanup.js";
import type { Role } from "../cluster/messages.js";
import { note, print } from "../terminal.js";

export function addDealer(program: Command): void {
  add(program, "dealer", "run the dealer: it deals correlated randomness to the servers and sees no data");
}

export function addServer(program: Command): void {
  add(program, "server", "run one of the two servers");
}

export function addFront(program: Command): void {
  add(program, "front", "run the one name of a party that has several workers (docs/scaling.md)");
}

const EXAMPLES: Record<Role, string> = {
  dealer: "dealer.yaml",
  server: "server-0.yaml",
  front: "front-0.yaml",
};

function add(program: Command, role: Role, description: string): void {
  program
    .command(role)
    .summary(description)
    .description(
      `${description}; on Ctrl-C or SIGTERM it takes no new session, and ends when those that run have ended`,
    )
    .requiredOption("--config <file>", "configuration (YAML); `sotto up DIR` writes one to start from")
    .addHelpText("after", `\nExample:\n  sotto ${role} --config ${EXAMPLES[role]}`)
    .action(async ({ config }: { config: string }) => {
      // these libraries are large, and no other command needs them at once
      const { start } = await import("../daemon.js");
      const daemon = await start(role, config);
      const stopped = untilSignal();
      await print(daemon.addresses.map((address) => `sotto ${role}: listening ${address}`).join("\n"));
      const signal = await stopped;
      note(`sotto ${role}: ${signal}, ending when the running sessions have (a second signal: at once)`);
      await daemon.drain();
      await daemon.close();
    });
}
