/** What the command and the party processes that it started say to each other over Node's IPC channel. */
import type { ErrorCode } from "@sotto/core";

export type Role = "dealer" | "server" | "front";

/** From the command: what to be. Sent once. */
export interface Start {
  type: "start";
  role: Role;
  /** Path of the configuration file. */
  config: string;
}

/** From the command: take no new session, and end when those that run have ended. */
export interface Drain {
  type: "drain";
}

/** From the party. */
export type Report =
  /** Its code is loaded; it waits for `start`. */
  | { type: "loaded" }
  | { type: "listening"; ports: Record<string, number> }
  | { type: "failed"; code: ErrorCode; message: string };
