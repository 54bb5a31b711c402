/** Which worker a request goes to, with a NATS that a test speaks for. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { newId } from "../parties.js";
import type { Begun, Worker } from "./messages.js";
import { Placing } from "./placing.js";

const limits = { maxSessions: 2, queueLength: 1, queueBytes: 100, maxStreams: 1, sessionTimeoutMs: 50_000 };

describe("server 1's front", () => {
  let live: Worker[];
  let begun: (note: Begun) => void;
  let placing: Placing;
  beforeEach(() => {
    vi.useFakeTimers();
    live = [worker(1), worker(1)];
    placing = new Placing({
      ...{ party: 1, limits, forwarder: { busy: () => 0 } },
      nats: {
        ...{ up: true, need: () => {}, onChange: () => {} },
        subscribe: (_name, _schema, take) => {
          begun = (note) => take(note as never, undefined as never);
        },
      },
      registry: {
        get live() {
          return live;
        },
        find: (id) => live.find((w) => w.id === id),
      },
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function worker(lanes: number, version = "1"): Worker {
    const about = { host: "h", port: 1, api: 1, ready: {}, leaving: false };
    return { id: newId(), version, lanes, ...about };
  }

  /** A half that comes, and what has become of it. */
  function half(client: string, bytes = 1, session = newId()) {
    const state = { session, outcome: "waits" };
    placing.of(session, { model: "m", plan: "p", bytes, client }).then(
      ({ id }) => Object.assign(state, { outcome: id }),
      (error: Error) => Object.assign(state, { outcome: error.message }),
    );
    return state;
  }
  const settle = () => vi.advanceTimersByTimeAsync(0);

  it("sends a half where its session has begun, whichever of the two is heard of first", async () => {
    const [first, second] = [half("a"), newId()];
    begun({ session: first.session, worker: live[0]!.id });
    begun({ session: second, worker: live[1]!.id });
    const late = half("a", 1, second);
    await settle();
    expect([first.outcome, late.outcome]).toEqual([live[0]!.id, live[1]!.id]);
  });

  it("has room for whatever the queues of server 0's workers admit", async () => {
    // two workers of server 0 of one version, and one of another
    live = [worker(2), worker(1), worker(1, "2")];
    const each = limits.maxSessions + limits.queueLength + limits.maxStreams;
    const halves = Array.from({ length: 3 * each + 1 }, (_, i) => half(`client ${i}`));
    await settle();
    expect(halves.filter((h) => h.outcome === "waits").length).toBe(3 * each);
    const large = Array.from({ length: 4 }, () => half("z", 100));
    await settle();
    expect(large.filter((h) => h.outcome === "waits").length).toBeLessThan(4);
  });

  it("makes room for a client from those of whom most wait", async () => {
    const many = [half("a"), half("a"), half("a"), half("a")];
    const other = half("b");
    await settle();
    expect(other.outcome).toBe("waits");
    expect(many.map((h) => h.outcome)).toEqual([
      ...Array(3).fill("waits"),
      expect.stringMatching(/server 1 is busy.*limits\.queueLength/),
    ]);
  });

  it("waits for as long as server 0 may take for its decision", async () => {
    const waits = half("a");
    await vi.advanceTimersByTimeAsync(limits.sessionTimeoutMs - 1);
    expect(waits.outcome).toBe("waits");
    await vi.advanceTimersByTimeAsync(1);
    expect(waits.outcome).toMatch(/has not begun the session within 50000 ms/);
  });

  it("takes one half of a session", async () => {
    const first = half("a");
    const again = half("b", 1, first.session);
    await settle();
    expect([first.outcome, again.outcome]).toEqual(["waits", expect.stringMatching(/waits here already/)]);
  });
});
