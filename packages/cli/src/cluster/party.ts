/**
 * A party as a child process of `sotto run`, `sotto up` and the demo: `sotto party`, a command that --help
 * does not list. It is told what to be over IPC, and ends when its parent does, however that ended.
 */
import { rmSync } from "node:fs";
import { SottoError } from "@sotto/core";
import { start } from "../daemon.js";
import type { Drain, Report, Start } from "./messages.js";

/** @param scratch directory to remove if the parent dies; the parent itself does it otherwise. */
export async function runParty(scratch?: string): Promise<never> {
  const leave = (): never => {
    if (scratch) rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
    process.exit(1);
  };
  if (!process.send) throw new SottoError("internal", "`sotto party` is started by other commands only");
  process.on("disconnect", leave);
  // Ctrl-C reaches every process of the terminal; the parent decides what follows from it
  process.on("SIGINT", () => {});
  process.on("SIGHUP", () => {});
  // without the parent there is nobody to read standard error, and a write to it fails
  process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
    if (!process.connected || error.code === "EPIPE") leave();
    failed(error);
  });
  process.on("message", (message: Start | Drain) => {
    if (message.type === "start") serve(message).catch(failed);
  });
  if (!process.connected) leave();
  say({ type: "loaded" });
  return new Promise(() => {});
}

async function serve({ role, config }: Start): Promise<void> {
  const party = await start(role, config);
  const end = (work: Promise<void>) => {
    work.then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", () => end(party.close()));
  process.on("message", (message: Start | Drain) => {
    if (message.type === "drain") end(party.drain().then(() => party.close()));
  });
  say({ type: "listening", ports: party.ports });
}

function failed(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof SottoError ? error.code : "internal";
  if (process.env.SOTTO_DEBUG === "1" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.send?.({ type: "failed", code, message } satisfies Report, () => process.exit(1));
}

function say(report: Report): void {
  // a parent that is gone is seen as "disconnect"
  process.send?.(report, () => {});
}
