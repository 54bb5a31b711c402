/** The HTTP API for the model owner and for clients: packages/server/src/api has its routes. */
import type { AddressInfo } from "node:net";
import cors from "@fastify/cors";
import { SottoError } from "@sotto/core";
import { type Address, type Identity, tlsOptions } from "@sotto/wire/node";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { type Call, ended, type Gate, letIn } from "../api/calls.js";
import { sendError, statedBy } from "../api/errors.js";
import { type Handlers, TABLE } from "../api/handlers.js";
import { OCTETS, REPLY_HEADERS, REQUEST_HEADERS, type Route, type RouteName } from "../api/routes.js";
import type { Logger } from "../log.js";
import { Answering } from "./answering.js";
import type { Models } from "./models.js";
import { checkStated } from "./session-errors.js";
import { serveStreams } from "./streams/socket.js";
import type { OpensStreams } from "./streams/streams.js";

export interface ApiOptions extends Gate {
  log: Logger;
  handlers: Handlers;
  /** Where there are any here: bodies of a wrong length are refused before they come. */
  models?: Pick<Models, "versions">;
  address: Address;
  /** For TLS. Without it whoever listens on the line can read everything: for loopback addresses only. */
  identity: Identity | undefined;
  maxBodyBytes: number;
  /** Longest time in which a client takes nothing of its reply. */
  replyTimeoutMs: number;
  /** Connections without a certificate are let in: whoever comes through one shows a token. */
  withoutCertificate: boolean;
  /** Origins of web pages that may use the API; "*" for any. */
  origins: readonly string[] | undefined;
  streams: OpensStreams;
}

export interface Api {
  port: number;
  /** Method and address of all that is answered. */
  routes: readonly string[];
  /** Resolves when no request is being answered. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** For a request to arrive completely: models are large and lines are slow. */
const REQUEST_TIMEOUT_MS = 300_000;
/** For requests that have no body, in bytes. */
const NO_BODY_BYTES = 1024;
/** Sizes come in a header, and with them the lengths of a batch's sequences. */
const MAX_HEADER_BYTES = 2 ** 18;
/** For browsers to remember what a page may send, in seconds. */
const PREFLIGHT_AGE = 600;

/** @throws SottoError bad-config when the address cannot be listened on. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { identity, address, withoutCertificate } = options;
  const maxHeaderSize = MAX_HEADER_BYTES;
  const secure = (own: Identity) => ({
    https: { ...tlsOptions(own), requestCert: true, rejectUnauthorized: !withoutCertificate, maxHeaderSize },
  });
  const app = fastify({
    logger: false,
    ...(identity ? secure(identity) : { http: { maxHeaderSize } }),
    bodyLimit: options.maxBodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
  }) as unknown as FastifyInstance;
  const routes: string[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    routes.push(`${method} ${url}`);
  });
  // before anything else: a browser asks what is allowed without saying who it is
  if (options.origins) await app.register(cors, corsOptions(options.origins));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(OCTETS, { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  const answering = new Answering();
  app.addHook("onRequest", async (_request, reply) => answering.begin(reply.raw));
  // whoever does not read keeps the reply in memory, and its place among the client's requests
  app.addHook("onSend", async (_request, reply) => {
    reply.raw.setTimeout(options.replyTimeoutMs, () => reply.raw.destroy());
  });
  addRoutes(app, options);
  const closeStreams = serveStreams(app.server, options);
  try {
    await app.listen(address);
  } catch (cause) {
    await app.close();
    const { message } = cause as Error;
    throw new SottoError("bad-config", `cannot listen on ${address.host}:${address.port}: ${message}`, {
      cause,
    });
  }
  return {
    port: (app.server.address() as AddressInfo).port,
    routes,
    idle: () => answering.idle(),
    close: async () => {
      closeStreams();
      await app.close();
    },
  };
}

function addRoutes(app: FastifyInstance, options: ApiOptions): void {
  const { log, maxBodyBytes } = options;
  const calls = new WeakMap<FastifyRequest, Call>();
  const callOf = (request: FastifyRequest): Call => {
    const call = calls.get(request) ?? { arrived: performance.now() };
    calls.set(request, call);
    return call;
  };

  app.addHook("onRequest", async (request, reply) => {
    const call = callOf(request);
    const { route, name } = request.routeOptions.config as { route?: Route; name?: RouteName };
    reply.raw.once("close", () => ended(options, name, request, call));
    if (route && name) {
      await letIn(options, name, route, request, call);
      if (name === "infer") checkLength(options, request, call);
      return;
    }
    // before its body is waited for
    if (request.routeOptions.url === undefined) throw noResource();
    // a route that the table does not know is for whoever is known
    call.caller = await options.callers.identify(request.raw);
    options.callers.need(call.caller, ["owner", "client"], `${request.method} ${request.url}`);
  });
  app.addHook("preHandler", async (request) => callOf(request).arrivedWhole?.());
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions } = request;
    const call = callOf(request);
    call.outcome ??= "ok";
    const ms = Math.round(reply.elapsedTime);
    log.debug(
      { session: call.session, method, route: routeOptions.url, status: reply.statusCode, ms },
      "request",
    );
  });
  app.setNotFoundHandler(() => {
    throw noResource();
  });
  app.setErrorHandler((error, request, reply) => {
    const { route } = request.routeOptions.config as { route?: Route };
    const stated = statedBy(error, {
      maxBodyBytes: route?.body ? maxBodyBytes : NO_BODY_BYTES,
      type: OCTETS,
    });
    callOf(request).outcome = stated.code;
    if (stated.code === "internal") log.error({ reason: stated.message }, "request failed");
    return sendError(stated, reply);
  });

  const { handlers } = options;
  for (const [name, { method, url, ...route }] of TABLE) {
    app.route({
      method,
      url,
      bodyLimit: "body" in route ? maxBodyBytes : NO_BODY_BYTES,
      config: { route: { method, url, ...route }, name },
      handler: (request, reply) => handlers[name]({ request, reply, call: callOf(request) }),
    });
  }
}

function noResource(): SottoError {
  return new SottoError("not-found", "no such resource; /v2/openapi.json describes the API");
}

/** A body that cannot be what its headers say is not waited for. @throws SottoError bad-input */
function checkLength({ models }: ApiOptions, { headers }: FastifyRequest, { model, sizes }: Call): void {
  const stated = models?.versions(model!).find(({ hash }) => hash === headers["sotto-plan"]);
  const bytes = headers["content-length"];
  if (stated && bytes !== undefined) checkStated(Number(bytes), stated.plan, sizes!);
}

function corsOptions(origins: readonly string[]) {
  return {
    origin: origins.includes("*") ? "*" : [...origins],
    methods: ["GET", "POST", "PUT", "DELETE"],
    allowedHeaders: REQUEST_HEADERS,
    exposedHeaders: REPLY_HEADERS,
    maxAge: PREFLIGHT_AGE,
  };
}
