/**
 * Every route of the HTTP API: who may use it, what goes in and what comes out. The server is built from this table,
 * and so is the OpenAPI document. In the style of the Open Inference Protocol (KServe v2); shares are binary.
 */
import { type ErrorCode, PROFILES } from "@sotto/core";
import { hex32, id, MAX_LOOK, modelName, sizes } from "@sotto/wire";
import { z } from "zod";
import type { CallerRole } from "../clients/callers.js";

export const OCTETS = "application/octet-stream";

const party = z.literal([0, 1]).describe("Which of the two servers this is.");
const plan = hex32.check(z.describe("SHA-256 of the plan, hex."));
const profile = z.enum(PROFILES).describe("lan: five or six rounds a step; wan: fewer, for more work.");
const version = id.check(
  z.describe("A version of a model is one deployment of it: the same id at both servers."),
);

const tensor = z.object({
  name: z.string(),
  datatype: z.enum(["FP32", "INT64"]),
  shape: z.array(z.number().int()).describe("-1 for a size that is open."),
});

const input = tensor.extend({
  sizes: z.array(z.union([z.number().int(), z.string()])).describe("The shape with the names of open sizes."),
  kind: z.enum(["real", "token", "length"]).describe("A length is public and becomes a size of the run."),
  range: z
    .union([z.number(), z.array(z.number())])
    .optional()
    .describe("|x| <= range, declared by the owner; a list has one for each feature."),
});

export const schemas = {
  server: z.object({
    name: z.literal("sotto"),
    version: z.string(),
    extensions: z.array(z.string()),
    party,
  }),
  live: z.object({ live: z.literal(true) }),
  ready: z.object({
    ready: z.literal(true),
    roundTripMs: z
      .number()
      .optional()
      .describe("The shortest round trip to the other server so far, told to known callers."),
  }),
  models: z.object({
    models: z.array(
      z.object({
        name: modelName,
        ready: z.boolean(),
        reason: z.string().optional().describe("Why the model is not ready."),
        hash: plan,
        version: version.check(z.describe("The version that is served.")),
        versions: z
          .array(z.object({ version, hash: plan, profile, stored: z.iso.datetime(), served: z.boolean() }))
          .describe("All that this server holds, newest first."),
      }),
    ),
    party,
  }),
  model: z.object({
    name: modelName,
    versions: z.array(z.string()).describe("Newest first."),
    version: version.check(z.describe("The version described here, which is served.")),
    platform: z.literal("sotto"),
    inputs: z.array(input),
    outputs: z.array(tensor),
    hash: plan,
    profile,
    party,
    plan: z
      .record(z.string(), z.unknown())
      .describe("The plan itself, docs/protocol.md: all that is public."),
  }),
  modelReady: z.object({
    name: modelName,
    ready: z.literal(true),
    plan,
    deployment: version,
  }),
  deployed: z.object({
    plan,
    party,
    version,
    replaces: z
      .object({ version, plan })
      .nullable()
      .describe("What is served until both servers are ready for the new version."),
  }),
  removed: z.object({ name: modelName, party, versions: z.array(version) }),
  document: z.record(z.string(), z.unknown()),
} as const;

export const inferHeaders = z.object({
  "sotto-session": id.check(
    z.describe("16 fresh random bytes, hex, the same at both servers: one input, one session."),
  ),
  "sotto-plan": plan.check(z.describe("The plan that the client expects; another one is refused.")),
  "sotto-sizes": z
    .string()
    .optional()
    .describe(`JSON: the run's open sizes by name, ${JSON.stringify({ time: 50 })}; left out for none.`),
  "sotto-look": z
    .string()
    .optional()
    .describe(
      `Bytes of the other server's first message to show in sotto-stats, 0 to ${MAX_LOOK}; 8 by default. Only openings ` +
        "of the input are shown.",
    ),
  "sotto-round-times": z
    .literal("yes")
    .optional()
    .describe("Has sotto-stats tell when the rounds were over, as roundTimes: up to 256 of them."),
  traceparent: z.string().optional().describe("W3C trace context, for the servers' traces."),
});

export const tablesHeaders = z.object({
  "sotto-plan": z
    .optional(plan)
    .describe("The plan that the tables belong to; by default that of the version served."),
});

