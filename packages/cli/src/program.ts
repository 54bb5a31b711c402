/** The command line as a whole. */
import { Command } from "commander";
import { called } from "./called.js";

const EXIT_CODES = `
Exit codes:
  0        done
  1        it failed; the message says why
  2        the command line is wrong
  128 + N  ended by signal N (130: Ctrl-C)

Environment:
  SOTTO_DEBUG=1      show where an error happened
  SOTTO_TOKEN        API token, for the commands with --cluster
  SOTTO_STORAGE_KEY  32 bytes in hex or base64: a server encrypts the shares that it stores

Example:
  sotto run model.onnx --input x.npy --check`;

type Add = (program: Command) => void;

/** In the order of --help. Each loads what it needs only when it is called: a run starts four processes. */
const COMMANDS: Record<string, () => Promise<Add>> = {
  run: async () => (await import("./commands/run.js")).addRun,
  inspect: async () => (await import("./commands/inspect.js")).addInspect,
  up: async () => (await import("./commands/up.js")).addUp,
  top: async () => (await import("./commands/top.js")).addTop,
  deploy: async () => (await import("./commands/deploy.js")).addDeploy,
  infer: async () => (await import("./commands/infer.js")).addInfer,
  stream: async () => (await import("./commands/stream.js")).addStream,
  models: async () => (await import("./commands/models.js")).addModels,
  certs: async () => (await import("./commands/certs.js")).addCerts,
  token: async () => (await import("./commands/token.js")).addToken,
  dealer: async () => (await import("./commands/daemons.js")).addDealer,
  server: async () => (await import("./commands/daemons.js")).addServer,
  completion: async () => (await import("./commands/completion.js")).addCompletion,
  front: async () => (await import("./commands/daemons.js")).addFront,
  party: async () => (await import("./commands/party.js")).addParty,
};

/** @param name the first word of the command line: if it is a command, the others are left out. */
export async function makeProgram(name = ""): Promise<Command> {
  const wanted = Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]!] : Object.values(COMMANDS);
  const program = new Command("sotto")
    .description(
      "Private inference of GRU networks: two servers hold additive shares and compute, a blind dealer\n" +
        "supplies correlated randomness, the client alone puts the result together.",
    )
    .version("0.1.0")
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({
      writeOut: (text) => process.stdout.write(asCalled(text)),
      outputError: (text, write) => write(text.replace(/^error: /, "sotto: ")),
    })
    .addHelpText("after", EXIT_CODES);
  for (const add of await Promise.all(wanted.map((load) => load()))) add(program);
  hint(program, called());
  return program;
}

/** Help with examples to paste. */
function asCalled(help: string): string {
  const at = help.search(/^Examples?:$/m);
  if (at < 0) return help;
  const examples = help
    .slice(at)
    .replace(/(^ {2}|\| )sotto (?=[a-z])/gm, (_, before) => `${before}${called()} `);
  return help.slice(0, at) + examples;
}

/** After a wrong command line: which help to ask for. */
function hint(command: Command, path: string): void {
  command.showHelpAfterError(`  hint: ${path} --help shows how it is called, with an example`);
  for (const sub of command.commands) hint(sub, `${path} ${sub.name()}`);
}
