import { describe, expect, it } from "vitest";
import { type Entry, FairQueue } from "./fair-queue.js";

const entry = (id: string, bytes = 1): Entry => ({ id, client: id[0]!, bytes });

/** What comes out until nothing is left. */
function rest(queue: FairQueue<Entry>): string {
  const ids: string[] = [];
  for (let e = queue.next(); e; e = queue.next()) ids.push(e.id);
  return ids.join(" ");
}

function filled(ids: string, room = { places: 100, bytes: 100 }): FairQueue<Entry> {
  const queue = new FairQueue<Entry>(room);
  for (const id of ids.split(" ")) expect(queue.add(entry(id))).toEqual([]);
  return queue;
}

describe("a fair queue", () => {
  it("lets clients take turns, each in its own order", () => {
    expect(rest(filled("a1 a2 a3 a4 b1 c1 c2"))).toBe("a1 b1 c1 a2 c2 a3 a4");
  });

  it("puts a client that comes again behind those that wait", () => {
    const queue = filled("a1 b1 b2 c1");
    expect(queue.next()?.id).toBe("a1");
    queue.add(entry("a2"));
    expect(rest(queue)).toBe("b1 c1 a2 b2");
  });

  it("forgets what leaves", () => {
    const queue = filled("a1 a2 b1 c1");
    expect(queue.remove("a1")?.id).toBe("a1");
    expect(queue.remove("b1")?.id).toBe("b1");
    expect(queue.remove("b1")).toBeUndefined();
    expect(queue.size).toBe(2);
    expect(rest(queue)).toBe("a2 c1");
    expect(queue.size).toBe(0);
  });

  it("has room for a client with few, at the cost of the newest of the one with most", () => {
    const queue = filled("a1 a2 a3 b1", { places: 4, bytes: 100 });
    expect(queue.add(entry("c1")).map((e) => e.id)).toEqual(["a3"]);
    // as many as anybody has: it is the newcomer that goes
    expect(queue.add(entry("c2")).map((e) => e.id)).toEqual(["c2"]);
    expect(queue.add(entry("a4")).map((e) => e.id)).toEqual(["a4"]);
    expect(rest(queue)).toBe("a1 b1 c1 a2");
  });

  it("counts bytes as well as places, and takes one large request where nothing else waits", () => {
    const queue = new FairQueue<Entry>({ places: 100, bytes: 10 });
    expect(queue.add(entry("a1", 50))).toEqual([]);
    expect(queue.add(entry("b1", 4)).map((e) => e.id)).toEqual(["a1"]);
    expect(queue.add(entry("b2", 4))).toEqual([]);
    expect(queue.add(entry("c1", 3)).map((e) => e.id)).toEqual(["b2"]);
    expect(queue.add(entry("c2", 9)).map((e) => e.id)).toEqual(["c2"]);
    expect(rest(queue)).toBe("b1 c1");
    // what has left takes no room
    expect(queue.add(entry("a2", 10))).toEqual([]);
  });

  it("has no place where it is to have none", () => {
    const queue = new FairQueue<Entry>({ places: 0, bytes: 10 });
    expect(queue.add(entry("a1")).map((e) => e.id)).toEqual(["a1"]);
    expect(queue.size).toBe(0);
  });

  it("is empty once it has been emptied", () => {
    const queue = filled("a1 b1");
    expect(queue.empty().map((e) => e.id)).toEqual(["a1", "b1"]);
    expect([queue.size, queue.next()]).toEqual([0, undefined]);
  });
});
