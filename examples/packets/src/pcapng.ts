/** pcapng (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html): sections, interfaces, and the three packet blocks. */
import { SottoError } from "@sotto/core";
import { checkFrameLength, checkLink, type Frame, frameBytes, MAX_FRAME } from "./frame.js";

const SECTION = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

/** Option of an interface: what part of a second its times count. */
const TSRESOL = 9;
/** Option of an interface: seconds to add to its times. */
const TSOFFSET = 14;

interface Interface {
  link: number;
  snapLength: number;
  /** Units in a second. */
  perSecond: bigint;
  offset: number;
}

export function isPcapng(view: DataView): boolean {
  return view.byteLength >= 12 && view.getUint32(0) === SECTION;
}

/** Returns whether the file ends early. */
export function readPcapng(view: DataView, take: (frame: Frame) => void): boolean {
  let little = false;
  let interfaces: Interface[] = [];
  let at = 0;
  while (at + 12 <= view.byteLength) {
    const section = view.getUint32(at) === SECTION;
    if (section) {
      little = byteOrder(view, at);
      interfaces = [];
    }
    const type = view.getUint32(at, little);
    const size = view.getUint32(at + 4, little);
    if (size < 12 || size % 4 !== 0) throw damaged(at, `says it is ${size} bytes long`);
    if (at + size > view.byteLength) return true;
    if (view.getUint32(at + size - 4, little) !== size)
      throw damaged(at, "ends with another length than it begins with");
    const body = frameBytes(view, at + 8, size - 12);
    if (!section) readBlock(type, body, little, at, interfaces, take);
    at += size;
  }
  return at < view.byteLength;
}

function byteOrder(view: DataView, at: number): boolean {
  for (const little of [true, false]) if (view.getUint32(at + 8, little) === BYTE_ORDER) return little;
  throw damaged(at, "begins a section without its byte order");
}

function readBlock(
  type: number,
  body: DataView,
  little: boolean,
  at: number,
  interfaces: Interface[],
  take: (frame: Frame) => void,
): void {
  const least = { [INTERFACE]: 8, [OBSOLETE_PACKET]: 20, [SIMPLE_PACKET]: 4, [ENHANCED_PACKET]: 20 }[type];
  if (least === undefined) return; // statistics, names, comments and what else there may be
  if (body.byteLength < least) throw damaged(at, "is too short for its kind");
  if (type === INTERFACE) {
    interfaces.push(readInterface(body, little));
    return;
  }
  const simple = type === SIMPLE_PACKET;
  const number = simple
    ? 0
    : type === ENHANCED_PACKET
      ? body.getUint32(0, little)
      : body.getUint16(0, little);
  const source = interfaces[number];
  if (source === undefined) throw damaged(at, `is of interface ${number}, which is not described`);
  checkLink(source.link);
  const wireLength = body.getUint32(simple ? 0 : 16, little);
  // a simple packet's block may be padded to a multiple of 4 beyond what was kept
  const kept = simple
    ? Math.min(wireLength, source.snapLength, body.byteLength - 4)
    : body.getUint32(12, little);
  checkFrameLength(kept, at);
  if (least + kept > body.byteLength) throw damaged(at, `says it has ${kept} bytes of a packet`);
  // nanoseconds since 1970 need more bits than a double has; the upper half comes first in both byte orders
  const ticks = simple ? 0n : (BigInt(body.getUint32(4, little)) << 32n) | BigInt(body.getUint32(8, little));
  take({
    seconds: Number(ticks / source.perSecond) + source.offset,
    fraction: Number(ticks % source.perSecond) / Number(source.perSecond),
    link: source.link,
    bytes: frameBytes(body, least, kept),
    wireLength,
  });
}

function readInterface(body: DataView, little: boolean): Interface {
  const snapLength = body.getUint32(4, little) || MAX_FRAME;
  const result = { link: body.getUint16(0, little), snapLength, perSecond: 1_000_000n, offset: 0 };
  for (let at = 8; at + 4 <= body.byteLength; ) {
    const code = body.getUint16(at, little);
    const length = body.getUint16(at + 2, little);
    const value = at + 4;
    if (code === 0 || value + length > body.byteLength) break;
    if (code === TSRESOL && length === 1) {
      const exponent = body.getUint8(value);
      result.perSecond = exponent & 0x80 ? 2n ** BigInt(exponent & 0x7f) : 10n ** BigInt(exponent);
    } else if (code === TSOFFSET && length === 8) {
      result.offset = Number(body.getBigInt64(value, little));
    }
    at = value + 4 * Math.ceil(length / 4);
  }
  return result;
}

function damaged(at: number, what: string): SottoError {
  return new SottoError("bad-input", `damaged capture: the block at byte ${at} ${what}`);
}
