/** No log holds a share, a seed or an input, at any level; and nothing stays open after close(). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deploy } from "@sotto/client";
import { systemRandom } from "@sotto/core";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "./parties.js";
import { makeTestFolder, TestCluster } from "./testing/cluster.js";
import { testModel } from "./testing/models.js";
import { ask, sharesOf } from "./testing/raw.js";

const model = testModel();

/** How bytes could show up in a text: their beginning, middle and end, in the usual notations. */
function notations(secret: Uint8Array): string[] {
  const middle = (secret.length >> 1) & ~7;
  return [0, middle, secret.length - 9].flatMap((at) => {
    const part = Buffer.from(secret.subarray(at, at + 9));
    const word = part.readBigUInt64LE(0);
    return [
      part.toString("hex").slice(0, 16),
      part.toString("base64"),
      [...part].join(","),
      [...part].join(", "),
      String(word),
      String(BigInt.asIntN(64, word)),
    ];
  });
}

describe("the parties", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  beforeAll(async () => {
    folder = await makeTestFolder();
  });
  afterAll(() => folder.remove());

  it("log what happens, and nothing secret", async () => {
    let text = "";
    const log = pino({ level: "trace" }, { write: (line: string) => (text += line) });
    const secrets: Uint8Array[] = [];
    const random = (length: number) => {
      const bytes = systemRandom(length);
      if (length === 32) secrets.push(bytes);
      return bytes;
    };
    const cluster = await TestCluster.start(folder.dir, {
      dealer: { log, random },
      servers: [{ log }, { log }],
      limits: { sessionTimeoutMs: 500 },
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
    for (const server of [0, 1] as const) {
      const data = join(folder.dir, `data-${server}`);
      const file = readFileSync(join(data, readdirSync(data).find((name) => name.endsWith(".model"))!));
      secrets.push(file.subarray(file.length - 800));
    }
    const shares = await sharesOf(model, 1);
    secrets.push(...shares);
    const run = async (bodies: [Uint8Array, Uint8Array]) => {
      const session = newId();
      const ways = ([0, 1] as const).map((i) =>
        ask(cluster, i, model.compiled, { model: "m", session, body: bodies[i] }),
      );
      return Promise.all(ways);
    };
    const replies = await run(shares);
    for (const { saw } of replies) secrets.push(new Uint8Array([...saw!, 0]));
    // failures speak more than successes
    await run([shares[0], shares[1].subarray(1)]);
    await ask(cluster, 0, model.compiled, { model: "m", session: newId(), body: shares[0] });
    await ask(cluster, 0, model.compiled, { model: "m", session: newId(), body: shares[0], sizes: "{" });
    await cluster.stopDealer();
    await run(shares);
    await cluster.stop();

    expect(text).toContain("session done");
    expect(text).toContain("session failed");
    expect(secrets.length).toBeGreaterThan(8);
    for (const secret of secrets) {
      for (const way of notations(secret)) expect(text).not.toContain(way);
    }
  });

  it("leave nothing open", async () => {
    const open = () => process.getActiveResourcesInfo().filter((r) => /TCP|TLS/.test(r)).length;
    const before = open();
    const cluster = await TestCluster.start(folder.dir);
    await deploy(cluster.as("owner"), "m", model.compiled);
    const remote = await cluster.client().model("m");
    await remote.infer(model.input(1));
    expect(open()).toBeGreaterThan(before);
    await cluster.stop();
    await expect.poll(open).toBeLessThanOrEqual(before);
  });

  it("come up in any order", async () => {
    const cluster = await TestCluster.start(folder.dir);
    await deploy(cluster.as("owner"), "m", model.compiled);
    await cluster.stopServer(0);
    await cluster.stopDealer();
    await cluster.stopServer(1);
    await cluster.startServer(1);
    const waiting = cluster.client();
    await cluster.startServer(0);
    const remote = await waiting.model("m");
    const early = remote.infer(model.input(1));
    await cluster.startDealer();
    expect((await early).stats.rounds).toBeGreaterThan(0);
    await cluster.stop();
  });
});
