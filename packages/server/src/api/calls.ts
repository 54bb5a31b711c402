/**
 * What is known of each request from its arrival on: who asks, within which limits, and what becomes of it. Callers
 * are checked and limited before a body is read or a program is built.
 */
import { type Sizes, SottoError } from "@sotto/core";
import { hex32, id, lookBytes, modelName } from "@sotto/wire";
import type { FastifyRequest } from "fastify";
import { safeParse, type z } from "zod";
import type { Audit, AuditEvent } from "../clients/audit.js";
import { type Caller, type Callers, limited } from "../clients/callers.js";
import { checkSizes, type Limiter } from "../clients/limits.js";
import type { Uploads } from "../clients/uploads.js";
import type { Tally } from "../observe/tally.js";
import { inferHeaders, inferSizes, type Route, type RouteName } from "./routes.js";

export interface Call {
  /** performance.now() when the request arrived. */
  arrived: number;
  caller?: Caller;
  model?: string;
  version?: string;
  session?: string;
  /** How many bytes of the first message the client wants to see. */
  look?: number;
  /** Whether the client wants to know when each round was over. */
  roundTimes?: boolean;
  sizes?: Sizes;
  outcome?: string;
  /** Ends what counts as running. */
  release?: () => void;
  /** Ends what counts as an upload. */
  arrivedWhole?: () => void;
}

export interface Gate {
  party: 0 | 1;
  callers: Callers;
  limiter: Limiter;
  audit: Audit;
  uploads: Uploads;
  tally: Tally;
}

const EVENTS: Partial<Record<RouteName, AuditEvent["event"]>> = {
  infer: "infer",
  deploy: "deploy",
  remove: "remove",
};

/**
 * Lets a request in, and fills in what its headers say.
 * @throws SottoError unauthorized, forbidden, busy; bad-input for headers that are wrong.
 */
export async function letIn(
  gate: Gate,
  name: RouteName,
  route: Route,
  request: FastifyRequest,
  call: Call,
): Promise<void> {
  const { callers, limiter } = gate;
  if (route.access === "anyone") {
    // nobody is turned away: whoever cannot be identified learns less
    call.caller = await callers.identify(request.raw).catch(() => undefined);
    return;
  }
  call.caller = await callers.identify(request.raw);
  const { name: model } = request.params as { name?: unknown };
  // for the audit log, whether or not the caller may go on
  if (modelName.safeParse(model).success) call.model = String(model);
  const caller = callers.need(call.caller, route.access, `${route.method} ${request.url}`);
  const client = limited(caller);
  if (client) limiter.request(client);
  // a client's shares are bounded with its sessions, and what comes from a front is so there
  if (route.body && !caller.atFront && !(client && name === "infer"))
    call.arrivedWhole = gate.uploads.begin();
  if (route.url.includes(":name")) call.model = checked(modelName, model, "the model's name");
  if (name !== "infer") return;
  const { headers } = request;
  call.session = checked(id, headers["sotto-session"], "header sotto-session");
  checked(hex32, headers["sotto-plan"], "header sotto-plan");
  call.sizes = sizesOf(headers["sotto-sizes"]);
  const look = headers["sotto-look"];
  if (look !== undefined) call.look = checked(lookBytes, Number(look), "header sotto-look");
  const times = headers["sotto-round-times"];
  if (times !== undefined)
    call.roundTimes =
      checked(inferHeaders.shape["sotto-round-times"], times, "header sotto-round-times") === "yes";
  if (!client) return;
  checkSizes(client, call.sizes);
  call.release = limiter.begin(client);
}

/** The request is over, with or without an answer. */
export function ended(
  { audit, tally }: Gate,
  name: RouteName | undefined,
  request: FastifyRequest,
  call: Call,
): void {
  call.release?.();
  call.arrivedWhole?.();
  if (name === "infer" && call.outcome === "busy") tally.ended(call.outcome);
  const { caller, model, version, session, sizes, outcome = "gone", arrived } = call;
  const refused = outcome === "unauthorized" || (outcome === "forbidden" && !name);
  const event = refused ? "refused" : name && EVENTS[name];
  if (!event) return;
  const ms = performance.now() - arrived;
  const address = request.raw.socket.remoteAddress;
  audit.write({ event, caller, address, model, version, session, sizes, outcome, ms });
}

/** @throws SottoError bad-input; the value is not quoted. */
export function checked<S extends z.core.$ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = safeParse(schema, value);
  if (parsed.success) return parsed.data;
  if (value === undefined)
    throw new SottoError("bad-input", `${what} is missing; docs/api.md says what it holds`);
  throw new SottoError("bad-input", `${what}: ${parsed.error.issues[0]?.message ?? "wrong"}`);
}

function sizesOf(header: unknown): Sizes {
  let stated: unknown;
  try {
    stated = JSON.parse(String(header ?? "{}"));
  } catch {
    throw new SottoError("bad-input", "header sotto-sizes: expected JSON");
  }
  return checked(inferSizes, stated, "header sotto-sizes");
}
