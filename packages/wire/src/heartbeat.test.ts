import type { SottoError } from "@sotto/core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type FrameChannel, memoryPair } from "./channel.js";
import { dataFrame } from "./frame.js";
import { heartbeat } from "./heartbeat.js";
import { greet, type Link } from "./link.js";

const SILENCE_MS = 1000;
const boot = (digit: string) => digit.repeat(32);

async function pair(): Promise<{ left: Link; right: Link; a: FrameChannel; b: FrameChannel }> {
  const [a, b] = memoryPair();
  const [left, right] = await Promise.all([
    greet(a, { role: "server-0", boot: boot("0") }, "dealer", 500, () => {}),
    greet(b, { role: "dealer", boot: boot("1") }, "server-0", 500, () => {}),
  ]);
  return { left, right, a, b };
}

/** As a host without power: it takes nothing, and says nothing. */
function die(channel: FrameChannel): void {
  channel.onFrame = () => {};
  channel.onClose = () => {};
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

it("keeps a link on which nothing happens while the other end is there", async () => {
  const { left, right } = await pair();
  heartbeat(left, SILENCE_MS);
  await vi.advanceTimersByTimeAsync(20 * SILENCE_MS);
  expect([left.open, right.open]).toEqual([true, true]);
  left.close();
  expect(vi.getTimerCount()).toBe(0);
});

it("drops a link whose other end is gone without a word, and says so", async () => {
  const { left, b } = await pair();
  heartbeat(left, SILENCE_MS);
  let closed: SottoError | undefined;
  left.onClose((error) => {
    closed = error;
  });
  await vi.advanceTimersByTimeAsync(3 * SILENCE_MS);
  die(b);
  await vi.advanceTimersByTimeAsync(SILENCE_MS / 2);
  expect(left.open).toBe(true);
  await vi.advanceTimersByTimeAsync(SILENCE_MS);
  expect(closed).toMatchObject({
    code: "unreachable",
    message: "dealer has given no sign of life for 1 s and counts as lost",
  });
  expect(vi.getTimerCount()).toBe(0);
});

it("takes the bytes of a frame that is not complete for a sign of life", async () => {
  const { left, a, b } = await pair();
  const frames: number[] = [];
  left.route(7n, (frame) => frames.push(frame.payload.length));
  heartbeat(left, SILENCE_MS);
  // the answers are stuck behind the frame
  b.onFrame = () => {};
  const frame = dataFrame(0, 7n, new Uint8Array(40));
  for (let at = 0; at < frame.length; at += 4) {
    b.send(frame.subarray(at, at + 4));
    await vi.advanceTimersByTimeAsync(SILENCE_MS / 2);
  }
  expect(left.open).toBe(true);
  expect(frames).toEqual([40]);
  a.close();
});

it("knows the shortest round trip, also when questions overtake each other", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "performance"] });
  const measured = async (silenceMs: number) => {
    const { left, a, b } = await pair();
    const take = b.onFrame;
    const line = { delay: 80 };
    b.onFrame = (frame) => void setTimeout(() => take(frame), line.delay);
    heartbeat(left, silenceMs);
    void left.answers(60_000);
    await vi.advanceTimersByTimeAsync(5000);
    return { left, line, close: () => a.close() };
  };
  // a sign of life every 50 ms: there are always several questions on the way
  const busy = await measured(200);
  expect(busy.left.roundTripMs ?? 80).toBeGreaterThanOrEqual(80);
  busy.close();
  const { left, line, close } = await measured(60_000);
  expect(left.roundTripMs ?? 80).toBe(80);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(left.roundTripMs).toBe(80);
  // what waits behind other work says nothing of the line
  line.delay = 500;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(left.roundTripMs).toBe(80);
  close();
});
