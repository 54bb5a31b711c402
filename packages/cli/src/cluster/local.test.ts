import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { throwAwayCluster } from "./local.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

describe("a cluster for one run", () => {
  it("names its directory and TMPDIR when the disk is full, and leaves nothing", async () => {
    vi.stubEnv("TMPDIR", dir);
    // as Node.js reports it: without a path
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
    const starting = throwAwayCluster({}, () => Promise.reject(full));
    const message = expect.stringMatching(
      new RegExp(
        `directory ${join(dir, "sotto-")}\\S+ can't be written .*ENOSPC.*make room in ${dir}, or set TMPDIR`,
      ),
    );
    await expect(starting).rejects.toMatchObject({ name: "SottoError", code: "not-found", message });
    expect(readdirSync(dir)).toEqual([]);
  });
});
