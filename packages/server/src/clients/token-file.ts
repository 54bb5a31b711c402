/**
 * The tokens of a server's clients, as a YAML file: names, roles and SHA-256 of the tokens, never a token. A token
 * is 32 random bytes, so that a plain hash of it says nothing about it and cannot be searched.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SottoError } from "@sotto/core";
import { hex32 } from "@sotto/wire";
import { readYaml } from "@sotto/wire/node";
import { stringify } from "yaml";
import { z } from "zod";
import { ownLimits } from "./limits.js";

const TOKEN_BYTES = 32;
const PREFIX = "sotto_";
const TOKEN = /^sotto_[A-Za-z0-9_-]{43}$/;

/** How logs and limits name a client. */
export const clientName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/,
    "expected 1 to 100 letters, digits, dots, dashes, underscores or @",
  );

const entry = z.strictObject({
  name: clientName,
  role: z.enum(["client", "owner"]).default("client"),
  sha256: hex32,
  created: z.iso.datetime().optional(),
  /** After this moment the token is not known any more. */
  expires: z.iso.datetime().optional(),
  limits: ownLimits.optional(),
});

const tokenFile = z.strictObject({ tokens: z.array(entry) }).superRefine(({ tokens }, context) => {
  const names = tokens.map((t) => t.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) context.addIssue({ code: "custom", path: ["tokens"], message: `name ${twice} occurs twice` });
});

export type TokenEntry = z.output<typeof entry>;

/** A fresh token from the operating system's randomness. */
export function newToken(): string {
  return PREFIX + randomBytes(TOKEN_BYTES).toString("base64url");
}

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** @throws SottoError bad-config naming the file and what is wrong in it. */
export function readTokens(path: string): TokenEntry[] {
  return readYaml(path, tokenFile).tokens;
}

/** Replaces the file at once, readable by its owner alone. @throws SottoError bad-config */
export function writeTokens(path: string, tokens: readonly TokenEntry[]): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const about = "# Tokens of this server's clients, hashed: sotto token create | list | revoke\n";
  try {
    writeFileSync(temporary, about + stringify({ tokens }), { mode: 0o600, flag: "wx" });
    chmodSync(temporary, 0o600);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? `there is no directory ${dirname(path)}` : message;
    throw new SottoError("bad-config", `${path}: cannot be written: ${why}`, { cause });
  }
}

/** What a token may do. */
export type NewToken = Pick<TokenEntry, "name" | "role" | "expires" | "limits">;

/**
 * Makes one token and adds its hash to each file; a file that is not there is made.
 * @returns the token itself, which is kept nowhere.
 * @throws SottoError conflict for a name that a file has already; bad-config.
 */
export function createToken(paths: readonly string[], about: NewToken, now = new Date()): string {
  const files = paths.map((path) => ({ path, tokens: existsSync(path) ? readTokens(path) : [] }));
  for (const { path, tokens } of files) {
    if (!tokens.some((t) => t.name === about.name)) continue;
    throw new SottoError(
      "conflict",
      `${path}: there is a token named ${about.name} already; revoke it first, or take another name`,
    );
  }
  const token = newToken();
  const sha256 = hashToken(token).toString("hex");
  const made = { ...about, sha256, created: now.toISOString() };
  for (const { path, tokens } of files) writeTokens(path, [...tokens, made]);
  return token;
}

/** @throws SottoError not-found when no file has the name; bad-config. */
export function revokeToken(paths: readonly string[], name: string): void {
  const files = paths.map((path) => ({ path, tokens: readTokens(path) }));
  const having = files.filter(({ tokens }) => tokens.some((t) => t.name === name));
  if (having.length === 0) {
    throw new SottoError("not-found", `no token named ${name} in ${paths.join(", ")}`);
  }
  for (const { path, tokens } of having) {
    writeTokens(
      path,
      tokens.filter((t) => t.name !== name),
    );
  }
}
