/** Which mails the demo classifies: always the same ones, held out from training, mixed as they come. */
import { createHash } from "node:crypto";
import type { Mail } from "@sotto/example-spam";

/**
 * `n` of the mails in an order that looks random and never changes, with as much spam among them as there is
 * among all.
 */
export function sample(mails: readonly Mail[], n: number): Mail[] {
  const shuffled = [...mails].sort((a, b) => compare(rank(a), rank(b)));
  const spam = shuffled.filter((m) => m.spam);
  const ham = shuffled.filter((m) => !m.spam);
  const total = Math.min(n, mails.length);
  const spams = Math.round((total * spam.length) / Math.max(1, mails.length));
  const chosen = [...spam.slice(0, spams), ...ham.slice(0, total - spams)];
  return chosen.sort((a, b) => compare(rank(a), rank(b)));
}

function rank(mail: Mail): string {
  return createHash("sha256").update(`demo ${mail.id}`).digest("hex");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
