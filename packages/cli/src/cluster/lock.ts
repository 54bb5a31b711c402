/** One cluster at a time in a directory: a file names the process that runs it. What a killed one has left does not count. */
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import { lockedBy, takeLock } from "@sotto/wire/node";
import { atExit } from "./cleanup.js";

export const LOCK_FILE = "running.json";

/** @throws SottoError conflict naming the process that runs the directory's cluster, if there is one. */
export function refuseRunning(dir: string): void {
  const pid = lockedBy(join(dir, LOCK_FILE));
  if (pid === undefined) return;
  throw new SottoError(
    "conflict",
    `a cluster is running already in ${dir}: process ${pid} (sotto up). End that one first (Ctrl-C, or kill ${pid}), ` +
      "or name another directory",
  );
}

/** @returns gives the directory free. @throws SottoError conflict: another process runs the cluster. */
export function lockCluster(dir: string): () => void {
  const path = join(dir, LOCK_FILE);
  const unlock = take(path);
  if (!unlock) {
    refuseRunning(dir);
    // that process has ended meanwhile
    return lockCluster(dir);
  }
  const forget = atExit(unlock);
  return () => {
    forget();
    unlock();
  };
}

function take(path: string): (() => void) | undefined {
  try {
    return takeLock(path);
  } catch (cause) {
    throw new SottoError("conflict", `${path} can't be made: ${(cause as Error).message}`, { cause });
  }
}
