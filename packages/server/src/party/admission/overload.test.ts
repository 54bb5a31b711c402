/** What piles up, and where, when somebody is slow: sessions wait, and memory is that of those that run. */
import { readFileSync } from "node:fs";
import { connect as dial } from "node:tls";
import { deploy } from "@sotto/client";
import { compile, Ring } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTestFolder, TestCluster, tlsPaths } from "../../testing/cluster.js";
import { largestError, testModel } from "../../testing/models.js";

/** Long enough that a window of stages is a small part of it. */
const model = testModel(12);
const SESSIONS = 2;
const CLIENTS = 12;

describe("a cluster with more clients than sessions", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  let rings: Ring[];
  beforeAll(async () => {
    folder = await makeTestFolder();
    const made = [await Ring.create(), await Ring.create(), await Ring.create()] as const;
    rings = [...made];
    cluster = await TestCluster.start(folder.dir, {
      relays: true,
      dealer: { ring: made[0] },
      servers: [{ ring: made[1] }, { ring: made[2] }],
      limits: { maxSessions: SESSIONS, sessionTimeoutMs: 60_000, replyTimeoutMs: 300, drainMs: 600_000 },
    });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  const inUse = () => rings.map((r) => r.bytesInUse);

  /** The most memory that is taken beyond what there was, by party, until the work is done. */
  async function most(work: () => Promise<unknown>): Promise<number[]> {
    const before = inUse();
    const found = [0, 0, 0];
    const sampler = setInterval(() => {
      inUse().forEach((now, i) => {
        found[i] = Math.max(found[i]!, now - before[i]!);
      });
    }, 1);
    await work();
    clearInterval(sampler);
    await expect.poll(inUse).toEqual(before);
    return found;
  }

  async function all(clients: number): Promise<void> {
    const models = await Promise.all(Array.from({ length: clients }, () => cluster.client().model("m")));
    const results = await Promise.all(models.map((m, i) => m.infer(model.input(i))));
    results.forEach(({ outputs }, i) => {
      expect(largestError(outputs, model.expected(i))).toBeLessThan(0.002);
    });
  }

  it.each(["the dealer", "server 0"])(
    "holds the memory of those that run while %s stands still for a moment, and gives each client its result",
    async (who) => {
      await all(1);
      const one = await most(async () => {
        for (let i = 0; i < 3; i++) await all(1);
      });
      expect(Math.min(...one)).toBeGreaterThan(0);
      const relay = who === "the dealer" ? cluster.toDealer! : cluster.toPeer!;
      const many = await most(async () => {
        const done = all(CLIENTS);
        for (let i = 0; i < 2; i++) {
          await relay.after(20_000);
          relay.hold();
          await new Promise((resolve) => setTimeout(resolve, 50));
          relay.release();
        }
        await done;
      });
      // a session ends on one server a little before it does on the others; samples of one may have missed its peak
      many.forEach((bytes, i) => {
        expect(bytes).toBeLessThan((SESSIONS + 1) * 1.5 * one[i]!);
      });
    },
  );

  it("gives a reply up of which its client takes nothing", async () => {
    const { layers, tensors } = randomGru({ seed: 3, hidden: 4, inputSize: 16, steps: 2 });
    // more than sockets hold
    const rows = 2 ** 17;
    const compiled = compile({
      name: "tokens",
      inputs: [{ name: "t", shape: [2, 1], kind: "token" }],
      outputs: [{ name: "h" }],
      layers: [
        { op: "embedding", name: "e", inputs: ["t"], outputs: ["x"], table: "E" },
        { ...layers[0]!, inputs: ["x"], outputs: ["", "h"] },
      ],
      tensors: { ...tensors, E: { shape: [rows, 16], data: new Float32Array(rows * 16).fill(0.5) } },
      constants: {},
    });
    await deploy(cluster.as("owner"), "tokens", compiled);
    const { ca, cert, key } = tlsPaths(folder.dir, "client");
    const [host, port] = ["127.0.0.1", Number(new URL(cluster.as("client").servers[0].url).port)];
    const [own, shown, authority] = [key, cert, ca].map((path) => readFileSync(path));
    const socket = dial({
      host,
      port,
      key: own!,
      cert: shown!,
      ca: authority!,
      checkServerIdentity: () => undefined,
    });
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    socket.write("GET /v2/models/tokens/tables HTTP/1.1\r\nhost: x\r\n\r\n");
    // the reply has begun, and is read no further
    await new Promise((resolve) => socket.once("readable", resolve));
    expect(String(socket.read(12))).toBe("HTTP/1.1 200");
    // which waits for every reply
    await cluster.servers[0]!.drain();
    socket.destroy();
  });
});
