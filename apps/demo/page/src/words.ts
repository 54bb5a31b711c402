/** Errors in plain words, and numbers for people. */
import { SottoError } from "@sotto/core";

const PLAIN: Partial<Record<SottoError["code"], string>> = {
  unreachable:
    "The servers do not answer. Is the cluster still running? Start it with npm run demo:web and load the page again.",
  timeout: "The servers took too long to answer. They may be busy; try again.",
  busy: "The servers are busy, or this page asks too often. Wait a moment and try again.",
  unauthorized:
    "The servers do not know this page: its token has been revoked, or the cluster is another one. Load the page again.",
  forbidden:
    "The servers refuse this request: it is larger than they allow this page, or pages of this address are not let in.",
  "not-found":
    "The servers do not have this model (yet). If the demonstration is just starting, wait a moment.",
  "plan-mismatch": "The model has been replaced. Load the page again.",
  conflict: "A server was restarted in the middle. Try again.",
};

/** Of a stream that stood still for too long (limits.streamIdleMs). */
const WIPED = /no step for (\d+) ms, so its state was wiped/;

export interface Plain {
  /** For everybody. */
  text: string;
  /** For those who want to know. */
  detail: string;
}

export function plainly(error: unknown): Plain {
  const detail = error instanceof Error ? error.message : String(error);
  const idle = WIPED.exec(detail);
  if (idle) {
    const waited = Math.round(Number(idle[1]) / 60_000);
    const text = `The servers keep nothing of a signal that stands still for ${count(waited, "minute")}: the beats before are forgotten. Try again, from the beginning.`;
    return { text, detail };
  }
  if (error instanceof SottoError) return { text: PLAIN[error.code] ?? "That did not work.", detail };
  return { text: "That did not work.", detail };
}

/** Between a number and its unit: no line ends there. */
const NBSP = "\u00a0";

export function bytes(n: number): string {
  if (n < 1000) return `${n}${NBSP}B`;
  if (n < 1e6) return `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)}${NBSP}kB`;
  return `${(n / 1e6).toFixed(1)}${NBSP}MB`;
}

/** "1 word", "2 words". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

export function ms(n: number): string {
  return `${n < 10 ? n.toFixed(1) : Math.round(n)}${NBSP}ms`;
}

export function percent(part: number, digits = 1): string {
  return `${(100 * part).toFixed(digits)}${NBSP}%`;
}
