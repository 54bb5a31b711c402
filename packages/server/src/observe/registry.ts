/**
 * The metrics that a party shows (docs/runbook.md says what to make of them). Counters are kept as plain numbers
 * (tally.ts) and copied when somebody reads; only histograms are kept here.
 */
import type { Role } from "@sotto/wire";
import { type Aggregator, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { PHASES, SPENT, type Tally } from "./tally.js";

/** What is asked for at each reading. Keys of maps are names of stored models. */
export interface Gauges {
  /** Whether there is a connection, by party. */
  connections: () => Partial<Record<Role, boolean>>;
  /** Models stored, and those that a session could use now. A dealer has set-ups, which are always ready. */
  models: () => { stored: number; ready: number };
  /** Bytes that are taken of the WebAssembly memory: shares, set-ups, sessions. */
  ringBytes: () => number;
  /** Requests that wait for their turn, beyond those that the tally knows. */
  queued?: () => number;
  /** Streams that are open. */
  streams?: () => number;
  /** Sessions' worth of correlated randomness that is prepared, by model. */
  pool?: () => ReadonlyMap<string, number>;
  /** Of a front: the party's workers that are there. */
  workers?: () => number;
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60];

export function makeRegistry(party: Role, tally: Tally, gauges: Gauges): Registry {
  const registers = [new Registry()];
  const registry = registers[0]!;
  registry.setDefaultLabels({ party });
  collectDefaultMetrics({ register: registry });
  addCounters(registers, tally);
  addGauges(registers, tally, gauges);
  addHistograms(registers, tally);
  return registry;
}

function addCounters(registers: Registry[], tally: Tally): void {
  new Counter({
    name: "sotto_sessions_total",
    help: "Requests for a session that have ended, by outcome: ok, or the error's code; busy: a client's limits",
    labelNames: ["outcome"],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of tally.outcomes) this.inc({ outcome }, count);
    },
  });
  new Counter({
    name: "sotto_rounds_total",
    help: "Rounds between the servers that have been completed",
    registers,
    collect() {
      this.reset();
      this.inc(tally.rounds);
    },
  });
  new Counter({
    name: "sotto_stream_steps_total",
    help: "Time steps of streams that have been answered",
    registers,
    collect() {
      this.reset();
      this.inc(tally.streamSteps);
    },
  });
  new Counter({
    name: "sotto_bytes_total",
    help: "Bytes to and from a party, frames included; data: words of rounds, randomness, set-ups and shares",
    labelNames: ["other", "direction", "kind"],
    registers,
    collect() {
      this.reset();
      for (const [other, traffic] of tally.others) {
        for (const direction of ["sent", "received"] as const) {
          for (const kind of ["data", "control"] as const) {
            this.inc({ other, direction, kind }, traffic[direction][kind]);
          }
        }
      }
    },
  });
}

function addGauges(registers: Registry[], tally: Tally, gauges: Gauges): void {
  const gauge = (name: string, help: string, read: () => number, aggregator: Aggregator = "sum") =>
    new Gauge({
      name,
      help,
      registers,
      aggregator,
      collect() {
        this.set(read());
      },
    });
  new Gauge({
    name: "sotto_sessions_running",
    help: "Sessions that have begun, by what they do at the moment",
    labelNames: ["doing"],
    registers,
    collect() {
      for (const doing of SPENT) if (doing !== "queue") this.set({ doing }, tally.running[doing]);
    },
  });
  gauge(
    "sotto_queue_length",
    "Requests that wait until they can begin",
    () => tally.running.queue + (gauges.queued?.() ?? 0),
  );
  gauge("sotto_streams", "Streams that are open", () => gauges.streams?.() ?? 0);
  new Gauge({
    name: "sotto_connection_up",
    help: "1 while there is a connection to the party",
    labelNames: ["other"],
    registers,
    collect() {
      for (const [other, up] of Object.entries(gauges.connections())) this.set({ other }, up ? 1 : 0);
    },
  });
  const { workers } = gauges;
  if (workers) gauge("sotto_workers", "Workers of the party", workers);
  gauge("sotto_models", "Models stored; at the dealer, set-ups", () => gauges.models().stored, "max");
  gauge("sotto_models_ready", "Models that a session can use now", () => gauges.models().ready, "max");
  gauge("sotto_ring_bytes", "Bytes in use for shares, set-ups and running sessions", gauges.ringBytes);
  new Gauge({
    name: "sotto_pool_depth",
    help: "Sessions whose correlated randomness is prepared ahead, by model",
    labelNames: ["model"],
    registers,
    collect() {
      this.reset();
      for (const [model, depth] of gauges.pool?.() ?? []) this.set({ model }, depth);
    },
  });
}

function addHistograms(registers: Registry[], tally: Tally): void {
  const total = new Histogram({
    name: "sotto_session_seconds",
    help: "From a request's arrival to its result; sessions that went well",
    buckets: BUCKETS,
    registers,
  });
  const spent = new Histogram({
    name: "sotto_session_spent_seconds",
    help: "The same, split by phase and by what the time went by with: waiting for a party, or computing",
    labelNames: ["phase", "spent"],
    buckets: BUCKETS,
    registers,
  });
  tally.onSession = (times) => {
    total.observe(times.total / 1000);
    for (const phase of PHASES) {
      const ms = times.phases[phase];
      if (ms) for (const s of SPENT) if (ms[s] > 0) spent.observe({ phase, spent: s }, ms[s] / 1000);
    }
  };
}
