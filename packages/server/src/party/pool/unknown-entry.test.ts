/** Server 0 assigns what server 1 has dropped in the meantime. */
import type { ControlMessage } from "@sotto/wire";
import { describe, expect, it } from "vitest";
import { newId } from "../../parties.js";
import { Ahead } from "../ahead.js";
import type { InferRequest, SessionContext } from "../session-types.js";
import { Sessions } from "../sessions.js";

function server(party: 0 | 1, pool = 2): { sessions: Sessions; told: ControlMessage[] } {
  const told: ControlMessage[] = [];
  const link = { control: (message: ControlMessage) => told.push(message) };
  const connections = { name: (other: string) => other, get: () => link };
  const traffic = { sent: { data: 0 }, received: { data: 0 } };
  const tally = { traffic: () => traffic, ended: () => {} };
  const context = {
    party,
    connections,
    tally,
    setups: {},
    ahead: new Ahead(0),
    timeoutMs: 1000,
    roundTimeoutMs: 1000,
  };
  const turns = { maxSessions: 4, queueLength: 4, queueBytes: 100, queueWaitMs: 1000 };
  return { sessions: new Sessions(context as unknown as SessionContext, turns, pool), told };
}

const request: InferRequest = { model: "m", plan: "", sizes: {}, input: new Uint8Array(1), arrived: 0 };
const assign = (session: string, pooled: string) => ({ type: "assign", session, pooled }) as const;

describe("randomness that server 1 does not hold any more", () => {
  it("ends the session that it was assigned to, on both servers, so that its client tries again", async () => {
    const { sessions, told } = server(1);
    const [session, pooled] = [newId(), newId()];
    expect(sessions.take("peer", assign(session, pooled), 0)).toBe(true);
    expect(told).toMatchObject([{ type: "abort", session: pooled, code: "unreachable" }]);
    const outcome = sessions.infer(session, request, new AbortController().signal);
    await expect(outcome).rejects.toMatchObject({ code: "unreachable" });
    await expect(outcome).rejects.toThrow(/does not hold the randomness .* session [0-9a-f]+; try again/);
  });

  it("is a matter between server 0 and server 1 alone", () => {
    const message = assign(newId(), newId());
    expect(server(1).sessions.take("dealer", message, 0)).toBe(false);
    expect(server(0).sessions.take("peer", message, 0)).toBe(false);
  });

  it("is not prepared where the pool is off, and server 0 hears of it", () => {
    const { sessions, told } = server(1, 0);
    const session = newId();
    expect(sessions.take("peer", { type: "prepare", session, setup: newId(), sizes: {} }, 0)).toBe(true);
    expect(told).toMatchObject([{ type: "abort", session, code: "busy" }]);
  });
});
