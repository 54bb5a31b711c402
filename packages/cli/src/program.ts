/** The command line as a whole. */
import { Command } from "commander";
import { addCerts } from "./commands/certs.js";
import { addDealer, addServer } from "./commands/daemons.js";
import { addDeploy } from "./commands/deploy.js";
import { addInfer } from "./commands/infer.js";
import { addInspect } from "./commands/inspect.js";
import { addParty } from "./commands/party.js";
import { addRun } from "./commands/run.js";
import { addUp } from "./commands/up.js";

const EXIT_CODES = `
Exit codes:
  0        done
  1        it failed; the message says why
  2        the command line is wrong
  128 + N  ended by signal N (130: Ctrl-C)

Environment:
  SOTTO_DEBUG=1  show where an error happened

Example:
  sotto run model.onnx --input x.npy --check`;

const COMMANDS = [addRun, addInspect, addUp, addDeploy, addInfer, addCerts, addDealer, addServer, addParty];

export function makeProgram(): Command {
  const program = new Command("sotto")
    .description(
      "Private inference of GRU networks: two servers hold additive shares and compute, a blind dealer\n" +
        "supplies correlated randomness, the client alone puts the result together.",
    )
    .version("0.1.0")
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "sotto: ")) })
    .showHelpAfterError("  hint: --help shows the options")
    .addHelpText("after", EXIT_CODES);
  for (const add of COMMANDS) add(program);
  return program;
}
