/** Writes captures for tests, independently of the reader. */

export interface Sent {
  /** Nanoseconds since 1970. */
  at: bigint;
  from: [address: string, port: number];
  to: [address: string, port: number];
  udp?: boolean;
  flags?: number;
  payload: number;
}

type Bytes = number[];

const be16 = (v: number): Bytes => [(v >> 8) & 255, v & 255];
const hexBytes = (address: string): Bytes => address.split(":").flatMap((g) => be16(Number.parseInt(g, 16)));

function transport({ from, to, udp, flags, payload }: Sent): Bytes {
  const ports = [...be16(from[1]), ...be16(to[1])];
  const header = udp
    ? [...ports, ...be16(8 + payload), 0, 0]
    : [...ports, ...new Array(8).fill(0), 0x50, flags ?? 0x10, ...new Array(6).fill(0)];
  return [...header, ...new Array(payload).fill(0x41)];
}

export function ipPacket(sent: Sent): Bytes {
  const data = transport(sent);
  const protocol = sent.udp ? 17 : 6;
  if (sent.from[0].includes(":")) {
    return [
      0x60,
      0,
      0,
      0,
      ...be16(data.length),
      protocol,
      64,
      ...hexBytes(sent.from[0]),
      ...hexBytes(sent.to[0]),
      ...data,
    ];
  }
  const dotted = (address: string) => address.split(".").map(Number);
  const head = [0x45, 0, ...be16(20 + data.length), 0, 0, 0x40, 0, 64, protocol, 0, 0];
  return [...head, ...dotted(sent.from[0]), ...dotted(sent.to[0]), ...data];
}

const etherType = (packet: Bytes) => (packet[0]! >> 4 === 6 ? [0x86, 0xdd] : [0x08, 0]);

/** What is in front of the IP packet, by link type. */
export const LINK_HEADERS: Record<number, (packet: Bytes) => Bytes> = {
  0: (p) => [p[0]! >> 4 === 6 ? 30 : 2, 0, 0, 0],
  1: (p) => [...new Array(12).fill(2), ...etherType(p)],
  101: () => [],
  108: (p) => [0, 0, 0, p[0]! >> 4 === 6 ? 30 : 2],
  113: (p) => [0, 0, 3, 4, 0, 6, ...new Array(8).fill(0), ...etherType(p)],
  276: (p) => [...etherType(p), ...new Array(18).fill(0)],
};

export function frame(link: number, sent: Sent): Uint8Array {
  const packet = ipPacket(sent);
  return Uint8Array.from([...LINK_HEADERS[link]!(packet), ...packet]);
}

class Writer {
  private readonly parts: Uint8Array[] = [];
  constructor(readonly little: boolean) {}
  u16 = (...values: number[]) => this.number(2, values);
  u32 = (...values: number[]) => this.number(4, values);
  bytes(bytes: Uint8Array): this {
    this.parts.push(bytes);
    return this;
  }
  done(): Uint8Array {
    return Uint8Array.from(this.parts.flatMap((p) => [...p]));
  }
  private number(size: 2 | 4, values: number[]): this {
    const view = new DataView(new ArrayBuffer(size * values.length));
    values.forEach((v, i) => {
      if (size === 2) view.setUint16(2 * i, v, this.little);
      else view.setUint32(4 * i, v, this.little);
    });
    return this.bytes(new Uint8Array(view.buffer));
  }
}

export interface PcapOptions {
  little?: boolean;
  nano?: boolean;
  link?: number;
  snapLength?: number;
}

export function pcap(
  sent: Sent[],
  { little = true, nano = false, link = 1, snapLength = 262144 }: PcapOptions = {},
) {
  const writer = new Writer(little)
    .u32(nano ? 0xa1b23c4d : 0xa1b2c3d4)
    .u16(2, 4)
    .u32(0, 0, snapLength, link);
  for (const one of sent) {
    const bytes = frame(link, one);
    const kept = bytes.subarray(0, snapLength);
    const fraction = Number(one.at % 1_000_000_000n);
    writer.u32(
      Number(one.at / 1_000_000_000n),
      nano ? fraction : Math.floor(fraction / 1000),
      kept.length,
      bytes.length,
    );
    writer.bytes(kept);
  }
  return writer.done();
}

function block(little: boolean, type: number, body: Uint8Array): Uint8Array {
  const pad = new Uint8Array((4 - (body.length % 4)) % 4);
  const size = 12 + body.length + pad.length;
  return new Writer(little).u32(type, size).bytes(body).bytes(pad).u32(size).done();
}

/** @param packets "simple" blocks have no times */
export function pcapng(
  sent: Sent[],
  { little = true, nano = false, link = 1, packets = "enhanced" as "enhanced" | "simple" } = {},
): Uint8Array {
  const file = new Writer(little);
  file.bytes(
    block(
      little,
      0x0a0d0d0a,
      new Writer(little).u32(0x1a2b3c4d).u16(1, 0).u32(0xffffffff, 0xffffffff).done(),
    ),
  );
  const resolution = new Writer(little)
    .u16(9, 1)
    .bytes(Uint8Array.from([nano ? 9 : 6, 0, 0, 0]))
    .u32(0);
  const options = new Writer(little)
    .u16(2, 2)
    .bytes(Uint8Array.from([0x6c, 0x6f, 0, 0]))
    .bytes(resolution.done());
  file.bytes(block(little, 1, new Writer(little).u16(link, 0).u32(262144).bytes(options.done()).done()));
  file.bytes(block(little, 5, new Uint8Array(12))); // statistics, to be passed over
  for (const one of sent) {
    const bytes = frame(link, one);
    const ticks = nano ? one.at : one.at / 1000n;
    const head = new Writer(little);
    if (packets === "simple") head.u32(bytes.length);
    else head.u32(0, Number(ticks >> 32n), Number(ticks & 0xffffffffn), bytes.length, bytes.length);
    file.bytes(block(little, packets === "simple" ? 3 : 6, head.bytes(bytes).done()));
  }
  return file.done();
}
