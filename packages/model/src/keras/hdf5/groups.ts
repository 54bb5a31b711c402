import { badModel, quote, unsupported } from "../errors.js";
import { type Bytes, text } from "./bytes.js";
import { LINK, LINK_INFO, type Message, SYMBOL_TABLE } from "./messages.js";

/** The addresses of a group's members by name; soft and external links are left out. */
export function childAddresses(
  bytes: Bytes,
  messages: readonly Message[],
  path: string,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const { type, at } of messages) {
    if (type === SYMBOL_TABLE) symbolTable(bytes, bytes.uint(at, 8), bytes.uint(at + 8, 8), found);
    if (type === LINK) link(bytes, at, found);
    if (type === LINK_INFO && Number.isFinite(bytes.uint(at + (bytes.uint(at + 1, 1) & 1 ? 10 : 2), 8)))
      unsupported(
        `HDF5: group ${quote(path)} is stored in the newer dense form; load the model in Keras and save it again`,
      );
  }
  return found;
}

/** III.A.1: a B-tree whose leaves are tables of names, which are in a local heap (III.D). */
function symbolTable(bytes: Bytes, tree: number, heap: number, found: Map<string, number>): void {
  bytes.signature(heap, "HEAP");
  const names = bytes.uint(heap + 24, 8);
  const namesEnd = names + bytes.uint(heap + 8, 8);
  const nodes = [tree];
  for (let at = nodes.pop(); at !== undefined; at = nodes.pop()) {
    bytes.spend(64);
    if (String.fromCharCode(...bytes.slice(at, 4)) === "TREE") {
      if (bytes.uint(at + 4, 1) !== 0) badModel("HDF5: a group's tree is of another type");
      const used = bytes.uint(at + 6, 2);
      bytes.spend(16 * used);
      // Keys and children alternate.
      for (let i = used - 1; i >= 0; i--) nodes.push(bytes.uint(at + 32 + 16 * i, 8));
      continue;
    }
    bytes.signature(at, "SNOD");
    const used = bytes.uint(at + 6, 2);
    for (let i = 0; i < used; i++) {
      bytes.spend(40);
      const entry = at + 8 + 40 * i;
      const name = bytes.name(names + bytes.uint(entry, 8), namesEnd);
      // Cache type 2: a soft link.
      if (bytes.uint(entry + 16, 4) !== 2) found.set(name, bytes.uint(entry + 8, 8));
    }
  }
}

/** IV.A.2.g: one member, in groups of files by newer settings. */
function link(bytes: Bytes, from: number, found: Map<string, number>): void {
  const flags = bytes.uint(from + 1, 1);
  let at = from + 2;
  const type = flags & 8 ? bytes.uint(at++, 1) : 0;
  if (flags & 4) at += 8;
  if (flags & 16) at += 1;
  const sizeOf = 1 << (flags & 3);
  const length = bytes.uint(at, sizeOf);
  bytes.spend(length);
  const name = text(bytes.slice(at + sizeOf, length));
  if (type === 0) found.set(name, bytes.uint(at + sizeOf + length, 8));
}
