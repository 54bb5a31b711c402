/** A server's data folder is one process's: two would each take the other's versions and half-written files for their own. */
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import { lockedBy, makeDirectory, takeLock } from "@sotto/wire/node";
import type { Logger } from "./log.js";

export const DATA_LOCK = "running.json";

/**
 * Keeps other processes of this machine out of the folder, which is made if need be. Where that cannot be (a disk that is full,
 * or without links between files), a warning tells, and the server starts: models on a full disk can still be served.
 * @returns gives the folder free.
 * @throws SottoError conflict: a server runs on it. bad-config: the folder cannot be made.
 */
export function lockData(dir: string, log: Logger): () => void {
  const path = join(dir, DATA_LOCK);
  try {
    makeDirectory(dir, 0o700);
  } catch (cause) {
    throw new SottoError("bad-config", `data: cannot use the folder ${dir}: ${(cause as Error).message}`, {
      cause,
    });
  }
  let unlock: (() => void) | undefined;
  try {
    unlock = takeLock(path);
  } catch (error) {
    log.warn(
      { file: path, reason: (error as Error).message },
      "data folder not locked; start no second server on it",
    );
    return () => {};
  }
  if (unlock) return unlock;
  const pid = lockedBy(path);
  throw new SottoError(
    "conflict",
    `data: a server runs already on the folder ${dir}${pid === undefined ? "" : ` (process ${pid})`}; end that one first, ` +
      "or name another folder in this server's configuration",
  );
}
