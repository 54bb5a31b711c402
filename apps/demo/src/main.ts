/** `npm run demo:web`: serves the page until Ctrl-C. */
import { untilSignal } from "@sotto/cli/cluster";
import { SottoError } from "@sotto/core";
import { startDemo } from "./demo.js";

const DEFAULT_PORT = 7400;
const HELP = `npm run demo:web [-- --port N]

Starts a cluster on this machine and a page that uses it, and prints the page's address.
  --port N   the page's port (default ${DEFAULT_PORT}; 0 for any)
Ctrl-C stops everything.`;

export async function main(argv: readonly string[]): Promise<void> {
  try {
    if (argv.includes("--help")) {
      process.stdout.write(`${HELP}\n`);
      return;
    }
    const demo = await startDemo(portOf(argv), (text) => process.stderr.write(`- ${text}\n`));
    process.stdout.write(`${demo.url}\n`);
    process.stderr.write("Ctrl-C stops the page and the cluster.\n");
    try {
      await demo.cluster.guard(untilSignal());
    } finally {
      await demo.close();
    }
    process.exit(0);
  } catch (error) {
    const message = error instanceof SottoError ? error.message : String(error);
    process.stderr.write(`sotto: ${message}\n`);
    process.exit(1);
  }
}

/** @throws SottoError bad-input */
function portOf(argv: readonly string[]): number {
  if (argv.length === 0) return DEFAULT_PORT;
  const port = argv[0] === "--port" && argv.length === 2 ? Number(argv[1]) : Number.NaN;
  if (Number.isInteger(port) && port >= 0 && port < 65536) return port;
  throw new SottoError("bad-input", `expected --port and a number below 65536, found ${argv.join(" ")}`);
}
