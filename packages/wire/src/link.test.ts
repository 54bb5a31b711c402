import type { SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import { type FrameChannel, memoryPair } from "./channel.js";
import { dataFrame, writeHeader } from "./frame.js";
import { greet, type Link } from "./link.js";
import { type ControlMessage, controlFrame, PROTOCOL_VERSION, parseControl } from "./messages.js";

const boot = (digit: string) => digit.repeat(32);
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Server 0's and server 1's ends of a link, with what each was told. */
async function pair() {
  const [a, b] = memoryPair();
  const heard: [ControlMessage[], ControlMessage[]] = [[], []];
  const listen = (i: 0 | 1) => (link: Link) => {
    link.onControl = (message) => heard[i].push(message);
  };
  const [left, right] = await Promise.all([
    greet(a, { role: "server-0", boot: boot("0") }, "server-1", 500, listen(0)),
    greet(b, { role: "server-1", boot: boot("1") }, "server-0", 500, listen(1)),
  ]);
  return { left, right, heard, raw: [a, b] as [FrameChannel, FrameChannel] };
}

describe("a link", () => {
  it("knows who is at the other end, and that process's start", async () => {
    const { left, right } = await pair();
    expect([left.remote, left.remoteBoot]).toEqual(["server-1", boot("1")]);
    expect([right.remote, right.remoteBoot]).toEqual(["server-0", boot("0")]);
  });

  it("hands frames to the route of their tag, and answers others", async () => {
    const { left, right, heard } = await pair();
    const got: number[] = [];
    const unroute = right.route(42n, (frame) => got.push(frame.number));
    left.send(dataFrame(1, 42n, new Uint8Array(3)));
    left.send(dataFrame(2, 43n, new Uint8Array(3)));
    await turn();
    unroute();
    left.send(dataFrame(3, 42n, new Uint8Array(3)));
    await turn();
    expect(got).toEqual([1]);
    expect(heard[0]).toEqual([
      { type: "unknown-frame", tag: "000000000000002b", number: 2 },
      { type: "unknown-frame", tag: "000000000000002a", number: 3 },
    ]);
    expect(left.open).toBe(true);
  });

  it("is closed by a control message that cannot be read, without quoting it", async () => {
    const { left, right, heard } = await pair();
    const secret = new TextEncoder().encode('{"type":"dealt","seed":"deadbeef"');
    const frame = new Uint8Array(16 + secret.length);
    frame.set(secret, 16);
    writeHeader(frame, 0, 0n);
    left.send(frame);
    const reason = await new Promise<SottoError>((resolve) => {
      right.onClose(resolve);
    });
    expect(reason.code).toBe("protocol");
    await turn();
    expect(heard[0][0]).toMatchObject({ type: "refused", code: "protocol" });
    expect(reason.message + JSON.stringify(heard[0])).not.toContain("deadbeef");
    expect([left.open, right.open]).toEqual([false, false]);
  });

  it("tells whoever asks late that it has gone", async () => {
    const { left, right } = await pair();
    left.close();
    await turn();
    let reason: SottoError | undefined;
    right.onClose((error) => {
      reason = error;
    });
    expect(reason?.code).toBe("unreachable");
  });
});

describe("a link to somebody who sends and does not read", () => {
  const pings = 10_000;

  /** A channel whose frames leave this process, or do not. */
  async function flooded(leaves: boolean) {
    let sent = 0;
    const channel: FrameChannel = {
      send: (_, left) => {
        sent++;
        if (leaves) left?.();
      },
      drained: () => Promise.resolve(),
      onFrame: () => {},
      onClose: () => {},
      received: 0,
      close: () => channel.onClose(),
    };
    const take = (message: ControlMessage | Uint8Array) => {
      const frame = message instanceof Uint8Array ? message : controlFrame(message);
      const tag = new DataView(frame.buffer).getBigUint64(8, true);
      channel.onFrame({ number: 0, tag, payload: frame.subarray(16) });
    };
    const made = greet(channel, { role: "server-0", boot: boot("0") }, "server-1", 500, () => {});
    take({ type: "welcome", version: PROTOCOL_VERSION, role: "server-1", boot: boot("1") });
    const link = await made;
    let reason: SottoError | undefined;
    link.onClose((error) => {
      reason = error;
    });
    for (let i = 0; i < pings && link.open; i++) {
      take(i % 2 === 0 ? { type: "ping" } : dataFrame(i, 43n, new Uint8Array(3)));
      // frames come a chunk at a time
      if (i % 100 === 0) await turn();
    }
    return { reason, sent };
  }

  it("is dropped when its answers pile up", async () => {
    const { reason, sent } = await flooded(false);
    expect(reason).toMatchObject({
      code: "protocol",
      message: expect.stringMatching(
        /server-1 does not read: \d+ messages to it have not left; expected at most 4096/,
      ),
    });
    expect(sent).toBeLessThan(4096 + 200);
  });

  it("goes on when they leave", async () => {
    expect(await flooded(true)).toEqual({ reason: undefined, sent: pings + 1 });
  });
});

describe("a control message that only the dealer takes", () => {
  it("is refused elsewhere by its length, before it is read", async () => {
    const { left, right } = await pair();
    const plan = { type: "setup-request", setup: boot("1"), plan: "x".repeat(2 ** 19) } as const;
    right.maxControl = 2 ** 20;
    left.control(plan);
    await turn();
    expect(right.open).toBe(true);
    right.control(plan);
    await turn();
    expect([left.open, right.open]).toEqual([false, false]);
  });
});

describe("greeting", () => {
  const self = { role: "dealer", boot: boot("2") } as const;

  it("refuses another role than the certificate's", async () => {
    const [a, b] = memoryPair();
    const outcome = greet(a, self, "server-0", 500, () => {});
    b.send(controlFrame({ type: "welcome", version: PROTOCOL_VERSION, role: "server-1", boot: boot("3") }));
    await expect(outcome).rejects.toThrow(
      new RegExp(
        `says it is server-1, version ${PROTOCOL_VERSION}; expected server-0, version ${PROTOCOL_VERSION}`,
      ),
    );
  });

  it("refuses another version", async () => {
    const [a, b] = memoryPair();
    const outcome = greet(a, self, "server-0", 500, () => {});
    b.send(
      controlFrame({ type: "welcome", version: PROTOCOL_VERSION + 1, role: "server-0", boot: boot("3") }),
    );
    await expect(outcome).rejects.toThrow(
      new RegExp(`server-0, version ${PROTOCOL_VERSION + 1}; expected server-0, version ${PROTOCOL_VERSION}`),
    );
  });

  it("passes on why the other side refused", async () => {
    const [a, b] = memoryPair();
    const outcome = greet(a, self, "server-0", 500, () => {});
    b.send(controlFrame({ type: "refused", about: "", code: "tls", message: "not you" }));
    await expect(outcome).rejects.toMatchObject({ code: "tls", message: "not you" });
  });

  it("has a deadline", async () => {
    const [a] = memoryPair();
    await expect(greet(a, self, "server-0", 20, () => {})).rejects.toMatchObject({ code: "timeout" });
  });
});

describe("a control message", () => {
  it("is refused where it is nested deeply, which would take long to parse", () => {
    const read = (text: string) => parseControl(new TextEncoder().encode(text));
    const nested = (n: number) =>
      `{"type":"setup-request","setup":"${boot("1")}","plan":${"[".repeat(n)}${"]".repeat(n)}}`;
    expect(read(nested(60))).toMatchObject({ type: "setup-request" });
    expect(() => read(nested(70))).toThrow(/not UTF-8 JSON/);
    const quoted = JSON.stringify({
      type: "setup-request",
      setup: boot("1"),
      plan: `"\\${"[{".repeat(100)}`,
    });
    expect(read(quoted)).toMatchObject({ plan: expect.stringContaining("[{[{") });
  });

  it("is refused by its fields, never by its values", () => {
    const read = (value: unknown) => parseControl(new TextEncoder().encode(JSON.stringify(value)));
    const wrong = { type: "setup-seed", setup: "f".repeat(32), plan: "0".repeat(64), seed: "5ec2e7" };
    expect(() => read(wrong)).toThrow(/seed: expected 64 hex digits/);
    expect(() => read(wrong)).not.toThrow(/5ec2e7/);
    expect(() => read({ type: "gossip" })).toThrow(/not one that this version knows/);
  });
});
