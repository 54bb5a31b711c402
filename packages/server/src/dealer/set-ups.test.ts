import { compile, DealerSetup, Ring, SEED_BYTES, systemRandom } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { hex, newId } from "../parties.js";
import { DealerSetUps } from "./set-ups.js";

const { plan } = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));
const MATRIX = plan.tensors.find((t) => t.kind === "matrix")!.name;

describe("a dealer's set-ups", () => {
  let ring: Ring;
  /** Of one set-up's masks. */
  let bytes: number;
  beforeEach(async () => {
    ring = await Ring.create();
    const one = DealerSetup.fromSeeds(ring, plan, [systemRandom(SEED_BYTES), systemRandom(SEED_BYTES)]);
    bytes = ring.bytesInUse;
    one.free();
  });

  function add(setUps: DealerSetUps): string {
    const id = newId();
    const seeds = [hex(systemRandom(SEED_BYTES)), hex(systemRandom(SEED_BYTES))] as const;
    setUps.put(id, { plan, seeds });
    return id;
  }

  /** The words of one of its masks. */
  function words(setUps: DealerSetUps, id: string): string {
    const masks = setUps.masks(id);
    const text = hex(Buffer.from(ring.bytes(masks.value.mask(MATRIX).words)));
    masks.release();
    return text;
  }

  it("lie expanded within a bound of bytes, those that are used", () => {
    const setUps = new DealerSetUps(ring, { bytes: 2 * bytes });
    const ids = [add(setUps), add(setUps), add(setUps)];
    for (const id of ids) words(setUps, id);
    expect([setUps.size, setUps.expandedBytes]).toEqual([3, 2 * bytes]);
    const full = ring.bytesInUse;
    for (const id of ids) words(setUps, id);
    expect(ring.bytesInUse).toBe(full);
    for (const id of ids) setUps.drop(id);
    expect([setUps.size, setUps.expandedBytes, ring.bytesInUse]).toEqual([0, 0, 0]);
  });

  it("have the same masks when they are expanded again, and others than any other set-up", () => {
    const setUps = new DealerSetUps(ring, { bytes });
    const [a, b] = [add(setUps), add(setUps)];
    const first = words(setUps, a);
    expect(words(setUps, b)).not.toBe(first);
    expect(setUps.expandedBytes).toBe(bytes);
    expect(words(setUps, a)).toBe(first);
    // what comes over NATS once more changes nothing
    setUps.put(a, { plan, seeds: [hex(systemRandom(SEED_BYTES)), hex(systemRandom(SEED_BYTES))] });
    expect(words(setUps, a)).toBe(first);
  });

  it("stay expanded for a dealing that goes on with them", () => {
    const setUps = new DealerSetUps(ring, { bytes: 0 });
    const id = add(setUps);
    const held = setUps.masks(id);
    words(setUps, add(setUps));
    setUps.drop(id);
    expect(held.value.mask(MATRIX)).toBeDefined();
    held.release();
  });

  it("are forgotten beyond a number, the ones longest unused first", () => {
    const setUps = new DealerSetUps(ring, { bytes, most: 2 });
    const [a, b] = [add(setUps), add(setUps)];
    words(setUps, a);
    const c = add(setUps);
    expect([a, b, c].map((id) => setUps.get(id) !== undefined)).toEqual([true, false, true]);
  });
});
