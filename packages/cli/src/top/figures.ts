/** What `sotto top` shows of a party, from two readings of its metrics. */
import type { Reading, Values } from "./read.js";
import type { Party } from "./sources.js";

/** Mean milliseconds of a session that ended between the readings. */
export interface Latency {
  total: number;
  queue: number;
  dealer: number;
  peer: number;
  compute: number;
}

export interface Figures {
  sessionsPerSecond: number;
  failedPerSecond: number;
  running: number;
  queued: number;
  /** null when no session has ended in between. */
  latencyMs: Latency | null;
  roundsPerSecond: number;
  sentBytesPerSecond: number;
  receivedBytesPerSecond: number;
  /** Processes of the party. */
  workers: number;
  /** Of all its processes. */
  connectionsUp: number;
  /** Of one core. */
  cpuPercent: number;
  memoryBytes: number;
  /** At the dealer set-ups: one for each model and pair of servers' processes. */
  modelsReady: number;
  models: number;
  poolDepth: number;
}

export interface PartyFigures {
  party: Party;
  /** null when it does not answer, or has been restarted in between. */
  figures: Figures | null;
  error?: string;
}

export function figuresOf(party: Party, before: Reading, now: Reading): PartyFigures {
  if (!now.values) return { party, figures: null, error: now.error ?? "no answer" };
  const then = before.values;
  const restarted = then && then(START) !== now.values(START);
  if (!then || restarted) return { party, figures: null, error: restarted ? "restarted" : "just come up" };
  return { party, figures: between(then, now.values, (now.at - before.at) / 1000) };
}

const START = "process_start_time_seconds";
const SESSION = "sotto_session_seconds";
const SPENT = "sotto_session_spent_seconds_sum";

function between(then: Values, now: Values, seconds: number): Figures {
  const grown: Values = (name, labels) => now(name, labels) - then(name, labels);
  const rate: Values = (name, labels) => grown(name, labels) / seconds;
  const ok = rate("sotto_sessions_total", { outcome: "ok" });
  const ended = grown(`${SESSION}_count`);
  const mean = (spent: string) => (grown(SPENT, { spent }) / ended) * 1000;
  return {
    sessionsPerSecond: ok,
    failedPerSecond: rate("sotto_sessions_total") - ok,
    running: now("sotto_sessions_running"),
    queued: now("sotto_queue_length"),
    latencyMs:
      ended > 0
        ? {
            total: (grown(`${SESSION}_sum`) / ended) * 1000,
            queue: mean("queue"),
            dealer: mean("dealer"),
            peer: mean("peer"),
            compute: mean("compute"),
          }
        : null,
    roundsPerSecond: rate("sotto_rounds_total"),
    sentBytesPerSecond: rate("sotto_bytes_total", { direction: "sent" }),
    receivedBytesPerSecond: rate("sotto_bytes_total", { direction: "received" }),
    // a party of one process does not say so
    workers: now("sotto_workers") || 1,
    connectionsUp: now("sotto_connection_up"),
    cpuPercent: rate("process_cpu_seconds_total") * 100,
    memoryBytes: now("process_resident_memory_bytes"),
    modelsReady: now("sotto_models_ready"),
    models: now("sotto_models"),
    poolDepth: now("sotto_pool_depth"),
  };
}
