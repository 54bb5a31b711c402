/**
 * Capture files in the browser or in Node: pcap in both byte orders, with microseconds or nanoseconds
 * (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html), and pcapng (pcapng.ts).
 */
import { SottoError } from "@sotto/core";
import { checkFrameLength, checkLink, type Frame, frameBytes } from "./frame.js";
import { readFrame } from "./link.js";
import type { Packet } from "./packet.js";
import { isPcapng, readPcapng } from "./pcapng.js";

export interface Capture {
  packets: Packet[];
  /** Frames that are no IP packet, or of which too little was kept. */
  skipped: number;
  /** Whether the file ends in the middle of a record, as it does when the capturing program was killed. */
  truncated: boolean;
}

/** Magic number as read in big-endian order: byte order, and parts of a second. */
const MAGIC = new Map<number, { little: boolean; unit: number }>([
  [0xa1b2c3d4, { little: false, unit: 1e-6 }],
  [0xd4c3b2a1, { little: true, unit: 1e-6 }],
  [0xa1b23c4d, { little: false, unit: 1e-9 }],
  [0x4d3cb2a1, { little: true, unit: 1e-9 }],
]);

/**
 * Reads a pcap or pcapng file. A file that ends early gives what is there (`truncated`).
 *
 * @throws SottoError bad-input, naming the position, for what is no capture or a damaged one; unsupported for link types
 * other than Ethernet, raw IP, Linux cooked and loopback.
 */
export function readCapture(file: Uint8Array): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.byteLength < 24) throw new SottoError("bad-input", "not a capture file: shorter than its header");
  const result: Capture = { packets: [], skipped: 0, truncated: false };
  let start: { seconds: number; fraction: number } | undefined;
  const take = ({ seconds, fraction, link, bytes, wireLength }: Frame) => {
    // times are differences first: seconds since 1970 in a double would lose nanoseconds
    start ??= { seconds, fraction };
    const headers = readFrame(link, bytes, wireLength);
    if (headers === undefined) result.skipped++;
    else
      result.packets.push({
        time: seconds - start.seconds + (fraction - start.fraction),
        ...headers,
      });
  };
  result.truncated = isPcapng(view) ? readPcapng(view, take) : readPcap(view, take);
  return result;
}

/** Returns whether the file ends early. */
function readPcap(view: DataView, take: (frame: Frame) => void): boolean {
  const kind = MAGIC.get(view.getUint32(0));
  if (kind === undefined)
    throw new SottoError("bad-input", "not a capture file: it begins neither like pcap nor like pcapng");
  const { little, unit } = kind;
  // the upper bits say how long a frame check sequence is
  const link = view.getUint32(20, little) & 0xffff;
  checkLink(link);
  let at = 24;
  while (at + 16 <= view.byteLength) {
    const kept = view.getUint32(at + 8, little);
    checkFrameLength(kept, at);
    if (at + 16 + kept > view.byteLength) return true;
    take({
      seconds: view.getUint32(at, little),
      fraction: view.getUint32(at + 4, little) * unit,
      link,
      bytes: frameBytes(view, at + 16, kept),
      wireLength: view.getUint32(at + 12, little),
    });
    at += 16 + kept;
  }
  return at < view.byteLength;
}
