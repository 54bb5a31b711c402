/** `sotto token`: the API tokens that a server knows. They are for the server's operator, on the server's machine. */
import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { collect, count, positive } from "../options.js";
import { note, print } from "../terminal.js";

interface CreateOptions {
  file: string[];
  role: "client" | "owner";
  days?: number;
  requestsPerMinute?: number;
  burst?: number;
  concurrent?: number;
  maxSize?: number;
}

const DAY_MS = 86_400_000;

export function addToken(program: Command): void {
  const token = program
    .command("token")
    .description("make, list and revoke the API tokens of a server's clients")
    .addHelpText("after", "\nExample:\n  sotto token create clinic-7 --file tokens.yaml");
  files(token.command("create").description("make a token, print it once, and add its hash to the file"))
    .argument("<name>", "how logs and limits name the client", name)
    .addOption(new Option("--role <role>", "what it may do").choices(["client", "owner"]).default("client"))
    .option("--days <n>", "days until it expires (default: never)", count)
    .option("--requests-per-minute <n>", "limit of this token, instead of the server's", positive)
    .option("--burst <n>", "requests at once after a pause", count)
    .option("--concurrent <n>", "inferences at the same time", count)
    .option("--max-size <n>", "largest number of time steps, sequences of a batch, ...", count)
    .addHelpText(
      "after",
      "\nExamples:\n  sotto token create clinic-7 --file tokens.yaml" +
        "\n  sotto token create clinic-7 --file server-0/tokens.yaml --file server-1/tokens.yaml" +
        "\nBoth servers have to know the client: the same token at both, or one of each.",
    )
    .action(async (given: string, options: CreateOptions) => {
      const { file, role, days, requestsPerMinute, burst, concurrent, maxSize } = options;
      const begun = file.filter((path) => !existsSync(path));
      const { createToken } = await import("@sotto/server");
      const limits = Object.fromEntries(
        Object.entries({ requestsPerMinute, burst, concurrent, maxSize }).filter(([, v]) => v !== undefined),
      );
      const made = createToken(file, {
        name: given,
        role,
        ...(days ? { expires: new Date(Date.now() + days * DAY_MS).toISOString() } : {}),
        ...(Object.keys(limits).length > 0 ? { limits } : {}),
      });
      // alone on standard output, for a script to take
      note(`token of ${given}, shown once and stored nowhere; its hash is in ${file.join(", ")}`);
      if (begun.length > 0) {
        note(
          `sotto: note: there was no ${begun.join(", ")} yet: begun anew. A server knows the token only where ` +
            "clients.tokens of its configuration names the file",
        );
      }
      await print(made);
    });
  files(token.command("list").description("names, roles and limits; hashes say nothing and are left out"))
    .addHelpText("after", "\nExample:\n  sotto token list --file tokens.yaml")
    .action(async ({ file }: { file: string[] }) => {
      const { readTokens } = await import("@sotto/server");
      const lines = file.flatMap((path) => {
        const found = readTokens(path).map(({ name, role, created, expires, limits }) => {
          const dates = [created && `made ${created}`, expires && `expires ${expires}`].filter(Boolean);
          const own = limits ? ` limits ${JSON.stringify(limits)}` : "";
          return `  ${name}  ${role}  ${dates.join(", ")}${own}`.trimEnd();
        });
        return [`${path}: ${found.length === 0 ? "no tokens" : ""}`.trimEnd(), ...found];
      });
      await print(lines.join("\n"));
    });
  files(token.command("revoke").description("forget a token; a running server refuses it from now on"))
    .argument("<name>", "its name", name)
    .addHelpText("after", "\nExample:\n  sotto token revoke clinic-7 --file tokens.yaml")
    .action(async (given: string, { file }: { file: string[] }) => {
      const { revokeToken } = await import("@sotto/server");
      revokeToken(file, given);
      const other = file.length > 1 ? "" : "; revoke it at the other server as well";
      await print(`${given} is revoked in ${file.join(", ")}${other}`);
    });
}

function files(command: Command): Command {
  return command.requiredOption(
    "--file <file>",
    "the server's file of tokens, clients.tokens in its configuration (repeatable)",
    collect,
  );
}

function name(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/.test(text)) return text;
  throw new InvalidArgumentError("Expected up to 100 letters, digits, dots, dashes, underscores or @.");
}
