import { SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCapture } from "./pcap.js";
import { frame, LINK_HEADERS, pcap, pcapng, type Sent } from "./testing/captures.js";

const START = 1_700_000_000_123_456_000n;
const sent: Sent[] = [
  { at: START, from: ["10.0.0.1", 40000], to: ["10.0.0.2", 443], flags: 2, payload: 0 },
  { at: START + 1_500_000n, from: ["10.0.0.2", 443], to: ["10.0.0.1", 40000], flags: 18, payload: 7 },
  { at: START + 1_000_002_000n, from: ["10.0.0.1", 53], to: ["10.0.0.2", 5353], udp: true, payload: 100 },
  {
    at: START + 2_000_000_000n,
    from: ["fd00:0:0:0:0:0:0:1", 1],
    to: ["fd00:0:0:0:0:0:0:2", 65535],
    flags: 5,
    payload: 1300,
  },
];
const expected = [
  {
    time: 0,
    protocol: 6,
    source: "10.0.0.1",
    sourcePort: 40000,
    destinationPort: 443,
    flags: 2,
    payload: 0,
    length: 40,
  },
  {
    time: 0.0015,
    protocol: 6,
    source: "10.0.0.2",
    destination: "10.0.0.1",
    flags: 18,
    payload: 7,
    length: 47,
  },
  {
    time: 1.000002,
    protocol: 17,
    sourcePort: 53,
    destinationPort: 5353,
    flags: 0,
    payload: 100,
    length: 128,
  },
  {
    time: 2,
    protocol: 6,
    source: "fd00:0:0:0:0:0:0:1",
    destinationPort: 65535,
    flags: 5,
    payload: 1300,
    length: 1360,
  },
].map((p) => expect.objectContaining({ ...p, time: expect.closeTo(p.time, 9) }));

const both = [true, false];
const links = Object.keys(LINK_HEADERS).map(Number);

describe("a capture", () => {
  const forms = both.flatMap((little) =>
    both.flatMap((nano) => links.map((link) => ({ little, nano, link }))),
  );
  it.each(forms)("is read as pcap and as pcapng: %o", (form) => {
    for (const file of [pcap(sent, form), pcapng(sent, form)]) {
      expect(readCapture(file)).toEqual({ packets: expected, skipped: 0, truncated: false });
    }
  });

  it("keeps nanoseconds", () => {
    const close = [sent[0]!, { ...sent[1]!, at: START + 3n }];
    for (const file of [pcap(close, { nano: true }), pcapng(close, { nano: true })]) {
      expect(readCapture(file).packets[1]!.time).toBeCloseTo(3e-9, 12);
    }
  });

  it("may be cut to the first bytes of each packet", () => {
    expect(readCapture(pcap(sent.slice(0, 3), { snapLength: 54 })).packets).toEqual(expected.slice(0, 3));
  });

  it("may end in the middle of a packet", () => {
    for (const file of [pcap(sent), pcapng(sent)]) {
      const { packets, truncated } = readCapture(file.subarray(0, -5));
      expect(packets).toEqual(expected.slice(0, 3));
      expect(truncated).toBe(true);
    }
  });

  it("may have packets without times", () => {
    const { packets } = readCapture(pcapng(sent, { packets: "simple" }));
    expect(packets.map((p) => [p.time, p.payload])).toEqual(sent.map((s) => [0, s.payload]));
  });

  it("may lie anywhere in a buffer", () => {
    const file = pcap(sent);
    const buffer = new Uint8Array(file.length + 10);
    buffer.set(file, 3);
    expect(readCapture(buffer.subarray(3, 3 + file.length)).packets).toEqual(expected);
  });

  it("counts frames that are no IP packets", () => {
    const file = pcap(sent);
    file[24 + 16 + 12] = 0x08;
    file[24 + 16 + 13] = 0x06; // ARP
    expect(readCapture(file)).toMatchObject({ packets: { length: 3 }, skipped: 1 });
  });

  it("has VLANs looked through", () => {
    const untagged = frame(1, sent[0]!);
    const tags = [0x88, 0xa8, 0, 1, 0x81, 0, 0, 2];
    const tagged = [...untagged.subarray(0, 12), ...tags, ...untagged.subarray(12)];
    const head = pcap([]);
    const record = new Uint8Array(16);
    new DataView(record.buffer).setUint32(8, tagged.length, true);
    expect(readCapture(Uint8Array.from([...head, ...record, ...tagged])).packets).toEqual([expected[0]]);
  });
});

function changed(file: Uint8Array, at: number, value: number): Uint8Array {
  const copy = file.slice();
  copy[at] = value;
  return copy;
}

describe("what is no capture", () => {
  const refusal = (file: Uint8Array) => {
    try {
      readCapture(file);
    } catch (error) {
      if (error instanceof SottoError) return `${error.code}: ${error.message}`;
      throw error;
    }
    return "read";
  };

  it("is refused with what is wrong", () => {
    expect(refusal(new Uint8Array(3))).toMatch(/^bad-input: not a capture file: shorter/);
    expect(refusal(new TextEncoder().encode("time,length\n0,40\n0.1,52\n0.2,1500\n"))).toMatch(
      /neither like pcap/,
    );
    expect(refusal(changed(pcap(sent), 20, 105))).toMatch(
      /^unsupported: captures of link type 105: use Ethernet/,
    );
    expect(refusal(changed(pcap(sent), 24 + 11, 0x7f))).toMatch(
      /record at byte 24 says it is 2130706\d+ bytes/,
    );
    const ng = pcapng(sent);
    expect(refusal(changed(ng, 4, 29))).toMatch(/block at byte 0 says it is 29 bytes/);
    expect(refusal(changed(ng, 8, 0))).toMatch(/block at byte 0 begins a section without its byte order/);
    expect(refusal(changed(ng, 24, 99))).toMatch(/block at byte 0 ends with another length/);
    expect(refusal(changed(ng, 28 + 40 + 24 + 8, 9))).toMatch(/is of interface 9, which is not described/);
  });

  it("ends in an error or in packets, whatever the bytes", () => {
    const files = links.flatMap((link) => [pcap(sent, { link }), pcapng(sent, { link, little: false })]);
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 });
    const damaged = fc.tuple(fc.constantFrom(...files), damage, fc.nat(40)).map(([file, changes, cut]) => {
      const copy = file.slice(0, file.length - cut);
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return copy;
    });
    const headed = fc
      .tuple(fc.constantFrom(...files), fc.uint8Array({ maxLength: 200 }))
      .map(([file, rest]) => {
        return Uint8Array.from([...file.subarray(0, 28), ...rest]);
      });
    fc.assert(
      fc.property(fc.oneof(damaged, headed, fc.uint8Array({ maxLength: 300 })), (file) => {
        const said = refusal(file);
        expect(said).toMatch(/^(read$|bad-input: |unsupported: )/);
        if (said !== "read") return;
        // every packet and every skipped frame has taken bytes of the file
        const { packets, skipped } = readCapture(file);
        expect(16 * (packets.length + skipped)).toBeLessThanOrEqual(file.length);
        for (const p of packets) {
          expect(Number.isFinite(p.time)).toBe(true);
          expect(p.payload).toBeGreaterThanOrEqual(0);
          expect(p.payload).toBeLessThanOrEqual(p.length);
        }
      }),
      { numRuns: process.env.SOTTO_LONG ? 50_000 : 1500 },
    );
  });
});
