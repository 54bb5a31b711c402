/** What the README shows is run as it stands there. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { compile } from "@sotto/core";
import { modelPath } from "@sotto/example-spam";
import { loadModel } from "@sotto/model";
import { expect, it } from "vitest";
import { throwAwayCluster } from "./cluster/local.js";
import { deployTo } from "./remote.js";

const EXAMPLE = fileURLToPath(new URL("../../../examples/client.mjs", import.meta.url));

it("the README's client is examples/client.mjs, in thirty lines", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const shown = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
  const file = readFileSync(EXAMPLE, "utf8");
  expect(shown).toBe(file);
  expect(file.split("\n").length).toBeLessThanOrEqual(31);
});

it("the README's client tells spam from ham at a cluster", async () => {
  const cluster = await throwAwayCluster({});
  try {
    await cluster.guard(
      deployTo(cluster.owner, "spam", compile(await loadModel(modelPath())), { timeoutMs: 120_000 }),
    );
    const run = async (text: string) =>
      (await promisify(execFile)(process.execPath, [EXAMPLE, cluster.client, "spam", text])).stdout;
    const spam = await run(
      "Earn money from home! Click here to claim your free offer, guaranteed, order now!",
    );
    expect(spam).toMatch(
      /^spam, probability of spam 0\.\d+\n321 rounds, \d+ bytes each way, \d+ ms\nserver 0 got [0-9a-f]+/,
    );
    expect(await run("The patch is in cvs, the build works again with gcc 3")).toMatch(/^ham/);
  } finally {
    await cluster.close();
  }
});
