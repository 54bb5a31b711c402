/**
 * Packets to the numbers that the models read, in training, in the experiments and in the page: this file is the only place
 * where that is said. Every feature is within ±2.
 */
import { FLOW_PACKETS, type Flow, type Window } from "./flows.js";
import { FIN, RST, SYN } from "./packet.js";

/** A model's input for one sample: batch, steps, features. */
export interface Features {
  shape: [1, number, number];
  data: Float32Array;
}

/** Declared to the compiler for both models: |x| <= RANGE. */
export const RANGE = 2;

/**
 * Lengths at which the hat functions of `flowFeatures` have their tops, in bytes: close together where acknowledgements and
 * short records of TLS lie, whose exact lengths tell the tunnels apart.
 */
export const LENGTHS = [
  40, 46, 52, 58, 64, 74, 84, 92, 104, 122, 134, 146, 158, 172, 200, 244, 290, 360, 420, 500, 600, 800, 1100,
  1500,
];

export const FLOW_FEATURES = 5 + LENGTHS.length;
export const WINDOW_FEATURES = 9;

/** Bytes of the longest packet of Ethernet: network cards join longer ones, which no network carried. */
const MTU = LENGTHS.at(-1)!;
/** Bytes of the smallest packet of TCP over IPv4. */
const SMALLEST = LENGTHS[0]!;

/**
 * Of a flow, for each of its first 100 packets: direction, signed length, signed logarithm of the length, logarithms of the
 * time since the packet before and since the first; and the length in hat functions (linear splines): its share of the two
 * entries of LENGTHS around it, with the sign of the direction.
 */
export function flowFeatures(flow: Flow): Features {
  const steps = Math.min(flow.times.length, FLOW_PACKETS.most);
  const rows: number[][] = [];
  for (let i = 0; i < steps; i++) {
    const signed = flow.lengths[i]!;
    const length = clip(Math.abs(signed), SMALLEST, MTU);
    const sign = Math.sign(signed);
    const time = flow.times[i]!;
    rows.push([
      sign,
      (sign * length) / MTU,
      (sign * Math.log2(length / SMALLEST)) / 5,
      logSeconds(time - (flow.times[i - 1] ?? time)),
      logSeconds(time - flow.times[0]!),
      ...LENGTHS.map((_, at) => sign * hat(length, at)),
    ]);
  }
  return matrix(rows, FLOW_FEATURES);
}

/**
 * Of a window, for each packet: direction, UDP or TCP, SYN, FIN, RST, size, logarithm of the time since the packet before,
 * whether the port of the host is new in this window, whether the connection is.
 */
export function windowFeatures(window: Pick<Window, "packets">): Features {
  const rows = window.packets.map((packet, i) => {
    const before = window.packets[i - 1] ?? packet;
    return [
      packet.inward ? 1 : -1,
      packet.udp ? 1 : 0,
      packet.flags & SYN ? 1 : 0,
      packet.flags & FIN ? 1 : 0,
      packet.flags & RST ? 1 : 0,
      Math.log2(1 + clip(packet.payload, 0, 65535)) / 8,
      logSeconds(packet.time - before.time),
      packet.newPort ? 1 : 0,
      packet.newConnection ? 1 : 0,
    ];
  });
  return matrix(rows, WINDOW_FEATURES);
}

/** A microsecond is -1, a millisecond 0, a second 1; no time, or less than a microsecond, is -1 too. */
function logSeconds(seconds: number): number {
  return clip(Math.log10(Math.max(seconds, 1e-6)) / 3 + 1, -1, 2);
}

/** 1 where the length is an entry of LENGTHS, falling to 0 at its neighbours. */
function hat(length: number, at: number): number {
  const top = LENGTHS[at]!;
  const next = LENGTHS[length < top ? at - 1 : at + 1];
  return next === undefined
    ? Number(length === top)
    : clip(1 - Math.abs((length - top) / (next - top)), 0, 1);
}

function clip(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

function matrix(rows: number[][], features: number): Features {
  return { shape: [1, rows.length, features], data: Float32Array.from(rows.flat()) };
}
