import { describe, expect, it } from "vitest";
import { makeLog } from "../log.js";
import { newId } from "../parties.js";
import { begun, dealJob, setUpMade, workerState } from "./messages.js";
import { receive } from "./nats.js";

/** What a process takes of it, and what it logs. */
function sent(schema: Parameters<typeof receive>[0], text: string, take = (_value: unknown) => {}) {
  const [taken, logged]: [unknown[], unknown[]] = [[], []];
  const log = Object.assign(makeLog("test", "silent"), { warn: (...given: unknown[]) => logged.push(given) });
  receive(schema, { subject: "s", data: new TextEncoder().encode(text) }, log, (value) => {
    taken.push(value);
    take(value);
  });
  return { taken, logged };
}

describe("a message over NATS", () => {
  it("is taken when it is as it should be", () => {
    const note = { session: newId(), worker: newId() };
    expect(sent(begun, JSON.stringify(note))).toEqual({ taken: [note], logged: [] });
  });

  it.each([
    ["no JSON", begun, "{"],
    ["nothing", begun, ""],
    ["null", workerState, "null"],
    ["another message", workerState, JSON.stringify({ session: newId(), worker: newId() })],
    ["an id that is none", begun, JSON.stringify({ session: "../x", worker: newId() })],
    ["a deal without its pair", dealJob, JSON.stringify({ session: newId(), setup: newId(), sizes: {} })],
  ] as const)("is dropped when it is malformed: %s", (_what, schema, text) => {
    const { taken, logged } = sent(schema, text);
    expect([taken.length, logged.length]).toEqual([0, 1]);
  });

  it("is dropped, with no word of what it says, also where it is what cannot be taken", () => {
    const seed = newId() + newId();
    const pair = [newId(), newId()];
    const shared = { plan: {}, seeds: [seed, seed.slice(1)], pair };
    const wrong = sent(setUpMade, JSON.stringify({ setup: newId(), shared }));
    expect([wrong.taken.length, wrong.logged.length]).toEqual([0, 1]);
    expect(JSON.stringify(wrong.logged)).not.toContain(seed);
    const { logged } = sent(begun, JSON.stringify({ session: newId(), worker: newId() }), () => {
      throw new Error("nothing to do with it");
    });
    expect(logged.length).toBe(1);
  });
});
