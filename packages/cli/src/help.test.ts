import type { Command } from "commander";
import { expect, it, vi } from "vitest";
import { makeProgram } from "./program.js";
import { executeHere } from "./testing/in-process.js";

it("the help of every command has an example, which names the command", async () => {
  for (const path of pathsOf(await makeProgram())) {
    const { code, stdout } = await executeHere(...path, "--help");
    expect(code).toBe(0);
    expect(stdout, `sotto ${path.join(" ")} --help`).toMatch(
      new RegExp(`Examples?:\\n[^]*sotto ${path.join(" ")}`),
    );
  }
});

it("examples are to be pasted: the command as it was called", async () => {
  vi.stubEnv("npm_command", "exec");
  try {
    const { stdout } = await executeHere("stream", "--help");
    expect(stdout).toMatch(/^Usage: sotto stream/);
    expect(stdout).toMatch(/\nExample:\n {2}tail -f heart-rate.csv \| npx sotto stream --name /);
    expect((await executeHere("up", "--help")).stdout).toMatch(
      /\nExample:\n {2}npx sotto up cluster\n {2}npx sotto deploy/,
    );
  } finally {
    vi.unstubAllEnvs();
  }
});

it("the list of commands fits: two lines each at most", async () => {
  const { stdout } = await executeHere("--help");
  const list = stdout.slice(stdout.indexOf("Commands:"), stdout.indexOf("Exit codes:"));
  const lines = list.split("\n").slice(1);
  // a line of a description alone, after another of the same command
  expect(lines.filter((l, i) => /^ {20,}\S/.test(l) && /^ {20,}\S/.test(lines[i - 1] ?? ""))).toEqual([]);
});

function pathsOf(command: Command, path: string[] = []): string[][] {
  const visible = command
    .createHelp()
    .visibleCommands(command)
    .filter((c) => c.name() !== "help");
  return [path, ...visible.flatMap((c) => pathsOf(c, [...path, c.name()]))];
}
