/** What another party may say at the wrong time or in another's place, and what comes of it. */
import { type ControlMessage, controlFrame, HEADER_BYTES, parseControl } from "@sotto/wire";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { MemoryCluster } from "../testing/memory-cluster.js";
import { largestError, testModel } from "../testing/models.js";

const model = testModel(2, 4);

/** The control message in a frame; undefined for others. */
function messageOf(frame: Uint8Array): ControlMessage | undefined {
  const control = frame.subarray(8, HEADER_BYTES).every((byte) => byte === 0);
  return control ? parseControl(frame.subarray(HEADER_BYTES)) : undefined;
}

describe("a server", () => {
  let cluster: MemoryCluster;
  const logged: string[] = [];
  beforeEach(async () => {
    logged.length = 0;
    cluster = await MemoryCluster.start({ timeoutMs: 10_000, onLog: (line) => logged.push(line) });
    await cluster.deploy("m", model);
    await works();
  });
  afterEach(() => cluster.close());

  async function works(): Promise<void> {
    await cluster.connect();
    expect(largestError(await cluster.infer("m", model, 1), model.expected(1))).toBeLessThan(0.002);
  }

  /** An offer to server 1 to set a model up. */
  function offer(name: string, setup: string): Uint8Array {
    const { hash: plan, deployment } = cluster.servers[1].models.versions(name)[0]!;
    return controlFrame({ type: "setup", setup, name, plan, deployment });
  }

  it("refuses a set-up under an id that is in use, and keeps nothing of it", async () => {
    await cluster.deploy("n", model);
    await expect.poll(() => cluster.servers[1].setups.isReady("n")).toBe(true);
    const before = cluster.rings[1]!.bytesInUse;
    const setup = newId();
    const heard: ControlMessage[] = [];
    cluster.middle.tamper = (frame, to) => {
      const message = messageOf(frame);
      if (to !== "server-0" || !message || !JSON.stringify(message).includes(setup)) return [frame];
      heard.push(message);
      return [];
    };
    cluster.servers[0].connections.get("peer")!.send(offer("m", setup));
    cluster.servers[0].connections.get("peer")!.send(offer("n", setup));
    await expect.poll(() => heard.length).toBe(2);
    expect(heard[0]).toMatchObject({ type: "setup-accepted" });
    expect(heard[1]).toMatchObject({ type: "refused", about: setup, code: "protocol" });
    cluster.middle.tamper = undefined;
    cluster.servers[1].connections.get("peer")!.close();
    await expect.poll(() => cluster.servers[0].connections.get("peer")).toBe(undefined);
    await works();
    expect(cluster.rings[1]!.bytesInUse).toBe(before);
  });

  it("takes the seed of its masks from the dealer alone", async () => {
    const setup = newId();
    const peer = cluster.servers[0].connections.get("peer")!;
    const { hash: plan } = cluster.servers[1].models.versions("m")[0]!;
    const before = cluster.rings[1]!.bytesInUse;
    const refused: ControlMessage[] = [];
    let data = 0;
    cluster.middle.tamper = (frame, to) => {
      const message = messageOf(frame);
      if (to === "server-0" && !message) data++;
      if (to === "server-0" && message?.type === "refused") refused.push(message);
      return [frame];
    };
    peer.send(offer("m", setup));
    peer.control({ type: "setup-seed", setup, plan, seed: "00".repeat(32) });
    await expect.poll(() => refused.length).toBe(1);
    expect(refused[0]).toMatchObject({
      code: "protocol",
      message: expect.stringMatching(/setup-seed is not/),
    });
    // its share of the weights would have come, under a mask that server 0 knows
    expect([data, cluster.rings[1]!.bytesInUse]).toEqual([0, before]);
    cluster.middle.tamper = undefined;
    await works();
  });

  it.each(["dealer", "peer"] as const)(
    "makes another set-up when the %s has lost the one there is",
    async (other) => {
      const bytes = () => cluster.rings.slice(0, 2).map((ring) => ring.bytesInUse);
      const before = bytes();
      const lost = cluster.servers[0].setups.need("m").id;
      cluster.servers[0].connections.get(other)!.control({ type: "setup-drop", setup: lost });
      await expect.poll(() => works().then(() => "works", String)).toBe("works");
      expect(cluster.servers.map(({ setups }) => setups.need("m").id === lost)).toEqual([false, false]);
      await expect.poll(bytes).toEqual(before);
      await expect.poll(() => cluster.dealerSetUps).toBe(1);
    },
  );

  it("frees what it made of randomness whose id another session has", async () => {
    const bytes = () => cluster.rings.slice(0, 2).map((ring) => ring.bytesInUse);
    const before = bytes();
    let first: string | undefined;
    const held: Uint8Array[] = [];
    cluster.middle.tamper = (frame, to) => {
      const message = messageOf(frame);
      // the first session lasts until the second one has begun
      if (message?.type === "credit") return held.push(frame) > 0 ? [] : [frame];
      if (to !== "server-1" || message?.type !== "dealt") return [frame];
      first ??= message.deal;
      return [controlFrame({ ...message, deal: first })];
    };
    const one = cluster.infer("m", model, 1);
    await expect.poll(() => held.length).toBe(1);
    await expect(cluster.infer("m", model, 2)).rejects.toMatchObject({ code: "protocol" });
    cluster.middle.tamper = undefined;
    cluster.middle.towards.get("server-1>dealer")!.send(held[0]!);
    expect(largestError(await one, model.expected(1))).toBeLessThan(0.002);
    await works();
    await expect.poll(bytes).toEqual(before);
  });
});
