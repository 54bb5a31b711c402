import { type AddressInfo, connect, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { LinkRelay } from "./link-relay.js";
import { Schedule } from "./link-schedule.js";

describe("a simulated link", () => {
  it("delays each way by half a round trip, and sends one piece after the other", () => {
    // 8 kbit/s: one byte a millisecond
    const schedule = new Schedule({ roundTripMs: 20, bitsPerSecond: 8000 });
    expect(schedule.arrival(0, 5)).toBe(15);
    expect(schedule.arrival(1, 5)).toBe(20); // waits for the first
    expect(schedule.arrival(100, 5)).toBe(115); // the link is free again
  });

  it("leaves out of the delay what the relay itself takes, as far as there is any", () => {
    const rate = { bitsPerSecond: 8e12 };
    expect(new Schedule({ roundTripMs: 2, ...rate }, 1).arrival(0, 0)).toBe(0.5);
    expect(new Schedule({ roundTripMs: 0.1, ...rate }, 1).arrival(0, 0)).toBe(0);
  });

  it("brings every byte in order, also of what was sent just before the end, each piece on its schedule", async () => {
    const sent = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * i) >> 3);
    const server = createServer((socket) => socket.end(sent)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    let scheduled = 0;
    class Counted extends Schedule {
      override arrival(now: number, bytes: number): number {
        scheduled += bytes;
        return super.arrival(now, bytes);
      }
    }
    const spec = { roundTripMs: 30, bitsPerSecond: 1e9 };
    const relay = new LinkRelay((server.address() as AddressInfo).port, [
      new Schedule(spec),
      new Counted(spec),
    ]);
    const socket = connect(await relay.listen(), "127.0.0.1");
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(scheduled).toBe(sent.length);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    relay.close();
    server.close();
  });
});
