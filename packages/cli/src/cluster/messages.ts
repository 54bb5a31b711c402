/** What the command and the party processes that it started say to each other over Node's IPC channel. */
import type { ErrorCode } from "@sotto/core";

export type Role = "dealer" | "server";

/** From the command: what to be. Sent once. */
export interface Start {
  type: "start";
  role: Role;
  /** Path of the configuration file. */
  config: string;
}

/** From the party. */
export type Report =
  /** Its code is loaded; it waits for `start`. */
  | { type: "loaded" }
  | { type: "listening"; ports: Record<string, number> }
  | { type: "failed"; code: ErrorCode; message: string };
