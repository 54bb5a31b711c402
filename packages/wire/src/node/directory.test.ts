import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeDirectory } from "./directory.js";

const root = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("makes a directory and those above it, and names the topmost", () => {
  const path = join(root, "a", "b", "c");
  expect(makeDirectory(path, 0o700)).toBe(join(root, "a"));
  for (const made of [path, join(root, "a")]) expect(statSync(made).mode & 0o777).toBe(0o700);
  expect(makeDirectory(path)).toBeUndefined();
  const file = join(path, "file");
  writeFileSync(file, "");
  // names the file that is in the way
  for (const path of [file, join(file, "a"), join(file, "a", "b")])
    expect(() => makeDirectory(path)).toThrow(`${file} is no directory; name a directory`);
});

it.skipIf(process.platform !== "linux")("fails at once where none can be made", () => {
  expect(() => makeDirectory("/proc/sotto/a")).toThrow(/ENOENT|EACCES|EPERM/);
});
