/** The OpenAPI document of the API, made from the table of its routes. */
import type { ErrorCode } from "@sotto/core";
import { modelName, statedError } from "@sotto/wire";
import { z } from "zod";
import { STATUS } from "./errors.js";
import { STREAM_PATH, streamOperation, streamSchemas } from "./openapi-stream.js";
import { OCTETS, ROUTES, type Route } from "./routes.js";

const BINARY = { type: "string", format: "binary" };
const BEARER = "token";
const CERTIFICATE = "certificate";

/** What happens to callers before a route's own work. */
const CALLER_ERRORS: readonly ErrorCode[] = ["unauthorized", "forbidden", "busy"];

const ABOUT: Record<number, string> = {
  400: "The request is wrong; the message says what was expected.",
  401: "No certificate, and no token that is known.",
  403: "Not for this caller, or larger than its limits allow.",
  404: "No such model.",
  409: "Another plan than expected, or a session id that was used before.",
  429: "A limit of this client is reached; its name is in the message.",
  500: "Something failed in the server; its log says what.",
  502: "Another party broke the protocol.",
  503: "Not ready, or a party is not connected; a fresh session may succeed.",
  504: "A party did not answer in time.",
};

const ERROR_HEADERS: Record<number, Record<string, string>> = {
  401: { "www-authenticate": "The way to authenticate." },
  429: { "retry-after": "Seconds after which a fresh request may succeed." },
  503: { "retry-after": "Seconds after which a fresh request may succeed." },
};

export interface OpenApi {
  openapi: string;
  info: object;
  paths: Record<string, Record<string, Operation>>;
  components: object;
}

export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  parameters: { name: string; in: "path" | "header"; required: boolean; schema: object }[];
  responses: Record<string, Reply>;
  security: object[];
  requestBody?: object;
}

interface Reply {
  description: string;
  headers?: Record<string, { description: string; schema: object }>;
  content?: Record<string, { schema: Record<string, unknown> }>;
}

export function openApi(version: string): OpenApi {
  const paths: OpenApi["paths"] = {};
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    const path = route.url.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(name, route) };
  }
  paths[STREAM_PATH] = { get: streamOperation(jsonSchema(modelName)) };
  return {
    openapi: "3.1.0",
    info: {
      title: "Sotto: one of two servers",
      version,
      description:
        "In the style of the Open Inference Protocol (KServe v2). Weights and inputs are shared between two servers: " +
        "a client asks both, each with its own share, and adds up the shares of the output.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: {
      schemas: { Error: jsonSchema(statedError), ...streamSchemas },
      securitySchemes: {
        [BEARER]: { type: "http", scheme: "bearer" },
        [CERTIFICATE]: { type: "mutualTLS" },
      },
    },
  };
}

function operation(name: string, route: Route): Operation {
  const { summary, access, headers, body, reply, replyHeaders, errors } = route;
  const open = access === "anyone";
  const all = [...errors, ...(open ? [] : CALLER_ERRORS)];
  const statuses = [...new Set(all.map((code) => STATUS[code]))].sort((a, b) => a - b);
  const type = reply === OCTETS ? OCTETS : "application/json";
  return {
    operationId: name,
    summary: open ? summary : `${summary} For: ${access.join(", ")}.`,
    parameters: [...pathParameters(route.url), ...(headers ? headerParameters(headers) : [])],
    ...(body
      ? { requestBody: { description: body, required: true, content: { [OCTETS]: { schema: BINARY } } } }
      : {}),
    responses: {
      200: {
        description: "Done.",
        ...(replyHeaders ? { headers: describe(replyHeaders) } : {}),
        content: { [type]: { schema: reply === OCTETS ? BINARY : jsonSchema(reply) } },
      },
      ...Object.fromEntries(statuses.map((status) => [status, errorReply(status)])),
    },
    security: open ? [{}] : [{ [BEARER]: [] }, { [CERTIFICATE]: [] }],
  };
}

function errorReply(status: number): Reply {
  const headers = ERROR_HEADERS[status];
  return {
    description: ABOUT[status] ?? "It failed.",
    ...(headers ? { headers: describe(headers) } : {}),
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
}

function describe(headers: Record<string, string>): NonNullable<Reply["headers"]> {
  const entries = Object.entries(headers);
  return Object.fromEntries(
    entries.map(([name, description]) => [name, { description, schema: { type: "string" } }]),
  );
}

function pathParameters(url: string): Operation["parameters"] {
  return [...url.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name: name!,
    in: "path",
    required: true,
    schema: jsonSchema(modelName),
  }));
}

function headerParameters(headers: z.ZodObject): Operation["parameters"] {
  return Object.entries(headers.shape).map(([name, schema]) => ({
    name,
    in: "header",
    required: !z.safeParse(schema, undefined).success,
    schema: jsonSchema(schema),
  }));
}

function jsonSchema(schema: z.core.$ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: "draft-2020-12" });
  return rest;
}
