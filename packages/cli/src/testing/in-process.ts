/** Runs command lines in this process, for tests of what happens before any party is started. */
import { vi } from "vitest";
import { execute } from "../main.js";
import type { Finished } from "./sotto.js";

/** As the command would: exit code, and what went to the two streams. */
export async function executeHere(...argv: string[]): Promise<Omit<Finished, "signal">> {
  let [stdout, stderr] = ["", ""];
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text, ...rest) => {
    stdout += text;
    for (const callback of rest) if (typeof callback === "function") callback();
    return true;
  });
  const err = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += text;
    return true;
  });
  try {
    const code = await execute(argv);
    return { code, stdout, stderr };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}
