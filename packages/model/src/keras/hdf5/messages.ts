/**
 * Object headers: what is known about a group or dataset is a list of messages. Numbers of sections are those of
 * the "HDF5 File Format Specification Version 3.0".
 */
import { badModel, unsupported } from "../errors.js";
import type { Bytes } from "./bytes.js";

export interface Message {
  type: number;
  /** Position and size of its data in the file. */
  at: number;
  size: number;
}

export const DATASPACE = 0x01;
export const LINK_INFO = 0x02;
export const DATATYPE = 0x03;
export const LINK = 0x06;
export const LAYOUT = 0x08;
export const FILTERS = 0x0b;
export const ATTRIBUTE = 0x0c;
const CONTINUATION = 0x10;
export const SYMBOL_TABLE = 0x11;
export const ATTRIBUTE_INFO = 0x15;

/** All messages of the object header at an address (IV.A). */
export function readMessages(bytes: Bytes, address: number): Message[] {
  if (bytes.uint(address, 1) === 1) return version1(bytes, address);
  bytes.signature(address, "OHDR");
  return version2(bytes, address);
}

function version1(bytes: Bytes, address: number): Message[] {
  const messages: Message[] = [];
  const total = bytes.uint(address + 2, 2);
  const blocks: [number, number][] = [[address + 16, bytes.uint(address + 8, 4)]];
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    const [from, length] = block;
    let at = from;
    while (at + 8 <= from + length && messages.length < total) {
      bytes.spend(8);
      const message = { type: bytes.uint(at, 2), at: at + 8, size: bytes.uint(at + 2, 2) };
      refuseShared(bytes.uint(at + 4, 1), message.type);
      messages.push(message);
      if (message.type === CONTINUATION)
        blocks.push([bytes.uint(message.at, 8), bytes.uint(message.at + 8, 8)]);
      at = message.at + message.size;
    }
  }
  return messages;
}

function version2(bytes: Bytes, address: number): Message[] {
  const flags = bytes.uint(address + 5, 1);
  let at = address + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const sizeOf = 1 << (flags & 3);
  const head = flags & 4 ? 6 : 4;
  const messages: Message[] = [];
  const blocks: [number, number][] = [[at + sizeOf, bytes.uint(at, sizeOf)]];
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    const end = block[0] + block[1];
    at = block[0];
    while (at + head <= end) {
      bytes.spend(8);
      const message = { type: bytes.uint(at, 1), at: at + head, size: bytes.uint(at + 1, 2) };
      refuseShared(bytes.uint(at + 3, 1), message.type);
      messages.push(message);
      if (message.type === CONTINUATION) {
        const [start, length] = [bytes.uint(message.at, 8), bytes.uint(message.at + 8, 8)];
        bytes.signature(start, "OCHK");
        // Between the signature and the checksum.
        blocks.push([start + 4, length - 8]);
      }
      at = message.at + message.size;
    }
  }
  return messages;
}

function refuseShared(flags: number, type: number): void {
  if (flags & 2) unsupported(`HDF5: a shared message of type ${type}; Keras does not write these`);
}

/** Sizes along each axis (IV.A.2.b); undefined for a null dataspace. */
export function readDataspace(bytes: Bytes, at: number): number[] | undefined {
  const version = bytes.uint(at, 1);
  const rank = bytes.uint(at + 1, 1);
  if (version !== 1 && version !== 2) badModel(`HDF5: dataspace of version ${version}`);
  if (version === 2 && bytes.uint(at + 3, 1) === 2) return undefined;
  const from = at + (version === 1 ? 8 : 4);
  return Array.from({ length: rank }, (_, i) => bytes.uint(from + 8 * i, 8));
}

export type Datatype =
  | { kind: "integer"; size: number; signed: boolean; bigEndian: boolean }
  | { kind: "float"; size: number; bigEndian: boolean; exponent: number }
  | { kind: "string"; size: number }
  | { kind: "text"; size: number }
  | { kind: "other"; size: number; name: string };

/** What an element is (IV.A.2.d): "string" of fixed length, "text" a reference to one of any length. */
export function readDatatype(bytes: Bytes, at: number): Datatype {
  const kind = bytes.uint(at, 1) & 15;
  const bits = bytes.uint(at + 1, 1);
  const size = bytes.uint(at + 4, 4);
  if (kind === 0) return { kind: "integer", size, signed: (bits & 8) !== 0, bigEndian: (bits & 1) !== 0 };
  if (kind === 1)
    return { kind: "float", size, bigEndian: (bits & 1) !== 0, exponent: bytes.uint(at + 8 + 5, 1) };
  if (kind === 3) return { kind: "string", size };
  if (kind === 9 && (bits & 15) === 1) return { kind: "text", size };
  const names = [
    "",
    "",
    "time",
    "",
    "bit field",
    "opaque",
    "compound",
    "reference",
    "enumeration",
    "list",
    "array",
  ];
  return { kind: "other", size, name: names[kind] || `class ${kind}` };
}
