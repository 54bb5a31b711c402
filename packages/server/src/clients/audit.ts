/**
 * Who asked for what: one line of JSON for each inference, deployment, removal and refusal. Names, ids, sizes and
 * outcomes; never a value, a share or a token.
 */
import type { Sizes } from "@sotto/core";
import { destination, type Logger, pino } from "pino";
import type { Caller } from "./callers.js";

export interface AuditEvent {
  event: "infer" | "stream" | "deploy" | "remove" | "refused";
  caller: Caller | undefined;
  /** Of the connection. */
  address?: string | undefined;
  model?: string | undefined;
  /** Deployment of the model. */
  version?: string | undefined;
  session?: string | undefined;
  sizes?: Sizes | undefined;
  /** "ok", or an error's code. */
  outcome: string;
  ms?: number | undefined;
}

export class Audit {
  private readonly log: Logger;

  constructor(log: Logger) {
    this.log = log;
  }

  write({ caller, ms, sizes, ...event }: AuditEvent): void {
    const who = caller ? { client: caller.name, role: caller.role, by: caller.by } : {};
    const about = { ...event, ...(sizes ? { sizes: short(sizes) } : {}) };
    this.log.info({ audit: true, ...about, ...who, ...(ms === undefined ? {} : { ms: Math.round(ms) }) });
  }
}

/** Without the lengths of a batch's sequences, of which there can be thousands. */
function short(sizes: Sizes): Sizes {
  return Object.fromEntries(Object.entries(sizes).filter(([name]) => !/\[\d+\]$/.test(name)));
}

/** @param file where lines are appended; without one they go into the server's own log, marked audit: true. */
export function openAudit(log: Logger, party: 0 | 1, file?: string): { audit: Audit; close: () => void } {
  if (file === undefined) return { audit: new Audit(log), close: () => {} };
  const to = destination({ dest: file, sync: true, append: true, mkdir: true, mode: 0o600 });
  const lines = pino({ base: { party }, timestamp: pino.stdTimeFunctions.isoTime }, to);
  return { audit: new Audit(lines), close: () => to.end() };
}
