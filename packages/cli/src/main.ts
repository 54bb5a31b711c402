/** Entry of the command `sotto`. */
import { report } from "./errors.js";
import { makeProgram } from "./program.js";
import { endWhenNobodyReads } from "./terminal.js";

/** Runs one command line (without node and script). Returns the exit code. */
export async function execute(argv: readonly string[]): Promise<number> {
  try {
    await (await makeProgram(argv[0])).parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    return report(error, argv[0]);
  }
}

/** Runs one command line and ends the process. */
export async function main(argv: readonly string[]): Promise<never> {
  // a party has a scratch directory to remove first (cluster/party.ts)
  if (argv[0] !== "party") endWhenNobodyReads();
  // an open connection must not keep a command alive that is done
  process.exit(await execute(argv));
}
