import { readCapture, windowsOf } from "@sotto/example-packets";
import { expect, it } from "vitest";
import { about, unsent } from "./captures.js";

const ETHERNET = 14;

/** A pcap file of so many packets of one UDP connection; then frames of which nothing can be read. */
function pcap(packets: number, others = 0): Uint8Array {
  const header = new Uint8Array(24);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0xa1b2c3d4);
  view.setUint32(20, 1);
  const frame = new Uint8Array(ETHERNET + 28);
  frame.set([0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 12);
  frame.set([0x9c, 0x40, 0, 53, 0, 8, 0, 0], ETHERNET + 20);
  const record = (bytes: Uint8Array) => {
    const head = new DataView(new ArrayBuffer(16));
    head.setUint32(8, bytes.length);
    head.setUint32(12, bytes.length);
    return [...new Uint8Array(head.buffer), ...bytes];
  };
  const records = [...Array(packets + others).keys()].flatMap((i) =>
    record(i < packets ? frame : new Uint8Array(ETHERNET)),
  );
  return Uint8Array.from([...header, ...records]);
}

function words(file: Uint8Array): string {
  const capture = readCapture(file);
  return about(capture, windowsOf(capture.packets));
}

it.each([
  [pcap(30), "30 packets, all of them in one window. A window is 30 to 50 packets in a row at one host."],
  [pcap(1), "1 packet, but no host with 30 of them in a row: nothing to classify."],
  [pcap(0), "No IP packet in this file: nothing to classify."],
  [
    pcap(0, 1),
    "No IP packet in this file: nothing to classify. Left out: 1 frame without an IP packet to read.",
  ],
])("says what of a capture is classified (%#)", (file, text) => {
  expect(words(file)).toBe(text);
});

it("says that a file is cut off, and reads what comes before", () => {
  const [whole, cut] = [pcap(60), pcap(60).subarray(0, -1)];
  expect(words(whole)).toBe(
    "60 packets, 50 of them in one window. A window is 30 to 50 packets in a row at one host; fewer than that are left out.",
  );
  expect(words(cut)).toMatch(
    /^59 packets, 50 of them .* left out\. The file ends in the middle of a packet, which is left out\.$/,
  );
  expect(words(pcap(1).subarray(0, -1))).toBe(
    "No IP packet in this file: nothing to classify. The file ends in the middle of a packet, which is left out.",
  );
});

it("says what there is before an answer", () => {
  expect(unsent(true, "", 0)).toMatch(/cannot be read/);
  expect(unsent(false, "", 0)).toMatch(/is being read/);
  expect(unsent(false, words(pcap(1)), 0)).toMatch(/without a window: nothing is sent/);
  expect(unsent(false, words(pcap(30)), 1)).toMatch(/on its way/);
});
