/** `sotto certs DIR`: the certificates by which the parties of a cluster know each other. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import type { Command } from "commander";
import { exists } from "../cluster/files.js";
import { collect, count } from "../options.js";
import { print } from "../terminal.js";

interface CertsOptions {
  host?: string[];
  days?: number;
}

export function addCerts(program: Command): void {
  program
    .command("certs")
    .description("make a certificate authority and the certificates of dealer, servers, owner and client")
    .argument("<dir>", "directory to write to")
    .option(
      "--host <host>",
      "a name or address at which parties are reached, besides localhost (repeatable)",
      collect,
    )
    .option("--days <n>", "days until they expire", count)
    .addHelpText(
      "after",
      "\nExample:\n  sotto certs certificates --host server0.example.org --host 192.0.2.7",
    )
    .action(async (dir: string, options: CertsOptions) => {
      // certificates that parties use already would stop to fit together
      if (await exists(join(dir, "ca.pem"))) {
        throw new SottoError(
          "conflict",
          `${dir} holds certificates already; name another directory, or remove it`,
        );
      }
      const { makeCertificates } = await import("@sotto/server");
      await makeCertificates(dir, {
        hosts: options.host ?? [],
        ...(options.days ? { days: options.days } : {}),
      });
      const files = (await readdir(dir)).sort().map((name) => `  ${join(dir, name)}`);
      await print(
        `wrote\n${files.join("\n")}\n` +
          "Give every party ca.pem and its own pair; a .key goes to nobody else.",
      );
    });
}
