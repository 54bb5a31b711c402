/**
 * A running cluster, over real TLS with valid certificates, in which somebody who has all of these changes frames; and a
 * party that sends and never reads.
 */
import { connect as connectTls } from "node:tls";
import { type Client, connect, deploy } from "@sotto/client";
import { Ring, SottoError } from "@sotto/core";
import { controlFrame, dataFrame, PROTOCOL_VERSION } from "@sotto/wire";
import { readIdentity } from "@sotto/wire/node";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { makeTestFolder, TestCluster, tlsPaths } from "../testing/cluster.js";
import { Middle } from "../testing/middle.js";
import { largestError, testModel } from "../testing/models.js";
import { mutation } from "../testing/mutations.js";

const FRAMES = process.env.SOTTO_LONG ? 5000 : 200;
const SESSIONS = 4;
const model = testModel(2, 4);

describe("a cluster over TLS", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;
  let client: Client;
  const rings: Ring[] = [];
  beforeAll(async () => {
    folder = await makeTestFolder();
    for (let i = 0; i < 2; i++) rings.push(await Ring.create());
    return () => folder.remove();
  });
  afterEach(() => cluster.stop());

  async function start(middle?: Middle): Promise<void> {
    cluster = await TestCluster.start(folder.dir, {
      limits: { sessionTimeoutMs: 2000, roundTimeoutMs: 1000, joinTimeoutMs: 1000 },
      servers: [{ ring: rings[0]! }, { ring: rings[1]! }],
      ...(middle ? { middle } : {}),
    });
    client = cluster.client();
    await deploy(cluster.as("owner"), "m", model.compiled);
    await expect.poll(works).toBe("works");
  }

  async function works(): Promise<string> {
    try {
      const { outputs } = await (await client.model("m")).infer(model.input(1));
      const error = largestError(outputs, model.expected(1));
      return error < 0.002 ? "works" : `wrong by ${error}`;
    } catch (error) {
      return String(error);
    }
  }

  const held = () => [
    ...cluster.servers.map((server) => server!.sessions()),
    ...rings.map((ring) => ring.bytesInUse),
  ];

  it("lives through frames that are changed: sessions end with an error, and it is as it was", async () => {
    const middle = new Middle();
    await start(middle);
    await expect.poll(() => held().slice(0, 2)).toEqual([0, 0]);
    const before = held();
    const earlier: Uint8Array[] = [];
    // the same for all frames of a kind would end every connection at its first frame
    const changes = fc.sample(mutation, {
      numRuns: FRAMES,
      seed: Number(process.env.SOTTO_FUZZ_SEED ?? Date.now()),
    });
    const outcomes = new Map<string, number>();
    const impatient = connect(cluster.as("client"));
    let next = 0;
    for (let batch = 0; next < FRAMES && batch < FRAMES; batch++) {
      let frames = 0;
      middle.tamper = (frame) => {
        earlier.push(frame);
        if (earlier.length > 200) earlier.shift();
        // some sessions get further than others before the first of them
        if (frames++ < batch % 30 || next === FRAMES) return [frame];
        return changes[next++]!(frame, earlier);
      };
      const opened = await impatient.model("m").catch((error: unknown) => error);
      const results = await Promise.allSettled(
        Array.from({ length: SESSIONS }, async () => {
          if (opened instanceof Error) throw opened;
          return (opened as Awaited<ReturnType<typeof impatient.model>>).infer(model.input(1), {
            retries: 0,
          });
        }),
      );
      middle.tamper = undefined;
      for (const result of results) {
        const error: unknown = result.status === "rejected" ? result.reason : undefined;
        if (error !== undefined) expect(error).toBeInstanceOf(SottoError);
        const code = error instanceof SottoError ? error.code : "result";
        expect(code).not.toBe("internal");
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
      }
      // a length that was made up has a connection wait for bytes that never come
      for (const channel of middle.towards.values()) channel.close();
      await expect.poll(works).toBe("works");
    }
    impatient.close();
    expect(next).toBe(FRAMES);
    expect([...outcomes.keys()].some((code) => code !== "result")).toBe(true);
    await expect.poll(held).toEqual(before);
    await expect.poll(queued).toBe(0);
    if (process.env.SOTTO_LONG || process.env.SOTTO_TEST_LOG) console.log(`${next} frames changed`, outcomes);
  });

  it("drops a party that sends and never reads, and serves with the real one", async () => {
    await start();
    const port = cluster.servers[0]!.ports.peer!;
    await cluster.stopServer(1);
    const identity = readIdentity(tlsPaths(folder.dir, "server-1"), "server-1");
    const socket = connectTls({ ...identity, host: "127.0.0.1", port, checkServerIdentity: () => undefined });
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    const gone = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    const welcome = { type: "welcome", version: PROTOCOL_VERSION, role: "server-1", boot: newId() } as const;
    socket.write(controlFrame(welcome));
    // each is answered: nobody knows its tag
    const flood = Buffer.concat(Array.from({ length: 4000 }, (_, n) => dataFrame(n, 42n, new Uint8Array(0))));
    let sent = 0;
    let most = 0;
    const send = () => {
      if (socket.destroyed) return;
      sent += 4000;
      most = Math.max(most, queued());
      socket.write(flood, () => setImmediate(send));
    };
    send();
    await gone;
    // what it had us queue besides the system's own buffers is bounded by messages, of a hundred bytes each
    expect(most).toBeLessThan(2 ** 21);
    expect(sent).toBeGreaterThan(4096);
    await cluster.startServer(1);
    await expect.poll(works).toBe("works");
  });
});

/** Bytes that the sockets of this process have not handed to the system, but for what tests flood. */
function queued(): number {
  const handles = (process as unknown as { _getActiveHandles(): object[] })._getActiveHandles();
  return handles.reduce(
    (sum, handle) => sum + ("writableLength" in handle ? Number(handle.writableLength) : 0),
    0,
  );
}
