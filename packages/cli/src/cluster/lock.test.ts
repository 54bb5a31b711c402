import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LOCK_FILE, lockCluster, refuseRunning } from "./lock.js";
import { WorkerCluster } from "./workers.js";

describe("a cluster's directory", () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
    file = join(dir, LOCK_FILE);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("is one process's while that runs its cluster, which is named to others", async () => {
    const release = lockCluster(dir);
    const running = {
      code: "conflict",
      message: expect.stringMatching(new RegExp(`running already in .*process ${process.pid}\\b`)),
    };
    expect(() => lockCluster(dir)).toThrow(expect.objectContaining(running));
    await expect(WorkerCluster.start(dir, { workers: 1 })).rejects.toMatchObject(running);
    // whoever was refused has taken nothing away
    expect(() => refuseRunning(dir)).toThrow(expect.objectContaining(running));
    release();
    expect(existsSync(file)).toBe(false);
    lockCluster(dir)();
  });

  it("is free when the process was killed, also where another one has its number now", async () => {
    const killed = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await new Promise((resolve) => killed.once("exit", resolve));
    const left = [
      JSON.stringify({ pid: killed.pid, started: "1" }),
      JSON.stringify({ pid: process.pid, started: "1" }),
      '{"pid":',
      "",
    ];
    for (const content of left) {
      writeFileSync(file, content);
      const release = lockCluster(dir);
      expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ pid: process.pid });
      release();
    }
  });
});
