/** What the README shows is run as it stands there. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { compile } from "@sotto/core";
import { loadVocabulary, modelPath, tokenize } from "@sotto/example-spam";
import { loadModel } from "@sotto/model";
import { readNpy } from "@sotto/model/npy";
import { expect, it } from "vitest";
import { throwAwayCluster } from "./cluster/local.js";
import { deployTo } from "./remote.js";

const README = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
const EXAMPLE = fileURLToPath(new URL("../../../examples/client.mjs", import.meta.url));

it("the README's client is examples/client.mjs, in thirty lines", () => {
  const shown = /```js\n([\s\S]*?)```/.exec(README)?.[1];
  const file = readFileSync(EXAMPLE, "utf8");
  expect(shown).toBe(file);
  expect(file.split("\n").length).toBeLessThanOrEqual(31);
});

it("the README's sample is the words of a short mail, as the shipped model takes them", async () => {
  const sample = readFileSync(new URL("mail.npy", pathToFileURL(modelPath())));
  const { shape, data } = readNpy(sample);
  const vocabulary = await loadVocabulary();
  expect(shape).toEqual([1, vocabulary.length]);
  expect([...data]).toEqual([
    ...tokenize("Get your free credit report now, click here to claim the money", vocabulary),
  ]);
  expect(README).toContain("examples/spam/model/mail.npy");
  // padded in front; the stream's example begins with the first words
  const streamed = /printf '([\d\\n]+)' \| npx sotto stream/.exec(README)?.[1];
  const words = [...data].filter((word) => word !== 0).slice(0, 4);
  expect(streamed).toBe(words.map((word) => `${word}\\n`).join(""));
});

/** What the client says on standard error, where it fails. */
async function fails(...args: string[]): Promise<string | undefined> {
  const error = await promisify(execFile)(process.execPath, [EXAMPLE, ...args]).then(
    () => undefined,
    (error: { code: number; stderr: string }) => error,
  );
  expect(error?.code).toBe(1);
  return error?.stderr;
}

it("the README's client says how it is called, and what went wrong, in a line", async () => {
  expect(await fails()).toMatch(/^usage: node examples\/client\.mjs CLUSTER_FILE MODEL .*\n$/);
  expect(await fails("nowhere.yaml", "spam", " ")).toMatch(/^usage: /);
  expect(await fails("nowhere.yaml", "spam", "text")).toMatch(/^nowhere\.yaml: there is no such file.*\n$/);
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
    expect(await fails(cluster.client, "spam-2", "text")).toMatch(/^.*spam-2.*\n$/);
  } finally {
    await cluster.close();
  }
});
