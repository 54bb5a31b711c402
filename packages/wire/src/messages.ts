/**
 * Control messages: everything between the parties that is not words of a round, a stage or a set-up.
 * docs/protocol.md, "Sessions". Ids are fresh and random; `plan` is a plan's hash unless said otherwise.
 */
import { SottoError } from "@sotto/core";
import * as z from "zod/mini";
import { errorCode } from "./codes.js";
import { CONTROL_TAG, HEADER_BYTES, ROLES, writeHeader } from "./frame.js";
import { issuesText } from "./issues.js";
import { readJson } from "./json.js";

/** Raised when frames or messages change their meaning. */
export const PROTOCOL_VERSION = 2;

/** Longest name of a model; a name is also a file's name. */
export const modelName = z
  .string()
  .check(
    z.regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
      "expected 1 to 100 letters, digits, dots, dashes or underscores",
    ),
  );

/** 16 random bytes, hex: a session, a deal, a set-up, a deployment, a start of a process. */
export const id = z.string().check(z.regex(/^[0-9a-f]{32}$/, "expected 32 hex digits"));
/** SHA-256 or a seed, hex. */
export const hex32 = z.string().check(z.regex(/^[0-9a-f]{64}$/, "expected 64 hex digits"));

const MAX_SIZE = 2 ** 24;
export const sizes = z.record(
  z.string().check(z.maxLength(200)),
  z.int().check(z.minimum(0), z.maximum(MAX_SIZE)),
);

/** Bytes of openings that a server shows a client at most; a header has room for them. */
export const MAX_LOOK = 2048;
/** How many of them a client asks for. */
export const lookBytes = z.int().check(z.minimum(0), z.maximum(MAX_LOOK));

/** What a session of a stream runs: so many time steps, from the state that the one before left. */
export const chunk = z.object({
  steps: z.int().check(z.minimum(1), z.maximum(MAX_SIZE)),
  kind: z.enum(["start", "continue", "renew"]),
});

/** Where a server has several workers: the process of the other server that is meant, by its `boot`. docs/scaling.md */
const peer = z.optional(id);

const MAX_WORKERS = 1000;
/** A process of a party, by its `boot`, and where the other parties reach it. */
export const worker = z.object({
  id,
  host: z.string().check(z.minLength(1), z.maxLength(255)),
  port: z.int().check(z.minimum(1), z.maximum(65535)),
  /** Of its software: only workers of one version are linked. */
  version: z.string().check(z.minLength(1), z.maxLength(100)),
});
export type WorkerAddress = z.infer<typeof worker>;

const text = z.string().check(z.maxLength(2000));
const type = <T extends string>(name: T) => z.literal(name);

export const controlMessage = z.discriminatedUnion("type", [
  /** First message of both sides. `boot` is drawn at the start of a process: another one has lost its memory. */
  z.object({ type: type("welcome"), version: z.number(), role: z.enum(ROLES), boot: id }),
  /** The answer to a message that asked for something. `about`: its session or set-up, or "" for the connection. */
  z.object({
    type: type("refused"),
    about: z.string().check(z.maxLength(100)),
    code: errorCode,
    message: text,
  }),
  /** Is anybody there? Link answers by itself. */
  z.object({ type: type("ping") }),
  z.object({ type: type("pong") }),
  /** A data frame arrived whose tag nobody expects. */
  z.object({ type: type("unknown-frame"), tag: z.string().check(z.maxLength(16)), number: z.number() }),

  /** Server 0 to server 1: set this model up under this id. `deployment` says whose shares belong together. */
  z.object({ type: type("setup"), setup: id, name: modelName, plan: hex32, deployment: id }),
  z.object({ type: type("setup-accepted"), setup: id }),
  /** Server 0 to the dealer, with the plan itself. */
  z.object({ type: type("setup-request"), setup: id, plan: z.unknown(), peer }),
  /** The dealer to each server: its seed of the weights' masks. */
  z.object({ type: type("setup-seed"), setup: id, plan: hex32, seed: hex32, peer }),
  z.object({ type: type("setup-done"), setup: id }),
  /** Server 0 to the dealer, or one server to the other: no session will begin with this set-up any more. The dealer, or
   *  server 1, to server 0: it is not held here; server 0 makes another one. */
  z.object({ type: type("setup-drop"), setup: id }),
  /** Server 1 to server 0: its models have changed; what was refused may work now. */
  z.object({ type: type("changed") }),

  /** Server 0 to the dealer: randomness for one session. */
  z.object({ type: type("deal"), session: id, setup: id, plan: hex32, sizes, chunk: z.optional(chunk) }),
  /** The dealer to each server: its seed for this session, and the id of the randomness. */
  z.object({
    type: type("dealt"),
    session: id,
    deal: id,
    setup: id,
    plan: hex32,
    sizes,
    chunk: z.optional(chunk),
    seed: hex32,
    peer,
  }),
  /** A server to the dealer: so many more stages may be sent. */
  z.object({
    type: type("credit"),
    deal: id,
    stages: z.int().check(z.minimum(1), z.maximum(2 ** 20)),
  }),
  /** Between the servers: this is what I am about to run. `run` is the run hash; `nonce` is this server's part of
   *  the seed with which both refresh the output's shares, unknown to the dealer and to clients. */
  z.object({ type: type("hello"), session: id, deal: id, setup: id, run: hex32, nonce: hex32 }),
  /** Server 0 to server 1: prepare this session, for a client's that may come. */
  z.object({ type: type("prepare"), session: id, setup: id, sizes }),
  /** Server 0 to server 1: what was prepared under the id `pooled` is the client's session from now on, and no other's. */
  z.object({ type: type("assign"), session: id, pooled: id }),
  /** Server 1 to server 0: a client's request for this session waits here. Server 0 aborts it if it has none. */
  z.object({ type: type("held"), session: id }),
  z.object({ type: type("abort"), session: id, code: errorCode, message: text }),

  /** Of a party with several workers, to whoever is linked to one of them: all that are alive. */
  z.object({ type: type("workers"), workers: z.array(worker).check(z.maxLength(MAX_WORKERS)) }),
]);

export type ControlMessage = z.infer<typeof controlMessage>;
/** A control message of one type. */
export type Message<T extends ControlMessage["type"]> = Extract<ControlMessage, { type: T }>;

const encoder = new TextEncoder();

/** A control message as a frame. */
export function controlFrame(message: ControlMessage): Uint8Array {
  const payload = encoder.encode(JSON.stringify(message));
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  frame.set(payload, HEADER_BYTES);
  writeHeader(frame, 0, CONTROL_TAG);
  return frame;
}

/**
 * Reads a control frame's payload.
 * @throws SottoError protocol naming the fields that are wrong; never their values, which may be secret.
 */
export function parseControl(payload: Uint8Array): ControlMessage {
  let value: unknown;
  try {
    value = readJson(payload);
  } catch {
    // the parser's own message quotes its input
    throw new SottoError("protocol", `a control message of ${payload.length} bytes is not UTF-8 JSON`);
  }
  const parsed = controlMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = issuesText(parsed.error, "type");
  throw new SottoError("protocol", `a control message is not one that this version knows: ${wrong}`);
}
