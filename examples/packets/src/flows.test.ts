import { describe, expect, it } from "vitest";
import { FLOW_FEATURES, flowFeatures, RANGE, WINDOW_FEATURES, windowFeatures } from "./features.js";
import { flowsOf, WINDOW_PACKETS, windowsOf } from "./flows.js";
import { FIN, type Packet, RST, SYN, TCP, UDP } from "./packet.js";

function packet(time: number, from: string, to: string, more: Partial<Packet> = {}): Packet {
  const [source, sourcePort] = from.split(":");
  const [destination, destinationPort] = to.split(":");
  return {
    time,
    protocol: TCP,
    source: source!,
    sourcePort: Number(sourcePort),
    destination: destination!,
    destinationPort: Number(destinationPort),
    length: 52,
    payload: 0,
    flags: 16,
    ...more,
  };
}

/** A client asks and a server answers, `n` packets in all. */
function talk(n: number, start = 0, client = "c:5000", server = "s:443"): Packet[] {
  return Array.from({ length: n }, (_, i) =>
    i % 2 === 0
      ? packet(start + 0.01 * i, client, server, { length: 100, payload: 48 })
      : packet(start + 0.01 * i, server, client, { length: 1500, payload: 1448 }),
  );
}

describe("flows", () => {
  it("have the sizes towards the initiator negative", () => {
    const [flow, ...none] = flowsOf(talk(30));
    expect(none).toEqual([]);
    expect(flow!.name).toBe("c:5000 → s:443");
    expect(flow!.lengths.slice(0, 4)).toEqual([100, -1500, 100, -1500]);
    expect(flow!.times[29]).toBeCloseTo(0.29);
  });

  it("end after a silence or 100 packets, and need 30", () => {
    const counts = (packets: Packet[]) => flowsOf(packets).map((f) => f.times.length);
    expect(counts(talk(29))).toEqual([]);
    expect(counts(talk(235))).toEqual([100, 100, 35]);
    expect(counts([...talk(40), ...talk(50, 1)])).toEqual([40, 50]);
    expect(counts([...talk(40), ...talk(50, 0.5)])).toEqual([90]);
  });

  it("are told apart by both ends, whatever lies between", () => {
    const mixed = [...talk(40), ...talk(30, 0.001, "c:5001")].sort((a, b) => a.time - b.time);
    expect(flowsOf(mixed).map((f) => [f.name, f.times.length])).toEqual([
      ["c:5000 → s:443", 40],
      ["c:5001 → s:443", 30],
    ]);
  });
});

describe("who began", () => {
  const inward = (first: Packet) => {
    const [a, b] = [`${first.source}:${first.sourcePort}`, `${first.destination}:${first.destinationPort}`];
    return windowsOf([first, ...talk(40, 1, b, a)])[0]!.packets[0]!.inward;
  };
  it("is whoever sent a SYN, or else the end without a low port", () => {
    expect(inward(packet(0, "c:5000", "s:443", { flags: SYN }))).toBe(true);
    expect(inward(packet(0, "s:443", "c:5000", { flags: SYN | 16 }))).toBe(false);
    expect(inward(packet(0, "s:443", "c:5000"))).toBe(false);
    expect(inward(packet(0, "s:4443", "c:5000"))).toBe(true);
  });
});

