/** Directories that are there when they are needed. */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { SottoError } from "@sotto/core";

/**
 * Makes a directory, and those above it. (Node's own `recursive` never ends where a system that lists a directory makes none in it,
 * such as /proc on Linux.)
 * @param mode of those that are made.
 * @returns the topmost that was made; undefined if the directory was there.
 * @throws SottoError conflict where a file is in its place; what mkdir throws.
 */
export function makeDirectory(path: string, mode?: number): string | undefined {
  if (isDirectory(path)) return undefined;
  const above = dirname(path);
  const made = above === path ? undefined : makeDirectory(above, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // another process was faster
    if (!isDirectory(path)) throw inTheWay(path, error);
  }
  return made ?? path;
}

/** What mkdir throws, in our words where something else has the directory's name. */
function inTheWay(path: string, cause: unknown): unknown {
  if ((cause as NodeJS.ErrnoException).code !== "EEXIST") return cause;
  return new SottoError("conflict", `${path} is no directory; name a directory, or one that can be made`, {
    cause,
  });
}

/** False for what is not there, also below a file: versions of Node differ in whether that is thrown. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}
