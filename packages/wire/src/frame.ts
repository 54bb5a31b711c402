/**
 * Binary frames between the parties.
 *
 *   bytes 0..3   length of the payload    (all little-endian)
 *   bytes 4..7   number: a round from 1, a stage or a piece from 0; 0 in control frames
 *   bytes 8..15  tag: what the payload belongs to; 0 in control frames, whose payload is UTF-8 JSON
 *
 * The tag is the beginning of SHA-256 over kind, id, run hash and direction: a frame of another session, plan,
 * size, direction or kind has another tag, so that it cannot be mistaken for the one expected. It is not a MAC:
 * TLS authenticates the bytes, the tag says what they are.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { SottoError } from "@sotto/core";

export const HEADER_BYTES = 16;

/** Bound of a payload, unless a channel is given another. */
export const DEFAULT_MAX_PAYLOAD = 64 * 2 ** 20;

/** Who a certificate says one is: its subject's common name. */
export const ROLES = ["dealer", "server-0", "server-1", "owner", "client"] as const;
export type Role = (typeof ROLES)[number];

/** What a data frame carries: a round's openings, a stage's corrections, a piece of a set-up message. */
export type FrameKind = "round" | "corrections" | "setup";

/** The eight bytes of a tag, as a little-endian number. */
export type Tag = bigint;

export const CONTROL_TAG: Tag = 0n;

/** A frame as it came; the payload may be a view of a larger buffer, and is not copied. */
export interface Frame {
  number: number;
  tag: Tag;
  payload: Uint8Array;
}

/**
 * The tag of one stream of frames.
 * @param id deal id or set-up id, hex. @param hash run hash or, for set-up, plan hash, hex.
 */
export function frameTag(kind: FrameKind, id: string, hash: string, from: Role, to: Role): Tag {
  const digest = sha256(utf8ToBytes(["sotto/1", kind, id, hash, `${from}>${to}`].join("|")));
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0, true);
}

/** Fills in the header of a frame whose payload is in place behind it. */
export function writeHeader(frame: Uint8Array, number: number, tag: Tag): void {
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES);
  view.setUint32(0, frame.length - HEADER_BYTES, true);
  view.setUint32(4, number, true);
  view.setBigUint64(8, tag, true);
}

/** A frame around a copy of a payload. */
export function dataFrame(number: number, tag: Tag, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  frame.set(payload, HEADER_BYTES);
  writeHeader(frame, number, tag);
  return frame;
}

/** A tag as people read it. */
export function tagText(tag: Tag): string {
  return tag.toString(16).padStart(16, "0");
}

/** Puts frames together from the chunks in which a stream delivers them. */
export class FrameDecoder {
  private readonly onFrame: (frame: Frame) => void;
  private readonly maxPayload: number;
  private readonly header = new Uint8Array(HEADER_BYTES);
  private readonly view = new DataView(this.header.buffer);
  private headerLength = 0;
  private missing = 0;
  // memory grows with what has arrived, never with what a header claims
  private parts: Uint8Array[] = [];
  private stopped = false;

  constructor(onFrame: (frame: Frame) => void, maxPayload = DEFAULT_MAX_PAYLOAD) {
    this.onFrame = onFrame;
    this.maxPayload = maxPayload;
  }

  /** Whether the stream may end here: no frame has begun. */
  get atBoundary(): boolean {
    return this.headerLength === 0;
  }

  /** No more frames are delivered, also from the chunk being read. */
  stop(): void {
    this.stopped = true;
    this.parts = [];
  }

  /**
   * Takes the next chunk and delivers every frame that it completes. The chunk is kept where payloads refer to it.
   * @throws SottoError protocol when a header claims more than the bound; the stream cannot be read on after that.
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (!this.stopped) {
      if (this.headerLength < HEADER_BYTES) {
        const n = Math.min(HEADER_BYTES - this.headerLength, chunk.length - at);
        this.header.set(chunk.subarray(at, at + n), this.headerLength);
        this.headerLength += n;
        at += n;
        if (this.headerLength < HEADER_BYTES) return;
        this.missing = this.view.getUint32(0, true);
        if (this.missing > this.maxPayload) {
          this.stop();
          throw new SottoError(
            "protocol",
            `a frame claims a payload of ${this.missing} bytes; at most ${this.maxPayload} are accepted`,
          );
        }
      }
      const n = Math.min(this.missing, chunk.length - at);
      if (n > 0) {
        this.parts.push(chunk.subarray(at, at + n));
        this.missing -= n;
        at += n;
      }
      if (this.missing > 0) return;
      this.deliver();
    }
  }

  private deliver(): void {
    const payload = this.parts.length === 1 ? this.parts[0]! : joined(this.parts);
    this.parts = [];
    this.headerLength = 0;
    this.onFrame({ number: this.view.getUint32(4, true), tag: this.view.getBigUint64(8, true), payload });
  }
}

/** The parts one after the other, in one piece of memory. */
function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
