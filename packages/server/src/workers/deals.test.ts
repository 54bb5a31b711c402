/** How a dealer's worker takes deals from the queue, with a queue that a test holds. */
import { SottoError } from "@sotto/core";
import { afterEach, describe, expect, it } from "vitest";
import { DealtAlready, type QueuedDeal } from "../dealer/group.js";
import { makeLog } from "../log.js";
import { newId } from "../parties.js";
import { Deals, type Delivery } from "./deals.js";
import type { Nats } from "./nats.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

function job(): QueuedDeal {
  return { session: newId(), setup: newId(), plan: newId() + newId(), sizes: {}, pair: [newId(), newId()] };
}

/** Copies of jobs, and what the worker says of each. */
class Queue {
  readonly waiting: Delivery[] = [];
  readonly said: string[] = [];
  asked = 0;

  add(given: unknown, deliveryCount = 1): void {
    const say = (what: string) => () => void this.said.push(what);
    const data = new TextEncoder().encode(JSON.stringify(given));
    const verdicts = { ack: say("ack"), nak: say("nak"), term: say("term"), working: () => {} };
    this.waiting.push({ data, info: { deliveryCount }, ...verdicts });
  }

  readonly ask = async () => {
    this.asked++;
    while (this.waiting.length === 0) await turn();
    const next = this.waiting.shift()!;
    const one = (async function* () {
      yield next;
    })();
    return Object.assign(one, { close: async () => {} });
  };
}

describe("a dealer's worker", () => {
  let deals: Deals | undefined;
  const refused: [QueuedDeal, SottoError][] = [];
  afterEach(async () => {
    await deals?.stop();
    refused.length = 0;
  });

  function start(queue: Queue, work: (job: QueuedDeal) => Promise<void>, most?: number): void {
    deals = new Deals({
      nats: { prefix: "test", subject: (name: string) => name } as Nats,
      ...{ version: "1", log: makeLog("test", "silent"), work },
      refuse: (...given) => refused.push(given),
      ...(most ? { most } : {}),
    });
    void deals.take(queue.ask);
  }

  it("fetches a deal when it has room for it, and leaves the others in the queue", async () => {
    const queue = new Queue();
    const ends: (() => void)[] = [];
    for (let i = 0; i < 4; i++) queue.add(job());
    start(queue, () => new Promise((resolve) => ends.push(resolve)), 2);
    await expect.poll(() => ends.length).toBe(2);
    for (let i = 0; i < 20; i++) await turn();
    expect([queue.waiting.length, queue.asked, queue.said]).toEqual([2, 2, []]);
    ends[0]!();
    await expect.poll(() => ends.length).toBe(3);
    expect([queue.waiting.length, queue.said]).toEqual([1, ["ack"]]);
    for (const end of ends) end();
  });

  it("leaves to another one what it cannot deal, and tells who waits when nobody can", async () => {
    const queue = new Queue();
    const given = job();
    queue.add(given);
    queue.add(given, 20);
    start(queue, async () => {
      throw new SottoError("unreachable", "server 1 is not connected");
    });
    await expect.poll(() => queue.said).toEqual(["nak", "term"]);
    expect(refused).toEqual([[given, expect.objectContaining({ code: "unreachable" })]]);
  });

  it("tells who waits at once of what no worker would deal", async () => {
    const queue = new Queue();
    const given = job();
    queue.add(given);
    start(queue, async () => {
      throw new SottoError("plan-mismatch", "another plan");
    });
    await expect.poll(() => refused).toEqual([[given, expect.objectContaining({ code: "plan-mismatch" })]]);
    expect(queue.said).toEqual(["term"]);
  });

  it("says nothing to the servers of a copy of what it deals for already", async () => {
    const queue = new Queue();
    const given = job();
    queue.add(given, 2);
    start(queue, async () => {
      throw new DealtAlready(given.session);
    });
    await expect.poll(() => queue.said).toEqual(["term"]);
    expect(refused).toEqual([]);
  });

  it("goes on with what it deals for while the queue does not answer", async () => {
    const queue = new Queue();
    let end = () => {};
    let over = false;
    queue.add(job());
    deals = new Deals({
      nats: { prefix: "test", subject: (name: string) => name } as Nats,
      ...{ version: "1", log: makeLog("test", "silent"), refuse: (...given) => refused.push(given) },
      work: async () => {
        await new Promise<void>((resolve) => {
          end = resolve;
        });
        over = true;
      },
    });
    const first = queue.waiting[0]!;
    first.ack = () => {
      throw new Error("the connection is closed");
    };
    const away = async () => {
      if (queue.asked > 0) throw new Error("the connection is closed");
      return queue.ask();
    };
    await expect(deals.take(away)).rejects.toThrow(/closed/);
    expect(over).toBe(false);
    end();
    await expect.poll(() => over).toBe(true);
    await turn();
    expect([refused, queue.said]).toEqual([[], []]);
  });

  it("drops what is no deal, and goes on", async () => {
    const queue = new Queue();
    queue.add({ session: "../../etc" });
    queue.add(job());
    const dealt: QueuedDeal[] = [];
    start(queue, async (given) => void dealt.push(given));
    await expect.poll(() => queue.said).toEqual(["term", "ack"]);
    expect([dealt.length, refused]).toEqual([1, []]);
  });
});
