/** `sotto certs DIR`: the certificates by which the parties of a cluster know each other. */
import { X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import { ROLES, type Role } from "@sotto/wire";
import { type Command, Option } from "commander";
import { exists } from "../cluster/files.js";
import { collect, count, directory } from "../options.js";
import { print } from "../terminal.js";

interface CertsOptions {
  host?: string[];
  days?: number;
  only?: Role;
}

export function addCerts(program: Command): void {
  program
    .command("certs")
    .description("make a certificate authority and the certificates of dealer, servers, owner and client")
    .argument("<dir>", "directory to write to", directory)
    .option(
      "--host <host>",
      "a name or address at which parties are reached, besides localhost (repeatable)",
      collect,
    )
    .addOption(
      new Option(
        "--only <role>",
        "one party's own certificate, which the others list in their tls.ca: no authority",
      ).choices([...ROLES]),
    )
    .option("--days <n>", "days until they expire", count)
    .addHelpText(
      "after",
      "\nExample:\n  sotto certs certificates --host server0.example.org --host 192.0.2.7",
    )
    .action(async (dir: string, options: CertsOptions) => {
      const { hosts, days } = { hosts: options.host ?? [], days: options.days };
      const how = { hosts, ...(days ? { days } : {}) };
      if (options.only) return only(dir, options.only, how);
      // certificates that parties use already would stop to fit together
      if (await exists(join(dir, "ca.pem"))) {
        throw new SottoError(
          "conflict",
          `${dir} holds certificates already; name another directory, or remove it`,
        );
      }
      const { makeCertificates } = await import("@sotto/server");
      await makeCertificates(dir, how);
      const files = (await readdir(dir)).sort().map((name) => `  ${join(dir, name)}`);
      await print(
        `wrote\n${files.join("\n")}\n` +
          "Give every party ca.pem and its own pair; a .key goes to nobody else.",
      );
    });
}

async function only(dir: string, role: Role, how: { hosts: string[]; days?: number }): Promise<void> {
  const [pem, key] = [join(dir, `${role}.pem`), join(dir, `${role}.key`)];
  if (await exists(key)) {
    throw new SottoError("conflict", `${key} is there already; name another directory, or remove it`);
  }
  const { makeOwnCertificate } = await import("@sotto/server");
  await makeOwnCertificate(dir, role, how);
  const { fingerprint256 } = new X509Certificate(await readFile(pem));
  await print(
    `wrote ${pem} and ${key}\nSHA-256 ${fingerprint256}\n` +
      `Give ${role}.pem to the other parties, and have them compare the fingerprint; the .key goes to nobody.`,
  );
}
