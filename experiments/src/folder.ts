/** A set's own folder within DATA_FOLDER. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** @returns undefined where it, or one of its files, is not there. */
export function folderOf(
  data: string | undefined,
  name: string,
  files: readonly string[],
): string | undefined {
  if (data === undefined) return undefined;
  const folder = join(data, name);
  return files.every((file) => existsSync(join(folder, file))) ? folder : undefined;
}
