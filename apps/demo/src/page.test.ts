import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import { upToDate } from "./page.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const [built, list] = [join(dir, "page"), join(dir, "inputs.json")];
const [input, configuration] = [join(dir, "src", "main.ts"), join(dir, "page.js")];
const LATER = Date.now() / 1000 + 60;
const set = (path: string, seconds: number) => utimesSync(path, seconds, seconds);
const isUpToDate = () => upToDate(built, list, configuration);

beforeEach(() => {
  for (const folder of [built, join(dir, "src")]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(built, "index.html"), "");
  for (const file of [input, configuration]) writeFileSync(file, "");
  writeFileSync(list, JSON.stringify([input]));
  set(list, LATER);
  expect(isUpToDate()).toBe(true);
});

it.each([
  ["the page is gone, and its list of inputs is there", () => rmSync(built, { recursive: true })],
  ["the list is gone, and the page is there", () => rmSync(list)],
  ["an input is gone", () => rmSync(input)],
  ["an input is newer", () => set(input, LATER + 1)],
  ["how it is built is newer", () => set(configuration, LATER + 1)],
  ["something is new in an input's folder", () => set(join(dir, "src"), LATER + 1)],
])("the page is built again where %s", (_, change) => {
  change();
  expect(isUpToDate()).toBe(false);
});