describe("windows", () => {
  it("hold what one host sees of everybody", () => {
    const packets = [...talk(30), ...talk(30, 0.005, "d:6000"), ...talk(29, 0, "c:1", "other:80")];
    const windows = windowsOf(packets.sort((a, b) => a.time - b.time));
    expect(windows.map((w) => [w.host, w.packets.length])).toEqual([["s", WINDOW_PACKETS.most]]);
    expect(new Set(windows[0]!.others)).toEqual(new Set(["c", "d"]));
  });

  it("say which ports and connections are new in them", () => {
    const scan = Array.from({ length: 40 }, (_, i) => [
      packet(i, `c:${40000 + i}`, `s:${i + 1}`, { flags: SYN }),
      packet(i, `s:${i + 1}`, `c:${40000 + i}`, { flags: RST | 16 }),
    ]).flat();
    const [first, second] = windowsOf(scan);
    for (const window of [first!, second!]) {
      expect(window.packets.map((p) => p.newPort)).toEqual(window.packets.map((p) => p.inward));
      expect(window.packets.map((p) => p.newConnection)).toEqual(window.packets.map((p) => p.inward));
    }
    const requests = Array.from({ length: 40 }, (_, i) =>
      packet(i, `c:${40000 + i}`, "s:80", { flags: SYN }),
    );
    const [window] = windowsOf(requests);
    expect(window!.packets.filter((p) => p.newPort)).toHaveLength(1);
    expect(window!.packets.filter((p) => p.newConnection)).toHaveLength(40);
  });

  it("leave out what is neither TCP nor UDP", () => {
    expect(windowsOf(talk(40).map((p) => ({ ...p, protocol: 1 })))).toEqual([]);
    expect(windowsOf(talk(40).map((p) => ({ ...p, protocol: UDP })))).toHaveLength(1);
  });
});

describe("features", () => {
  it("of a flow", () => {
    const flow = { name: "", times: [0, 0.001, 0.001], lengths: [40, -1280, 65000] };
    const { shape, data } = flowFeatures(flow);
    expect(shape).toEqual([1, 3, FLOW_FEATURES]);
    const rows = [
      [1, 40 / 1500, 0, -1, -1],
      [-1, -1280 / 1500, -1, 0, 0],
      [1, 1, Math.log2(37.5) / 5, -1, 0],
    ];
    rows.forEach((row, step) => {
      row.forEach((v, i) => {
        expect(data[FLOW_FEATURES * step + i]).toBeCloseTo(v, 6);
      });
    });
    // 1280 lies between 1100 and 1500
    const second = Array.from(data.subarray(FLOW_FEATURES, 2 * FLOW_FEATURES));
    expect(second.at(-2)).toBeCloseTo(-0.55, 6);
    expect(second.at(-1)).toBeCloseTo(-0.45, 6);
    for (const [step, sign] of [1, -1, 1].entries()) {
      const hats = data.subarray(FLOW_FEATURES * step + 5, FLOW_FEATURES * (step + 1));
      expect(hats.reduce((a, b) => a + b, 0)).toBeCloseTo(sign, 6);
    }
  });

  it("of a window", () => {
    const quiet = { inward: true, udp: false, flags: 0, payload: 0, newPort: false, newConnection: false };
    const { shape, data } = windowFeatures({
      packets: [
        { ...quiet, time: 0, flags: SYN, newPort: true, newConnection: true },
        { ...quiet, time: 1, inward: false, flags: FIN, payload: 255 },
        { ...quiet, time: 1.1, udp: true, flags: RST },
      ],
    });
    expect(shape).toEqual([1, 3, WINDOW_FEATURES]);
    const rows = [
      [1, 0, 1, 0, 0, 0, -1, 1, 1],
      [-1, 0, 0, 1, 0, 1, 1, 0, 0],
      [1, 1, 0, 0, 1, 0, 2 / 3, 0, 0],
    ];
    rows.flat().forEach((v, i) => {
      expect(data[i]).toBeCloseTo(v, 6);
    });
  });

  it("stay within the range that is declared, whatever a capture says", () => {
    const times = [0, -5, 1e9, 1e9, 2e9];
    const flow = flowFeatures({ name: "", times, lengths: [1, -1, 65535, -65535, 0] });
    const packets = times.map((time) => ({
      time,
      inward: true,
      udp: true,
      flags: 255,
      payload: 1e9,
      newPort: true,
      newConnection: true,
    }));
    for (const v of [...flow.data, ...windowFeatures({ packets }).data]) {
      expect(Math.abs(v)).toBeLessThanOrEqual(RANGE);
    }
  });
});
