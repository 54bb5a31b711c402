import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newId } from "../parties.js";
import { MemoryCluster } from "../testing/memory-cluster.js";
import { largestError, testModel } from "../testing/models.js";
import { Anew } from "./anew.js";
import type { Model } from "./models.js";

describe("a set-up that another party does not know any more", () => {
  const model = { name: "m" } as Model;
  let began: number;
  let anew: Anew;
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    began = 0;
    anew = new Anew(() => began++);
  });
  afterEach(() => {
    anew.close();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  /** How often it is made in a minute in which it is dropped as soon as it has been made. */
  function inAMinute(): number {
    const before = began;
    let made = before - 1;
    for (let ms = 0; ms < 60_000; ms += 10) {
      if (began > made) anew.later(model);
      made = began;
      vi.advanceTimersByTime(10);
    }
    return began - before;
  }

  it("is made anew soon, and later each time that this happens", () => {
    anew.later(model);
    expect(anew.waits(model)).toBe(true);
    vi.advanceTimersByTime(100);
    expect([began, anew.waits(model)]).toEqual([1, false]);
    expect(inAMinute()).toBeLessThan(15);
    // after a quiet time, soon again
    vi.advanceTimersByTime(120_000);
    const before = began;
    anew.later(model);
    vi.advanceTimersByTime(100);
    expect(began).toBe(before + 1);
  });

  it("need not wait when another version takes its place, and is not made when it is removed", () => {
    anew.later(model);
    expect(anew.waits({ name: "m" } as Model)).toBe(false);
    anew.removed("m");
    vi.advanceTimersByTime(60_000);
    expect([began, anew.waits(model)]).toEqual([0, false]);
  });
});

describe("server 0", () => {
  it("makes no set-up anew that it does not serve", async () => {
    const cluster = await MemoryCluster.start({ timeoutMs: 60_000 });
    const made = testModel(2, 4);
    const { setups, connections } = cluster.servers[0];
    const isSetUp = () => setups.isReady("m") && cluster.servers[1].setups.isReady("m");
    await cluster.deploy("m", made);
    await expect.poll(isSetUp, { timeout: 60_000 }).toBe(true);
    const before = setups.need("m").id;
    const said = vi.spyOn(connections.get("peer")!, "control");
    for (const from of ["dealer", "peer"] as const) {
      connections.get(from)!.onControl({ type: "setup-drop", setup: newId() }, 0);
    }
    expect([said.mock.calls, setups.need("m").id]).toEqual([[], before]);
    // one that a new version has replaced, and that may be in use still
    await cluster.deploy("m", made);
    await expect.poll(() => setups.need("m").id, { timeout: 60_000 }).not.toBe(before);
    const now = setups.need("m").id;
    said.mockClear();
    connections.get("dealer")!.onControl({ type: "setup-drop", setup: before }, 0);
    expect([said.mock.calls, setups.need("m").id]).toEqual([[], now]);
    cluster.close();
  });

  it("makes a set-up anew that the dealer has lost, again and again", async () => {
    const cluster = await MemoryCluster.start({ timeoutMs: 60_000 });
    const made = testModel(2, 4);
    await cluster.deploy("m", made);
    const { setups, connections } = cluster.servers[0];
    const ready = () => setups.isReady("m") && cluster.servers[1].setups.isReady("m");
    for (let i = 0; i < 3; i++) {
      await expect.poll(ready, { timeout: 60_000 }).toBe(true);
      const said = vi.spyOn(connections.get("peer")!, "control");
      connections.get("dealer")!.onControl({ type: "setup-drop", setup: setups.need("m").id }, 0);
      // nothing is begun in the same breath
      expect(said.mock.calls.map(([{ type }]) => type)).toEqual(["setup-drop"]);
      said.mockRestore();
    }
    await expect.poll(ready, { timeout: 60_000 }).toBe(true);
    expect(largestError(await cluster.infer("m", made, 1), made.expected(1))).toBeLessThan(0.002);
    cluster.close();
  });
});