/** What header sotto-sizes holds. */
export const inferSizes = sizes;

export type Access = "anyone" | readonly CallerRole[];

interface Shape {
  method: "GET" | "PUT" | "POST" | "DELETE";
  /** With :name in place of a parameter. */
  url: string;
  summary: string;
  access: Access;
  headers?: z.ZodObject;
  /** A body, and what it holds. */
  body?: string;
  reply: z.ZodObject | z.ZodRecord | typeof OCTETS;
  replyHeaders?: Record<string, string>;
  /** What can go wrong, besides who asks and how often. */
  errors: readonly ErrorCode[];
}

const both: Access = ["owner", "client"];
const ofModel: readonly ErrorCode[] = ["bad-input", "not-found"];

export const ROUTES = {
  server: {
    method: "GET",
    url: "/v2",
    summary: "What this is.",
    access: "anyone",
    reply: schemas.server,
    errors: [],
  },
  document: {
    method: "GET",
    url: "/v2/openapi.json",
    summary: "This document.",
    access: "anyone",
    reply: schemas.document,
    errors: [],
  },
  live: {
    method: "GET",
    url: "/v2/health/live",
    summary: "The process answers.",
    access: "anyone",
    reply: schemas.live,
    errors: [],
  },
  ready: {
    method: "GET",
    url: "/v2/health/ready",
    summary: "The other server and the dealer are connected.",
    access: "anyone",
    reply: schemas.ready,
    errors: ["unreachable"],
  },
  models: {
    method: "GET",
    url: "/v2/models",
    summary: "The models that this server holds its shares of.",
    access: both,
    reply: schemas.models,
    errors: [],
  },
  model: {
    method: "GET",
    url: "/v2/models/:name",
    summary: "A model: its inputs and outputs, and the plan.",
    access: both,
    reply: schemas.model,
    errors: ofModel,
  },
  tables: {
    method: "GET",
    url: "/v2/models/:name/tables",
    summary: "Public embedding tables: float32, little-endian, in the plan's order.",
    access: both,
    headers: tablesHeaders,
    reply: OCTETS,
    replyHeaders: { "sotto-version": "The version they belong to." },
    errors: ofModel,
  },
  modelReady: {
    method: "GET",
    url: "/v2/models/:name/ready",
    summary: "The newest version is set up between the servers; 503 says why not.",
    access: both,
    reply: schemas.modelReady,
    errors: [...ofModel, "unreachable"],
  },
  deploy: {
    method: "PUT",
    url: "/v2/models/:name",
    summary:
      "A new version of a model: this server's share of it. The one before is served until this one is ready.",
    access: ["owner"],
    body: "The bundle for this server: plan, public tables, share (packages/wire/src/bundle.ts).",
    reply: schemas.deployed,
    errors: ["bad-input", "bad-model", "plan-mismatch", "internal"],
  },
  remove: {
    method: "DELETE",
    url: "/v2/models/:name",
    summary: "Removes all versions of a model; sessions that run are finished.",
    access: ["owner"],
    reply: schemas.removed,
    errors: [...ofModel, "internal"],
  },
  infer: {
    method: "POST",
    url: "/v2/models/:name/infer",
    summary: "One session: this server's share of the input goes in, its share of the output comes out.",
    access: both,
    headers: inferHeaders,
    body: "This server's share of the input: 64-bit words, little-endian.",
    reply: OCTETS,
    replyHeaders: {
      "sotto-stats": "JSON: what the run cost, as this server measured it.",
      "sotto-version": "The version that was run.",
    },
    errors: [
      ...ofModel,
      "does-not-fit",
      "plan-mismatch",
      "conflict",
      "internal",
      "protocol",
      "unreachable",
      "timeout",
    ],
  },
} as const satisfies Record<string, Shape>;

export type RouteName = keyof typeof ROUTES;
/** A route without what is particular to it. */
export type Route = Shape;

/** Headers that web pages may read and send. */
export const REPLY_HEADERS = ["sotto-stats", "sotto-version", "retry-after", "www-authenticate"];
export const REQUEST_HEADERS = ["authorization", "content-type", ...Object.keys(inferHeaders.shape)];
