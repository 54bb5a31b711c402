/** What the daemons share. */
import { randomBytes } from "node:crypto";

export const CONNECT_TIMEOUT_MS = 10_000;

/** 16 random bytes, hex: for what only has to be different each time. */
export function newId(): string {
  return randomBytes(16).toString("hex");
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
