/**
 * Frames to packets: the link layers that captures usually have (https://www.tcpdump.org/linktypes.html), IPv4 (RFC 791),
 * IPv6 (RFC 8200), TCP and UDP. Every loop moves forward in the frame, and nothing outside it is read.
 */
import { type Packet, TCP, UDP } from "./packet.js";

/** A frame's packet but its time; undefined for what is no IP packet or has no whole header. */
export type Headers = Omit<Packet, "time">;

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** IEEE 802.1Q, 802.1ad and an older number of it. */
const VLAN = new Set([0x8100, 0x88a8, 0x9100]);

/** Readers by link type. */
const LINKS: Record<number, (frame: DataView, wireLength: number) => Headers | undefined> = {
  0: (f, n) => loopback(f, n), // BSD loopback, address family in the byte order of the capturing host
  1: (f, n) => etherType(f, 12, n), // Ethernet
  12: (f, n) => ip(f, 0, n), // raw IP, as some systems number it
  14: (f, n) => ip(f, 0, n),
  101: (f, n) => ip(f, 0, n), // raw IP
  108: (f, n) => loopback(f, n), // OpenBSD loopback
  113: (f, n) => etherType(f, 14, n), // Linux cooked
  228: (f, n) => ip(f, 0, n), // raw IPv4
  229: (f, n) => ip(f, 0, n), // raw IPv6
  276: (f, n) => linuxCooked2(f, n),
};

export const LINK_NAMES = "Ethernet, raw IP, Linux cooked and loopback";

export function isKnownLink(link: number): boolean {
  return Object.hasOwn(LINKS, link);
}

/** @param wireLength bytes of the frame before the capture cut it */
export function readFrame(link: number, frame: DataView, wireLength: number): Headers | undefined {
  return LINKS[link]?.(frame, wireLength);
}

function loopback(frame: DataView, wireLength: number): Headers | undefined {
  return frame.byteLength < 4 ? undefined : ip(frame, 4, wireLength);
}

function linuxCooked2(frame: DataView, wireLength: number): Headers | undefined {
  if (frame.byteLength < 20) return undefined;
  const type = frame.getUint16(0);
  return type === IPV4 || type === IPV6 ? ip(frame, 20, wireLength) : undefined;
}

/** @param at where the EtherType is */
function etherType(frame: DataView, at: number, wireLength: number): Headers | undefined {
  for (let i = at; i + 2 <= frame.byteLength; i += 4) {
    const type = frame.getUint16(i);
    if (type === IPV4 || type === IPV6) return ip(frame, i + 2, wireLength);
    if (!VLAN.has(type)) return undefined;
  }
  return undefined;
}

function ip(frame: DataView, at: number, wireLength: number): Headers | undefined {
  if (at >= frame.byteLength) return undefined;
  const version = frame.getUint8(at) >> 4;
  if (version === 4) return ipv4(frame, at, wireLength - at);
  if (version === 6) return ipv6(frame, at, wireLength - at);
  return undefined;
}

function ipv4(frame: DataView, at: number, onWire: number): Headers | undefined {
  if (at + 20 > frame.byteLength) return undefined;
  const header = 4 * (frame.getUint8(at) & 15);
  if (header < 20) return undefined;
  // 0 where the network card was to cut a large packet
  const length = frame.getUint16(at + 2) || onWire;
  if (length < header) return undefined;
  const fragment = (frame.getUint16(at + 6) & 0x1fff) !== 0;
  return transport(frame, at + header, {
    protocol: frame.getUint8(at + 9),
    source: address4(frame, at + 12),
    destination: address4(frame, at + 16),
    length,
    left: length - header,
    fragment,
  });
}

/** IPv6 headers before the transport's, of 8 (n + 1) bytes: hop-by-hop, routing, destination, mobility. */
const EXTENSIONS = new Set([0, 43, 60, 135]);
const FRAGMENT = 44;
const AUTHENTICATION = 51;

function ipv6(frame: DataView, at: number, onWire: number): Headers | undefined {
  if (at + 40 > frame.byteLength) return undefined;
  const length = 40 + (frame.getUint16(at + 4) || Math.max(0, onWire - 40));
  let protocol = frame.getUint8(at + 6);
  let next = at + 40;
  let fragment = false;
  while (!fragment && next + 8 <= frame.byteLength) {
    const size = frame.getUint8(next + 1);
    let skip: number;
    if (EXTENSIONS.has(protocol)) skip = 8 * (size + 1);
    else if (protocol === AUTHENTICATION) skip = 4 * (size + 2);
    else if (protocol === FRAGMENT) {
      skip = 8;
      fragment = frame.getUint16(next + 2) >> 3 !== 0;
    } else break;
    protocol = frame.getUint8(next);
    next += skip;
  }
  const left = length - (next - at);
  if (left < 0) return undefined;
  const source = address6(frame, at + 8);
  const destination = address6(frame, at + 24);
  return transport(frame, next, { protocol, source, destination, length, left, fragment });
}

interface Datagram {
  protocol: number;
  source: string;
  destination: string;
  length: number;
  /** Bytes after the IP header. */
  left: number;
  fragment: boolean;
}

function transport(frame: DataView, at: number, datagram: Datagram): Headers | undefined {
  const { left, fragment, ...rest } = datagram;
  const bare = { ...rest, sourcePort: 0, destinationPort: 0, payload: left, flags: 0 };
  const { protocol } = rest;
  if (fragment || (protocol !== TCP && protocol !== UDP)) return bare;
  const least = protocol === TCP ? 20 : 8;
  // TCP's flags are in the 14th byte: captures that kept no more are of use too
  if (left < least || at + (protocol === TCP ? 14 : 4) > frame.byteLength) return undefined;
  const header = protocol === TCP ? 4 * (frame.getUint8(at + 12) >> 4) : 8;
  if (header < least || header > left) return undefined;
  return {
    ...bare,
    sourcePort: frame.getUint16(at),
    destinationPort: frame.getUint16(at + 2),
    payload: left - header,
    flags: protocol === TCP ? frame.getUint8(at + 13) : 0,
  };
}

function address4(frame: DataView, at: number): string {
  return [0, 1, 2, 3].map((i) => frame.getUint8(at + i)).join(".");
}

/** All eight groups, without the abbreviations: it only has to be the same for the same address. */
function address6(frame: DataView, at: number): string {
  return [0, 2, 4, 6, 8, 10, 12, 14].map((i) => frame.getUint16(at + i).toString(16)).join(":");
}
