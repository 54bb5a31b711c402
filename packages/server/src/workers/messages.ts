/** What a party's processes tell each other over its NATS. What is not one of these is dropped (nats.ts). docs/scaling.md */
import type { Plan } from "@sotto/core";
import { chunk, hex32, id, sizes } from "@sotto/wire";
import * as z from "zod/mini";

/** A question, or "look again": the subject says all. */
export const nothing = z.optional(z.null());

const name = z.string().check(z.maxLength(200));
const port = z.int().check(z.minimum(0), z.maximum(65535));

/** Each second: a worker is there. */
export const workerState = z.object({
  /** Its `boot`. */
  id,
  version: z.string().check(z.minLength(1), z.maxLength(100)),
  /** Where other parties reach it. */
  host: z.string().check(z.minLength(1), z.maxLength(255)),
  port,
  /** Port of its API, for the front; 0 where it has none. */
  api: port,
  /** Hashes of the plans that a session may use now, by model. */
  ready: z.record(name, z.array(hex32)),
  /** Workers of the other server that it is linked to. */
  lanes: z.int().check(z.minimum(0)),
  /** It takes no new session. */
  leaving: z.boolean(),
});
export type Worker = z.infer<typeof workerState>;

/** A worker's, a set-up's or a session's. */
export const anyId = id;

/** Server 1's workers to its front: a session has begun there, or is over before its request came. */
export const begun = z.object({ session: id, worker: id });
export type Begun = z.infer<typeof begun>;

const pair = z.tuple([id, id]);

/** All that a dealer's worker needs to deal for a set-up. What the plan means is checked where it is used. */
export const sharedSetUp = z.object({
  plan: z.custom<Plan>((value) => typeof value === "object" && value !== null),
  seeds: z.tuple([hex32, hex32]),
  pair,
});

export const setUpMade = z.object({ setup: id, shared: sharedSetUp });

/** A dealer's worker's answer: what it knows of the set-up that was asked for. */
export const setUpKnown = z.object({ worker: id, shared: z.nullable(sharedSetUp) });

/** In the dealer's queue. `pair`: the servers' processes that wait for it. */
export const dealJob = z.object({
  session: id,
  setup: id,
  plan: hex32,
  sizes,
  chunk: z.optional(chunk),
  pair,
});

/** A worker's metrics, as prom-client's aggregation takes them. */
export const figures = z.array(z.looseObject({ name, values: z.array(z.looseObject({})) }));
