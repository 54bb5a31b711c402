/** What both capture formats have: frames, and what is checked of them before they are read. */
import { SottoError } from "@sotto/core";
import { isKnownLink, LINK_NAMES } from "./link.js";

/** One captured frame, its time in seconds since 1970 as whole seconds and a fraction. */
export interface Frame {
  seconds: number;
  fraction: number;
  link: number;
  bytes: DataView;
  /** Bytes before the capture cut it. */
  wireLength: number;
}

/** Longest frame: Wireshark's limit for most link types; longer ones are damage. */
export const MAX_FRAME = 262_144;

export function frameBytes(view: DataView, at: number, length: number): DataView {
  return new DataView(view.buffer, view.byteOffset + at, length);
}

export function checkLink(link: number): void {
  if (!isKnownLink(link))
    throw new SottoError("unsupported", `captures of link type ${link}: use ${LINK_NAMES}`);
}

export function checkFrameLength(length: number, at: number): void {
  if (length > MAX_FRAME)
    throw new SottoError(
      "bad-input",
      `damaged capture: the record at byte ${at} says it is ${length} bytes long, more than ${MAX_FRAME}`,
    );
}
