/**
 * What is classified: flows (one connection) and windows (what one host that offers services sees). Addresses and ports
 * are used to group packets and are then forgotten.
 */
import { ACK, type Packet, SYN, TCP, UDP } from "./packet.js";

/** Sizes and times of a connection's packets, as in the set CICDOH20. */
export interface Flow {
  /** Both ends, for people: initiator, responder. */
  name: string;
  /** Seconds since the flow's first packet. */
  times: number[];
  /** Bytes of the IP packet, negative for those towards the initiator. */
  lengths: number[];
}

/** Packets of a flow that the model reads, and how many there must be. */
export const FLOW_PACKETS = { least: 30, most: 100 };
/** A silence that ends a flow, in seconds; the longest within a flow of CICDOH20 is just below. */
const FLOW_IDLE = 0.256;

/** A packet as the window's model sees it. */
export interface WindowPacket {
  /** Seconds since the window's first packet. */
  time: number;
  /** Towards the host that offers the service. */
  inward: boolean;
  udp: boolean;
  flags: number;
  /** Bytes after the transport header. */
  payload: number;
  /** First packet of this window to or from this port of the host. */
  newPort: boolean;
  /** First packet of this window of this connection. */
  newConnection: boolean;
}

/** Consecutive packets of one host, whoever the others are. */
export interface Window {
  /** The host that offers the service, for people. */
  host: string;
  /** Seconds since the capture's first packet. */
  start: number;
  packets: WindowPacket[];
  /** Addresses of the other ends, packet by packet: ground truth of recordings, never a feature. */
  others: string[];
}

/** Packets of a window that the model reads, and how many there must be. */
export const WINDOW_PACKETS = { least: 30, most: 50 };
/** A silence that ends a window, in seconds. */
const WINDOW_IDLE = 10;

/** A packet of which it is known who began. */
interface Directed {
  packet: Packet;
  /** Both ends and the protocol, the same in both directions. */
  connection: string;
  /** From the initiator to the responder. */
  outward: boolean;
}

/** Cuts TCP connections into flows of CICDOH20's kind, in the order of their first packets. */
export function flowsOf(packets: readonly Packet[]): Flow[] {
  const open = new Map<string, { flow: Flow; start: number; last: number }>();
  const flows: Flow[] = [];
  for (const { packet, connection, outward } of directed(packets)) {
    if (packet.protocol !== TCP) continue;
    let current = open.get(connection);
    if (
      current === undefined ||
      packet.time - current.last > FLOW_IDLE ||
      current.flow.times.length === FLOW_PACKETS.most
    ) {
      const [from, to] = [end(packet, outward), end(packet, !outward)];
      current = { flow: { name: `${from} → ${to}`, times: [], lengths: [] }, start: packet.time, last: 0 };
      open.set(connection, current);
      flows.push(current.flow);
    }
    current.last = packet.time;
    current.flow.times.push(packet.time - current.start);
    current.flow.lengths.push(outward ? packet.length : -packet.length);
  }
  return flows.filter((flow) => flow.times.length >= FLOW_PACKETS.least);
}

/** Cuts what each host sees that offers a service (answers, or is asked to) into windows, in the order of their first packets. */
export function windowsOf(packets: readonly Packet[]): Window[] {
  const open = new Map<string, OpenWindow>();
  const windows: OpenWindow[] = [];
  for (const { packet, connection, outward } of directed(packets)) {
    const host = outward ? packet.destination : packet.source;
    let current = open.get(host);
    if (
      current === undefined ||
      packet.time - current.last > WINDOW_IDLE ||
      current.window.packets.length === WINDOW_PACKETS.most
    ) {
      current = new OpenWindow(host, packet.time);
      open.set(host, current);
      windows.push(current);
    }
    current.add(packet, connection, outward);
  }
  return windows.map((w) => w.window).filter((w) => w.packets.length >= WINDOW_PACKETS.least);
}

class OpenWindow {
  readonly window: Window;
  last: number;
  private readonly ports = new Set<string>();
  private readonly connections = new Set<string>();

  constructor(host: string, start: number) {
    this.window = { host, start, packets: [], others: [] };
    this.last = start;
  }

  add(packet: Packet, connection: string, outward: boolean): void {
    const udp = packet.protocol === UDP;
    this.last = packet.time;
    this.window.others.push(outward ? packet.source : packet.destination);
    this.window.packets.push({
      time: packet.time - this.window.start,
      inward: outward,
      udp,
      flags: packet.flags,
      payload: packet.payload,
      newPort: addNew(this.ports, `${udp}${outward ? packet.destinationPort : packet.sourcePort}`),
      newConnection: addNew(this.connections, connection),
    });
  }
}

function addNew(set: Set<string>, value: string): boolean {
  const size = set.size;
  return set.add(value).size > size;
}

/** TCP and UDP packets with their directions. */
function* directed(packets: readonly Packet[]): Generator<Directed> {
  const initiators = new Map<string, string>();
  for (const packet of packets) {
    if (packet.protocol !== TCP && packet.protocol !== UDP) continue;
    const [source, destination] = [end(packet, true), end(packet, false)];
    const connection = [packet.protocol, ...[source, destination].sort()].join(" ");
    let initiator = initiators.get(connection);
    // a lone SYN always begins; ports are used again
    if (initiator === undefined || (packet.flags & (SYN | ACK)) === SYN) {
      initiator = answers(packet) ? destination : source;
      initiators.set(connection, initiator);
    }
    yield { packet, connection, outward: initiator === source };
  }
}

/** Whether the first packet seen of a connection comes from the end that was asked. */
function answers({ flags, sourcePort, destinationPort }: Packet): boolean {
  if (flags & SYN) return (flags & ACK) !== 0;
  // the capture began in the middle: services have the low ports
  return sourcePort < 1024 && destinationPort >= 1024;
}

function end(packet: Packet, source: boolean): string {
  return source ? `${packet.source}:${packet.sourcePort}` : `${packet.destination}:${packet.destinationPort}`;
}
