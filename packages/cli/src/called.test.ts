import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { called, shellWord } from "./called.js";

const cwd = "/home/me/sotto";

it.each([
  ["npx", { npm_command: "exec", PATH: "/bin" }, `${cwd}/node_modules/.bin/sotto`, "npx sotto"],
  ["an installed command", { PATH: "/bin:/usr/bin/" }, "/usr/bin/sotto", "sotto"],
  ["a link of a checkout", { PATH: "/bin" }, `${cwd}/node_modules/.bin/sotto`, "node_modules/.bin/sotto"],
  ["the script", { PATH: "/bin" }, `${cwd}/packages/cli/bin/sotto.js`, "node packages/cli/bin/sotto.js"],
  ["a script far away", {}, "/opt/sotto/bin/sotto.js", "node /opt/sotto/bin/sotto.js"],
  ["a script with a space", {}, `${cwd}/my clone/bin/sotto.js`, "node 'my clone/bin/sotto.js'"],
  ["a link with a space", {}, "/my clone/.bin/sotto", "'/my clone/.bin/sotto'"],
  ["another program that calls it", { PATH: "/bin" }, "/opt/vitest.mjs", "sotto"],
  ["a script of npm's", { npm_command: "run-script", PATH: `${cwd}/bin` }, `${cwd}/bin/sotto`, "sotto"],
])("is called again as it was: %s", (_, env, script, expected) => {
  expect(called({ env, script, cwd })).toBe(expected);
});

it.skipIf(process.platform === "win32")("a shell takes a word as it was", () => {
  const words = [
    "cluster",
    "./a/b-0.yaml",
    "my cluster",
    "it's",
    "$HOME",
    "~",
    "a;b&c",
    'a"b\\c',
    "*",
    "é",
    "",
  ];
  const printed = execFileSync("sh", ["-c", `printf '%s\\n' ${words.map(shellWord).join(" ")}`]);
  expect(printed.toString()).toBe(words.map((word) => `${word}\n`).join(""));
  expect(words.slice(0, 2).map(shellWord)).toEqual(words.slice(0, 2));
});
