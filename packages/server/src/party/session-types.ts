/** What goes into a session and what comes out. */
import type { Context } from "@opentelemetry/api";
import type { Carried, Ring, Sizes } from "@sotto/core";
import type { Logger } from "../log.js";
import type { Tally } from "../observe/tally.js";
import type { Chunk, Runs } from "../runs.js";
import type { Ahead } from "./ahead.js";
import type { Connections } from "./connections.js";
import type { RoundTimes } from "./round-times.js";
import type { SetUp, SetUps } from "./setups.js";

/** What a client asks one server for. */
export interface InferRequest {
  model: string;
  /** Hash of the plan that the client expects. */
  plan: string;
  sizes: Sizes;
  /** The client's input share for this server; of a chunk, it comes later (Session.feed), and so it does ahead of demand. */
  input?: Uint8Array;
  /** How many bytes of the first message the client wants to see; a few where it does not say. */
  look?: number | undefined;
  /** Whether the client wants to know when the rounds were over. */
  roundTimes?: boolean | undefined;
  /** Who asks: clients take turns. */
  client?: string;
  /** A chunk of a stream, under the set-up of the stream. */
  stream?: Chunk & { setUp: SetUp };
  /** Nobody's yet, prepared ahead of demand within a budget of its own (pool/refill.ts). */
  prepared?: { setUp: SetUp; ahead: Ahead; onReady: () => void };
  /** performance.now() when the request arrived. */
  arrived: number;
  /** Of the client's span, where it states one. */
  trace?: Context | undefined;
}

/** What a run was, as this server measured it. */
export interface ServerStats {
  onlineMs: number;
  offlineMs: number;
  rounds: number;
  /** Sent to the other server, frames included. */
  onlineBytes: number;
  /** Received from the dealer, frames included. */
  offlineBytes: number;
  /** First bytes, hex, of the input share and of the other server's first message. */
  saw: { input: string; message: string };
  /** When rounds were over, where the client asks. */
  roundTimes?: RoundTimes;
}

export interface InferResult {
  output: Uint8Array;
  /** This server's shares of what the next chunk of the stream needs: the receiver's to free. */
  carried: Carried;
  stats: ServerStats;
  /** Deployment of the model that was run. */
  version: string;
}

export interface SessionContext {
  party: 0 | 1;
  ring: Ring;
  log: Logger;
  tally: Tally;
  runs: Runs;
  setups: SetUps;
  connections: Connections;
  ahead: Ahead;
  timeoutMs: number;
  /** Longest silence within a round. */
  roundTimeoutMs: number;
  /** Longest wait for the client's request once the other server has begun its session. */
  joinTimeoutMs: number;
}
