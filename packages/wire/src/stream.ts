/**
 * What a client and a server say to each other over a WebSocket. docs/protocol.md, "Streams".
 *
 * Text messages are JSON: the client's first one opens the stream, the server's answer says that it is open, and an error
 * ends it. Binary messages, after that, are a chunk's input share, and the server's output share for it.
 *
 *   client: u32 number | input share
 *   server: u32 number | u32 length | JSON of the chunk's figures | output share      (little-endian)
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { SottoError } from "@sotto/core";
import * as z from "zod/mini";
import { statedError } from "./codes.js";
import { hex32, id, lookBytes, sizes } from "./messages.js";

/** WebSocket subprotocol: the version of these messages. */
export const STREAM_PROTOCOL = "sotto.stream.v1";

const MAX_STEPS = 2 ** 24;

/** The client's first message. It may carry what a browser cannot put into a header. */
export const streamOpen = z.object({
  type: z.literal("open"),
  /** Drawn by the client, the same for both servers. */
  stream: id,
  /** Hash of the plan that the client expects. */
  plan: hex32,
  /** Sizes that the model leaves open, but for that of time. */
  sizes,
  /** Time steps of each chunk. */
  steps: z.int().check(z.minimum(1), z.maximum(MAX_STEPS)),
  /** Bytes of the other server's first message to show for each chunk; of openings of the input alone. */
  look: z.optional(lookBytes),
  /** Whether to tell for each chunk when its rounds were over. */
  roundTimes: z.optional(z.boolean()),
  /** A bearer token, for servers that take one in place of a certificate. */
  token: z.optional(z.string().check(z.maxLength(4096))),
});
export type StreamOpen = z.infer<typeof streamOpen>;

/** The server's messages in text. */
export const streamState = z.discriminatedUnion("type", [
  /** @param inFlight chunks that may be on their way at the same time. */
  z.object({ type: z.literal("opened"), inFlight: z.int().check(z.minimum(1)), idleMs: z.number() }),
  z.object({ type: z.literal("error"), ...statedError.shape }),
]);
export type StreamState = z.infer<typeof streamState>;

/** The session that runs a chunk: both servers derive the same one. @param stream its id. */
export function chunkSession(stream: string, number: number): string {
  const digest = sha256(utf8ToBytes(`sotto/1|stream|${stream}|${number}`));
  return bytesToHex(digest.subarray(0, 16));
}

export function encodeStep(number: number, share: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + share.length);
  new DataView(bytes.buffer).setUint32(0, number, true);
  bytes.set(share, 4);
  return bytes;
}

/** @throws SottoError protocol */
export function decodeStep(bytes: Uint8Array): { number: number; share: Uint8Array } {
  if (bytes.length < 4) throw new SottoError("protocol", `a chunk of ${bytes.length} bytes has no number`);
  return {
    number: new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true),
    share: bytes.subarray(4),
  };
}

export function encodeStepResult(number: number, figures: unknown, share: Uint8Array): Uint8Array {
  const json = utf8ToBytes(JSON.stringify(figures));
  const bytes = new Uint8Array(8 + json.length + share.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number, true);
  view.setUint32(4, json.length, true);
  bytes.set(json, 8);
  bytes.set(share, 8 + json.length);
  return bytes;
}

/** @throws SottoError protocol */
export function decodeStepResult(bytes: Uint8Array): { number: number; figures: unknown; share: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = bytes.length >= 8 ? view.getUint32(4, true) : 0;
  if (bytes.length < 8 || 8 + length > bytes.length)
    throw new SottoError("protocol", `a result of ${bytes.length} bytes is cut off`);
  let figures: unknown;
  try {
    figures = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  } catch {
    throw new SottoError("protocol", "the figures of a result are not JSON");
  }
  return { number: view.getUint32(0, true), figures, share: bytes.subarray(8 + length) };
}
