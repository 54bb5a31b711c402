/** One cluster at a time in a directory: a file names the process that runs it. What a killed one has left does not count. */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import { z } from "zod";
import { atExit } from "./cleanup.js";

export const LOCK_FILE = "running.json";

const owner = z.object({ pid: z.int().positive(), started: z.string() });
type Owner = z.output<typeof owner>;

/** @throws SottoError conflict naming the process that runs the directory's cluster, if there is one. */
export function refuseRunning(dir: string): void {
  const by = runs(dir);
  if (!by) return;
  throw new SottoError(
    "conflict",
    `a cluster is running already in ${dir}: process ${by.pid} (sotto up). End that one first (Ctrl-C, or kill ${by.pid}), ` +
      "or name another directory",
  );
}

/** @returns gives the directory free. @throws SottoError conflict: another process runs the cluster. */
export function lockCluster(dir: string): () => void {
  const path = join(dir, LOCK_FILE);
  const own = `${path}.${process.pid}`;
  const content = JSON.stringify({ pid: process.pid, started: startOf(process.pid) } satisfies Owner);
  refuseRunning(dir);
  rmSync(path, { force: true });
  writeFileSync(own, content, { mode: 0o600 });
  try {
    // whole at once, and only where there is none
    linkSync(own, path);
  } catch (cause) {
    refuseRunning(dir);
    throw new SottoError("conflict", `${path} can't be made: ${(cause as Error).message}`, { cause });
  } finally {
    rmSync(own, { force: true });
  }
  const release = () => {
    forget();
    if (content === read(path)) rmSync(path, { force: true });
  };
  const forget = atExit(release);
  return release;
}

/** The process that runs the cluster of a directory now. */
function runs(dir: string): Owner | undefined {
  try {
    const by = owner.parse(JSON.parse(read(join(dir, LOCK_FILE)) ?? ""));
    return isAlive(by.pid) && startOf(by.pid) === by.started ? by : undefined;
  } catch {
    // none, or what no process of ours has written
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process began, in clock ticks since the machine's start: a number may be another process's by now. Linux alone says it. */
function startOf(pid: number): string {
  // the name, in brackets, may have spaces
  const fields = read(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ");
  return fields?.[19] ?? "";
}
