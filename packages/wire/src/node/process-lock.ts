/**
 * One process at a time: a file names the one that has the lock. What a killed process has left does not count, nor does what cannot
 * be told: a process of another start of the machine, of another machine, or of another container, whose numbers mean others here.
 */
import { spawnSync } from "node:child_process";
import { linkSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";

const ownerSchema = z.object({
  pid: z.int().positive(),
  /** When the process began; a number may be another process's by now. */
  started: z.string().min(1),
  /** This start of this machine. Times since it mean nothing after the next one. */
  boot: z.string(),
  /** The set of processes that its number is from: a container has its own. */
  space: z.string(),
});
type Owner = z.output<typeof ownerSchema>;

/** @returns the number of the process that has the lock now, which may be this one. */
export function lockedBy(path: string): number | undefined {
  const owner = parse(read(path));
  return owner && isRunning(owner) ? owner.pid : undefined;
}

/**
 * Takes the lock.
 * @returns gives it back, once; undefined when a process that runs has it.
 * @throws what the file system does, where the file cannot be made.
 */
export function takeLock(path: string): (() => void) | undefined {
  if (lockedBy(path) !== undefined) return undefined;
  const own = `${path}.${process.pid}`;
  const content = JSON.stringify(describe(process.pid));
  try {
    writeFileSync(own, content, { mode: 0o600 });
    rmSync(path, { force: true });
    // whole at once, and only where there is none
    linkSync(own, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && lockedBy(path) !== undefined) return undefined;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
  let held = true;
  return () => {
    if (held && content === read(path)) rmSync(path, { force: true });
    held = false;
  };
}

function isRunning(owner: Owner): boolean {
  const now = describe(owner.pid);
  return now.started === owner.started && now.boot === owner.boot && now.space === owner.space;
}

function describe(pid: number): Owner {
  return {
    pid,
    started: startOf(pid),
    boot: read("/proc/sys/kernel/random/boot_id")?.trim() ?? "",
    space: spaceOf(),
  };
}

/** Empty for a process that does not run, or of which nothing can be told. */
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return process.platform === "linux" ? "" : startByPs(pid);
  // the name, in brackets, may have spaces; then the state, and 18 fields on the clock ticks since the machine's start
  const fields = stat.split(") ").at(-1)!.split(" ");
  // killed, and its parent has not asked for its end yet
  const isOver = /^[ZX]$/.test(fields[0]!);
  return isOver ? "" : (fields[19] ?? "");
}

function startByPs(pid: number): string {
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
  return (
    spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", env }).stdout?.trim() ?? ""
  );
}

function spaceOf(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function parse(text: string | undefined): Owner | undefined {
  try {
    return ownerSchema.parse(JSON.parse(text ?? ""));
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
