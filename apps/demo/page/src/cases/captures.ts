/** What a capture is, in words. */
import { type Capture, WINDOW_PACKETS, type Window } from "@sotto/example-packets";
import { count } from "../words.js";

/** What of a capture is classified, and what is not. */
export function about({ packets, skipped, truncated }: Capture, windows: readonly Window[]): string {
  const { least, most } = WINDOW_PACKETS;
  const others = skipped > 0 ? ` Left out: ${count(skipped, "frame")} without an IP packet to read.` : "";
  const cut = truncated ? " The file ends in the middle of a packet, which is left out." : "";
  const all = count(packets.length, "packet");
  if (packets.length === 0) return `No IP packet in this file: nothing to classify.${others}${cut}`;
  if (windows.length === 0)
    return `${all}, but no host with ${least} of them in a row: nothing to classify.${others}${cut}`;
  const inside = windows.reduce((n, window) => n + window.packets.length, 0);
  const where = `${inside === packets.length ? "all" : inside.toLocaleString("en")} of them in ${windows.length === 1 ? "one window" : `${windows.length} windows`}`;
  const rest = inside === packets.length ? "" : "; fewer than that are left out";
  return `${all}, ${where}. A window is ${least} to ${most} packets in a row at one host${rest}.${others}${cut}`;
}

/**
 * What the visitor has before there is an answer.
 * @param wrong whether the file cannot be read.
 * @param note what is said of the capture; nothing before it is read.
 */
export function unsent(wrong: boolean, note: string, windows: number): string {
  if (wrong) return "Nothing that could be sent: the file cannot be read.";
  if (note === "") return "The capture is being read.";
  return windows === 0 ? "A capture without a window: nothing is sent." : "A window, on its way.";
}
