/**
 * Copies the beginnings of recordings, as small captures for the page and for tests:
 *
 *   node record/cut.mjs RECORDINGS/test samples
 *
 * Of session 12 of each kind, which is of the test part and has nothing beside an attack.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Packets: two windows of normal traffic, one and a bit of an attack. */
const PACKETS = { normal: 100, scan: 60, flood: 60 };

const [from, to] = process.argv.slice(2);
if (to === undefined) throw new Error("usage: node record/cut.mjs FROM TO");
await mkdir(to, { recursive: true });
for (const file of (await readdir(from)).filter((f) => f.endsWith("-12.pcap")).sort()) {
  const [kind, name] = file.split("-");
  const bytes = await readFile(join(from, file));
  let end = 24; // the file's header; tcpdump writes this machine's byte order
  for (let i = 0; i < PACKETS[kind] && end < bytes.length; i++) end += 16 + bytes.readUInt32LE(end + 8);
  await writeFile(join(to, `${kind}-${name}.pcap`), bytes.subarray(0, end));
}
