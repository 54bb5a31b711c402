import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockedBy, takeLock } from "./process-lock.js";

describe("a lock of processes", () => {
  let dir: string;
  let file: string;
  const started: ChildProcess[] = [];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
    file = join(dir, "lock.json");
  });
  afterEach(() => {
    for (const child of started.splice(0)) child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  });

  /** A process with the lock, by this very code, and what it printed first. */
  async function holder(
    command: string,
    args: string[],
    env = {},
  ): Promise<{ child: ChildProcess; line: string }> {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    started.push(child);
    const line = await new Promise<string>((resolve) =>
      child.stdout!.once("data", (data) => resolve(String(data).trim())),
    );
    return { child, line };
  }
  const code = `import { takeLock } from ${JSON.stringify(new URL("../../dist/node/process-lock.js", import.meta.url).href)};
    takeLock(${"process.env.LOCK"}); console.log(process.pid); setInterval(() => {}, 1e6);`;
  const hold = (env = {}) =>
    holder(process.execPath, ["--input-type=module", "-e", code], { LOCK: file, ...env });

  it("is one's at a time, in one process as well, and given back once", () => {
    const release = takeLock(file)!;
    expect(readdirSync(dir)).toEqual(["lock.json"]);
    expect(takeLock(file)).toBeUndefined();
    expect(lockedBy(file)).toBe(process.pid);
    release();
    expect(existsSync(file)).toBe(false);
    const next = takeLock(file)!;
    release();
    expect(lockedBy(file)).toBe(process.pid);
    next();
  });

  it("is another process's until that is killed", async () => {
    const { child, line } = await hold();
    expect(lockedBy(file)).toBe(Number(line));
    expect(takeLock(file)).toBeUndefined();
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(existsSync(file)).toBe(true);
    expect(lockedBy(file)).toBeUndefined();
    takeLock(file)!();
  });

  it.runIf(process.platform === "linux")(
    "is free when its parent has not noticed that it was killed",
    async () => {
      // the shell becomes a process that never asks for the end of its children
      const script = `"$0" --input-type=module -e "$CODE" & exec sleep 1000`;
      const { line } = await holder("sh", ["-c", script, process.execPath], { LOCK: file, CODE: code });
      expect(lockedBy(file)).toBe(Number(line));
      process.kill(Number(line), "SIGKILL");
      const stat = () => readFileSync(`/proc/${line}/stat`, "utf8");
      while (!stat().includes(") Z ")) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(lockedBy(file)).toBeUndefined();
    },
  );

  it.runIf(process.platform === "linux")("is free where it is another's who had this number", () => {
    takeLock(file);
    const own = JSON.parse(readFileSync(file, "utf8"));
    // an earlier process, an earlier start of the machine, another container
    for (const other of [{ started: "1" }, { boot: "x" }, { space: "pid:[1]" }, { pid: 2 ** 22 + 1 }]) {
      writeFileSync(file, JSON.stringify({ ...own, ...other }));
      expect(lockedBy(file)).toBeUndefined();
      takeLock(file)!();
    }
    // nothing that a process of ours has written
    for (const text of ['{"pid":', "", "null", JSON.stringify({ pid: process.pid, started: "" })]) {
      writeFileSync(file, text);
      takeLock(file)!();
    }
  });
});
