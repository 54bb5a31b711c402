import { expect, it } from "vitest";
import { called } from "./called.js";

const cwd = "/home/me/sotto";

it.each([
  ["npx", { npm_command: "exec", PATH: "/bin" }, `${cwd}/node_modules/.bin/sotto`, "npx sotto"],
  ["an installed command", { PATH: "/bin:/usr/bin/" }, "/usr/bin/sotto", "sotto"],
  ["a link of a checkout", { PATH: "/bin" }, `${cwd}/node_modules/.bin/sotto`, "node_modules/.bin/sotto"],
  ["the script", { PATH: "/bin" }, `${cwd}/packages/cli/bin/sotto.js`, "node packages/cli/bin/sotto.js"],
  ["a script far away", {}, "/opt/sotto/bin/sotto.js", "node /opt/sotto/bin/sotto.js"],
  ["another program that calls it", { PATH: "/bin" }, "/opt/vitest.mjs", "sotto"],
  ["a script of npm's", { npm_command: "run-script", PATH: `${cwd}/bin` }, `${cwd}/bin/sotto`, "sotto"],
])("is called again as it was: %s", (_, env, script, expected) => {
  expect(called({ env, script, cwd })).toBe(expected);
});
