/** How whoever reads a hint can call this command again, as it was called now. */
import { delimiter, dirname, relative, resolve } from "node:path";

export interface Calling {
  env: NodeJS.ProcessEnv;
  /** The script, as process.argv has it. */
  script: string | undefined;
  cwd: string;
}

/** Text to paste into a shell, up to the first word after the command. */
export function called(
  { env, script, cwd }: Calling = { env: process.env, script: process.argv[1], cwd: process.cwd() },
): string {
  // npx, npm exec
  if (env.npm_command === "exec") return "npx sotto";
  if (!script || !/[\\/]sotto(\.js)?$/.test(script)) return "sotto";
  const found = (env.PATH ?? "").split(delimiter).some((path) => path && resolve(path) === dirname(script));
  if (found) return "sotto";
  const near = relative(cwd, script);
  const path = shellWord(near.startsWith("..") ? script : near);
  return script.endsWith(".js") ? `node ${path}` : path;
}

/** A word as a shell takes it: quoted where it has a space or anything else that shells read. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
