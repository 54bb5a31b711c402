/** kill -9 of any party at any moment, again and again, with clients at work. */
import { randomInt } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, connect, deploy, loadCluster } from "@sotto/client";
import { compile, instantiate, runClear, SottoError } from "@sotto/core";
import { randomGru, randomInput } from "@sotto/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MortalCluster, type PartyNumber } from "./testing/mortal.js";
import { freePorts } from "./testing/sotto.js";

const KILLS = Number(process.env.SOTTO_KILLS ?? (process.env.SOTTO_LONG ? 300 : 5));
const STEPS = 24;
const INPUTS = 4;
const CLIENTS = 4;
/** What a client may try again, with everything in it fresh (docs/protocol.md). */
const RETRYABLE = ["unreachable", "busy", "conflict"];

const compiled = compile(randomGru({ seed: 1, hidden: 8, inputSize: INPUTS, steps: STEPS, head: 3 }));
const { program } = instantiate(compiled.plan, {});

/** What its clients saw. */
interface Seen {
  ok: number;
  worst: number;
  /** Errors of calls that a client did not try again, by code. */
  failed: Record<string, number>;
  unclear: unknown[];
}

let cluster: MortalCluster;
let client: Client;

/** One inference. @returns the largest difference from the plain result. */
async function once(retries: number): Promise<number> {
  const data = randomInput(`input ${randomInt(2 ** 32)}`, STEPS * INPUTS);
  const model = await client.model("m");
  const { outputs } = await model.infer({ x: { shape: [STEPS, 1, INPUTS], data } }, { retries });
  const expected = runClear(program, compiled.tensors, { x: data });
  const differences = Object.entries(expected).flatMap(([name, values]) =>
    [...values].map((v, i) => Math.abs(v - outputs[name]!.data[i]!)),
  );
  return Math.max(...differences);
}

/** A client that asks again and again. */
async function work(seen: Seen, retries: number, over: () => boolean): Promise<void> {
  while (!over()) {
    try {
      seen.worst = Math.max(seen.worst, await once(retries));
      seen.ok++;
    } catch (error) {
      if (!(error instanceof SottoError && RETRYABLE.includes(error.code))) seen.unclear.push(error);
      else seen.failed[error.code] = (seen.failed[error.code] ?? 0) + 1;
    }
    // now and then nobody asks, and the servers prepare ahead
    await new Promise((resolve) => setTimeout(resolve, 20 + randomInt(400)));
  }
}

function repeated(list: unknown[]): unknown[] {
  return list.filter((item, i) => list.indexOf(item) !== i);
}

beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
  cluster = await MortalCluster.start(dir, await freePorts(), { pool: 2 });
  await deploy(loadCluster(cluster.owner), "m", compiled);
  client = connect(loadCluster(cluster.client));
});
afterAll(async () => {
  client?.close();
  await cluster?.close();
});

describe("a cluster whose parties are killed", () => {
  it(
    `gives right results or clear errors, uses no randomness twice, and comes back (${KILLS} times)`,
    async () => {
      const seen: Seen = { ok: 0, worst: 0, failed: {}, unclear: [] };
      let over = false;
      const clients = Array.from({ length: CLIENTS }, (_, i) => work(seen, i % 2 ? 0 : 4, () => over));
      for (let kill = 0; kill < KILLS; kill++) {
        const party = randomInt(3) as PartyNumber;
        await new Promise((resolve) => setTimeout(resolve, randomInt(500)));
        await cluster.kill(party);
        await cluster.revive(party);
        // it comes back by itself, or this says why it does not
        seen.worst = Math.max(seen.worst, await once(200));
      }
      over = true;
      await Promise.all(clients);

      const linesOf = (server: 1 | 2) => cluster.log(server).filter((l) => l.msg === "rounds begin");
      // logs are written while we read them
      for (const server of [1, 2] as const)
        await expect.poll(() => linesOf(server).length).toBeGreaterThanOrEqual(seen.ok);
      const begun = [linesOf(1), linesOf(2)];
      const pooled = begun.map((lines) => lines.filter((l) => l.pooled).length);
      if (process.env.SOTTO_KILLS)
        console.info({ kills: KILLS, ...seen, begun: begun.map((b) => b.length), pooled });
      expect(seen.unclear).toEqual([]);
      expect(seen.ok).toBeGreaterThan(0);
      expect(seen.worst).toBeLessThan(0.002);
      const dealt = cluster.log(0).filter((l) => l.msg === "dealing");
      expect(repeated(dealt.map((l) => l.deal))).toEqual([]);
      for (const lines of begun) {
        expect(repeated(lines.map((l) => l.deal))).toEqual([]);
        expect(repeated(lines.map((l) => l.session))).toEqual([]);
      }
      // no randomness served one client's session on one server and another's on the other
      const of = new Map(begun[0]!.map((l) => [l.deal, l.session]));
      for (const { deal, session } of begun[1]!) expect(of.get(deal) ?? session).toBe(session);
    },
    180_000 + KILLS * 20_000,
  );
});
