import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { z } from "zod";
import { readYaml } from "./yaml.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
const file = join(dir, "file.yaml");
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const server = z.strictObject({ url: z.string(), token: z.string().optional() });
const schema = z.strictObject({
  port: z.int(),
  token: z.string().optional(),
  servers: z.array(server).optional(),
});

it.each([
  [
    "a key",
    "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n",
    /expected object, found a string$/,
  ],
  ["a token", "sotto_SECRET\n", /expected object, found a string$/],
  ["a list", "- SECRET\n", /expected object, found a list$/],
  ["a token that is no text", "port: 1\ntoken: [SECRET]\n", /token: expected string, found a list$/],
  [
    "a token below a key whose list was forgotten",
    "port: 1\nservers:\n  url: https://a\n  token: SECRET\n",
    /servers: expected array, found keys with values$/,
  ],
  ["a token in another key's place", "port: sotto_SECRET\n", /port: expected .*, found a string$/],
  ["prose", "# head\n\nSECRET one\ntwo: SECRET three\n", /not YAML: line 3: \w+/],
  [
    "an alias of nothing",
    "port: *SECRET\n",
    /not YAML: an alias .*; a text that begins with \* goes in quotes/,
  ],
])("says what is wrong with %s that is named by mistake, and shows nothing of it", (_, text, message) => {
  writeFileSync(file, text);
  const read = () => readYaml(file, schema);
  expect(read).toThrow(message);
  expect(read).not.toThrow(/SECRET/);
});

it("says where there is no file", () => {
  expect(() => readYaml(join(dir, "none.yaml"), schema)).toThrow(/none\.yaml: there is no such file/);
  expect(() => readYaml(join(file, "x.yaml"), schema)).toThrow(/x\.yaml: there is no such file/);
  expect(() => readYaml(dir, schema)).toThrow(/: it is a directory; expected a YAML file/);
});
