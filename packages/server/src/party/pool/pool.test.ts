import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Kind, Pool } from "./pool.js";

const kind = (n: number): Kind => ({ setUp: `set-up ${n % 3}`, sizes: `{"batch":${n}}` });

type Step = { do: "want" | "refill" | "ready" | "take" | "takeId" | "forget" | "empty"; n: number };
const steps = fc.array(
  fc.record({
    do: fc.constantFrom<Step["do"]>(
      "want",
      "refill",
      "refill",
      "ready",
      "ready",
      "take",
      "takeId",
      "forget",
      "empty",
    ),
    n: fc.nat(11),
  }),
  { maxLength: 200 },
);

describe("the pool", () => {
  it("gives out no entry twice, in any order of taking, dropping and refilling, and only what fits", () => {
    fc.assert(
      fc.property(steps, (order) => {
        const pool = new Pool<string>(2, 4);
        const kinds = new Map<string, Kind>();
        const ready = new Set<string>();
        const out: string[] = [];
        const ids = () => [...kinds.keys()];
        for (const { do: what, n } of order) {
          if (what === "want") out.push(...pool.want(kind(n)));
          else if (what === "refill") {
            const missing = pool.missing;
            if (!missing) continue;
            const id = `entry ${kinds.size}`;
            kinds.set(id, missing);
            pool.add(id, missing, id);
          } else if (what === "ready" && kinds.size > 0) {
            const id = ids()[n % kinds.size]!;
            pool.ready(id);
            ready.add(id);
          } else if (what === "take") {
            const taken = pool.take(kind(n));
            if (taken === undefined) continue;
            expect([kinds.get(taken), ready.has(taken)]).toEqual([kind(n), true]);
            out.push(taken);
          } else if (what === "takeId" && kinds.size > 0) {
            const taken = pool.takeId(ids()[n % kinds.size]!);
            if (taken !== undefined) out.push(taken);
          } else if (what === "forget") {
            const dropped = pool.forget(`set-up ${n % 3}`);
            for (const id of dropped) expect(kinds.get(id)!.setUp).toBe(`set-up ${n % 3}`);
            out.push(...dropped);
          } else if (what === "empty") out.push(...pool.empty());
          expect(pool.size).toBeLessThanOrEqual(pool.capacity);
          expect(pool.size).toBe(kinds.size - out.length);
        }
        expect(new Set(out).size).toBe(out.length);
      }),
      { numRuns: process.env.SOTTO_LONG ? 20_000 : 500 },
    );
  });

  it("takes no id again, also one that has left", () => {
    const pool = new Pool<number>(2);
    pool.add("a", kind(0), 1);
    expect(() => pool.add("a", kind(0), 2)).toThrow(/entry a was there before/);
    expect(pool.takeId("a")).toBe(1);
    expect(() => pool.add("a", kind(0), 3)).toThrow(/entry a was there before/);
  });

  it("wants nothing until somebody asks, then as many as it should have, the last asked for first", () => {
    const pool = new Pool<number>(2);
    expect(pool.missing).toBeUndefined();
    pool.want(kind(0));
    pool.want(kind(1));
    expect(pool.missing).toEqual(kind(1));
    pool.add("a", kind(1), 1);
    expect(pool.missing).toEqual(kind(1));
    pool.add("b", kind(1), 2);
    expect(pool.missing).toEqual(kind(0));
    pool.ready("a");
    pool.take(kind(1));
    expect(pool.missing).toEqual(kind(1));
  });

  it("keeps entries for what was asked for lately", () => {
    const pool = new Pool<string>(1, 2);
    for (const n of [0, 1]) {
      pool.want(kind(n));
      pool.add(`${n}`, kind(n), `${n}`);
    }
    expect(pool.want(kind(0))).toEqual([]);
    expect(pool.want(kind(2))).toEqual(["1"]);
    expect(pool.size).toBe(1);
  });

  it("makes none with a depth of 0", () => {
    const pool = new Pool<number>(0);
    pool.want(kind(0));
    expect(pool.missing).toBeUndefined();
  });
});
