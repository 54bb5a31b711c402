import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NatsProcess, natsServer } from "./nats.js";

describe.skipIf(!natsServer() || !existsSync("/proc/self"))("an organisation's NATS", () => {
  it("takes the place of one that a killed process has left in its folder", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
    const left = await NatsProcess.start(join(dir, "nats"));
    const next = await NatsProcess.start(join(dir, "nats"));
    const ended = () => {
      try {
        process.kill(left.pid!, 0);
        return false;
      } catch {
        return true;
      }
    };
    await expect.poll(ended).toBe(true);
    await next.stop();
    await left.stop();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });
});
