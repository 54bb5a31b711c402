import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeProgram } from "../program.js";
import { bashScript } from "./bash.js";
import { fishScript } from "./fish.js";
import { allOf, type CommandNode, treeOf } from "./tree.js";
import { zshScript } from "./zsh.js";

let root: CommandNode;
let dir: string;

beforeAll(async () => {
  root = treeOf(await makeProgram());
  dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
  writeFileSync(join(dir, "sotto.bash"), bashScript(root));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What bash would offer at the end of these words, and what it was told of files. `=` is a word of its own, as in bash. */
function inBash(...words: string[]): { offered: string[]; told: string } {
  const script = `
    source "$1"; shift
    compopt() { told="$*"; } # there is no line being completed here
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); told=
    _sotto sotto
    printf '%s\\n' "$told" "\${COMPREPLY[@]}"`;
  const args = ["--norc", "-c", script, "bash", join(dir, "sotto.bash"), "sotto", ...words];
  const [told, ...offered] = execFileSync("bash", args, { encoding: "utf8" }).trimEnd().split("\n");
  return { offered, told: told! };
}

describe("in bash", () => {
  it("commands are offered where one stands", () => {
    const { offered } = inBash("");
    expect(offered).toEqual(expect.arrayContaining(["run", "deploy", "completion", "help"]));
    expect(offered).not.toContain("party"); // hidden
    expect(inBash("st").offered).toEqual(["stream"]);
  });

  it("commands of commands are", () => {
    expect(inBash("token", "").offered).toEqual(["create", "list", "revoke"]);
    expect(inBash("token", "create", "--ma").offered).toEqual(["--max-size"]);
  });

  it("options are those of the command", () => {
    expect(inBash("run", "model.onnx", "--prof").offered).toEqual(["--profile"]);
    expect(inBash("up", "--").offered).toEqual(["--port", "--workers", "--help"]);
  });

  it("choices are offered as values, after a space or =", () => {
    expect(inBash("run", "--profile", "").offered).toEqual(["lan", "wan"]);
    expect(inBash("run", "--profile", "=").offered).toEqual(["lan", "wan"]);
    expect(inBash("run", "--profile", "=", "w").offered).toEqual(["wan"]);
    expect(inBash("completion", "z").offered).toEqual(["zsh"]);
  });

  it("files and directories are left to bash, names and numbers to nobody", () => {
    expect(inBash("run", "")).toEqual({ offered: [], told: "" });
    expect(inBash("run", "m.onnx", "--input", "x", "=", "da")).toEqual({ offered: [], told: "" });
    expect(inBash("up", "")).toEqual({ offered: [], told: "+o default -o dirnames" });
    expect(inBash("infer", "--name", "")).toEqual({ offered: [], told: "+o default" });
  });
});

it.each([
  ["bash", bashScript],
  ["zsh", zshScript],
  ["fish", fishScript],
] as const)("%s: every command and option is in the script", (_, script) => {
  const text = script(root);
  for (const node of allOf(root)) {
    for (const word of node.path) expect(text).toContain(word);
    // fish names options without their dashes
    for (const { long } of node.options)
      expect(text).toMatch(new RegExp(`--${long.slice(2)}|-l ${long.slice(2)} `));
  }
});

it("what quotes and brackets mean to zsh and fish is taken from them", () => {
  const odd: CommandNode = {
    path: [],
    description: "",
    commands: [],
    arguments: [],
    options: [{ long: "--odd", description: "a server's [own]: \\ file" }],
  };
  expect(zshScript(odd)).toContain(`'--odd[a server'\\''s \\[own\\]\\: \\\\ file]'`);
  expect(fishScript(odd)).toContain(`'a server\\'s [own]: \\\\ file'`);
});
