/** How errors reach the user: one line, a hint where there is one, and the exit code. */
import { type ErrorCode, SottoError } from "@sotto/core";
import { CommanderError } from "commander";
import { called } from "./called.js";

/** Exit codes, as --help documents them; a signal N ends the command with 128 + N. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** The command line is wrong in a way that commander cannot see by itself. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What to look at, for errors whose message cannot know that it is read by somebody at a terminal. */
const HINTS: Partial<Record<ErrorCode, (sotto: string, message: string) => string>> = {
  unreachable: () => "is every party up, and do the addresses in the cluster file match theirs?",
  timeout: (sotto, message) =>
    message.includes(" has not answered")
      ? "is that server up, and not stopped or overloaded? see its log; or raise --timeout"
      : `raise --timeout, or look at \`${sotto} inspect MODEL\` for the rounds and bytes that the run needs`,
};

/** Commands for a model's owner alone. */
const OWNERS: readonly unknown[] = ["deploy", "models"];
const forOwner = () =>
  `give the owner's file with --cluster; of a cluster by \`${called()} up DIR\` it is DIR/cluster-owner.yaml`;

const noConfig = (sotto: string) =>
  `is the path right? \`${sotto} up DIR\` writes the files of a cluster on this machine`;
const noTokens = (sotto: string) =>
  `is the path right? \`${sotto} token create NAME --file FILE\` writes a file of tokens`;

function hintFor({ code, cause, message }: SottoError, command: string | undefined): string | undefined {
  if (code === "forbidden" && OWNERS.includes(command)) return forOwner();
  const missing = /^(ENOENT|ENOTDIR)$/.test((cause as NodeJS.ErrnoException | undefined)?.code ?? "");
  if (code !== "bad-config" || !missing) return HINTS[code]?.(called(), message);
  return (command === "token" ? noTokens : noConfig)(called());
}

/**
 * Writes an error to standard error. Returns the exit code.
 * @param command the first word of the command line.
 */
export function report(
  error: unknown,
  command?: string,
  write: (text: string) => void = (text) => process.stderr.write(text),
): number {
  if (error instanceof CommanderError) {
    // commander has written its own message; --help and --version end here as well
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (error instanceof UsageError) {
    write(`sotto: ${error.message}\n`);
    return EXIT.usage;
  }
  if (error instanceof SottoError) {
    write(`sotto: ${error.message}\n`);
    const hint = hintFor(error, command);
    if (hint) write(`  hint: ${hint}\n`);
  } else {
    const message = error instanceof Error ? error.message : String(error);
    write(`sotto: unexpected error: ${message}\n`);
    if (process.env.SOTTO_DEBUG !== "1") write("  hint: SOTTO_DEBUG=1 shows where it happened\n");
  }
  if (process.env.SOTTO_DEBUG === "1" && error instanceof Error) write(`${chain(error)}\n`);
  return EXIT.failure;
}

/** Stacks of an error and its causes. */
function chain(error: Error): string {
  const stack = error.stack ?? error.message;
  return error.cause instanceof Error ? `${stack}\ncaused by: ${chain(error.cause)}` : stack;
}
