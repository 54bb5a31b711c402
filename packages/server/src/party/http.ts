/** The HTTPS API for the model owner and for clients. Who asks is in the certificate of the connection. */
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { type ErrorCode, type Sizes, SottoError } from "@sotto/core";
import { asSottoError, hex32, id, modelName, type Role, sizes, stateError } from "@sotto/wire";
import { type Address, type Identity, tlsOptions } from "@sotto/wire/node";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Logger } from "../log.js";
import { traceContext } from "../observe/trace-context.js";
import { Answering } from "./answering.js";
import type { Model, Models } from "./models.js";
import type { Sessions } from "./sessions.js";
import type { SetUps } from "./setups.js";

export interface ApiOptions {
  party: 0 | 1;
  address: Address;
  identity: Identity;
  maxBodyBytes: number;
  log: Logger;
  models: Models;
  setups: SetUps;
  sessions: Sessions;
  /** A model has been put. */
  onModel: (model: Model) => void;
  /** Why this server cannot serve at all at the moment. @throws SottoError */
  checkConnections: () => void;
}

export interface Api {
  port: number;
  /** Resolves when no request is being answered. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

const STATUS: Record<ErrorCode, number> = {
  "bad-model": 400,
  unsupported: 400,
  "bad-input": 400,
  "does-not-fit": 400,
  "bad-config": 400,
  tls: 403,
  "not-found": 404,
  conflict: 409,
  "plan-mismatch": 409,
  internal: 500,
  protocol: 502,
  material: 502,
  unreachable: 503,
  timeout: 504,
};

/** Seconds after which a client may try again where a server cannot serve now. */
const RETRY_AFTER = "1";

/** For a request to arrive completely: models are large and lines are slow. */
const REQUEST_TIMEOUT_MS = 300_000;

/** Sizes come in a header, and with them the lengths of a batch's sequences. */
const MAX_HEADER_BYTES = 2 ** 18;

const OCTETS = "application/octet-stream";

/** @throws SottoError bad-config when the address cannot be listened on. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const { log, identity, address, party } = options;
  const app = fastify({
    logger: false,
    https: { ...tlsOptions(identity), requestCert: true, maxHeaderSize: MAX_HEADER_BYTES },
    bodyLimit: options.maxBodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(OCTETS, { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  const arrivals = new WeakMap<FastifyRequest, number>();
  const answering = new Answering();
  app.addHook("onRequest", async (request, reply) => {
    arrivals.set(request, performance.now());
    answering.begin(reply.raw);
    allow(request, party, ["owner", "client"]);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions } = request;
    const ms = Math.round(reply.elapsedTime);
    const session = id.safeParse(request.headers["sotto-session"]).data;
    log.debug({ session, method, route: routeOptions.url, status: reply.statusCode, ms }, "request");
  });
  app.setNotFoundHandler(() => {
    throw new SottoError("not-found", "no such resource; the API is described in README.md");
  });
  app.setErrorHandler((error, _request, reply) => answerError(error, reply, options));
  addRoutes(app, options, (request) => arrivals.get(request) ?? performance.now());
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
    idle: () => answering.idle(),
    close: () => app.close(),
  };
}

function addRoutes(
  app: FastifyInstance,
  options: ApiOptions,
  arrival: (request: FastifyRequest) => number,
): void {
  const { party, models, setups, sessions, log } = options;

  app.get("/v2/health/live", async () => ({ live: true }));
  app.get("/v2/health/ready", async () => {
    options.checkConnections();
    return { ready: true };
  });

  app.get("/v2/models", async () => ({
    models: models.list().map(({ name, hash }) => ({ name, hash, ready: setups.isReady(name) })),
  }));

  app.get("/v2/models/:name", async (request) => {
    const { name, plan, hash } = models.need(nameOf(request));
    return { name, plan, hash, party };
  });

  app.get("/v2/models/:name/tables", async (request, reply) => {
    const { tables } = models.need(nameOf(request));
    return reply.type(OCTETS).send(asBuffer(tables));
  });

  app.get("/v2/models/:name/ready", async (request) => {
    const { model } = setups.need(nameOf(request));
    return { ready: true, plan: model.hash, deployment: model.deployment };
  });

  app.put("/v2/models/:name", async (request) => {
    allow(request, party, ["owner"]);
    const model = await models.put(nameOf(request), bodyOf(request));
    log.info({ model: model.name, plan: model.hash, bytes: model.share.length }, "model stored");
    options.onModel(model);
    return { plan: model.hash, party };
  });

  app.post("/v2/models/:name/infer", async (request, reply) => {
    const model = nameOf(request);
    const { session, plan, sizes } = inferHeaders(request);
    models.need(model);
    const gone = new AbortController();
    reply.raw.on("close", () => gone.abort());
    const input = bodyOf(request);
    const arrived = arrival(request);
    const { output, stats } = await sessions.infer(
      session,
      { model, plan, sizes, input, arrived, trace: traceContext(request.headers) },
      gone.signal,
    );
    reply.header("sotto-stats", JSON.stringify(stats));
    return reply.type(OCTETS).send(asBuffer(output));
  });
}

function answerError(error: unknown, reply: FastifyReply, { log, maxBodyBytes }: ApiOptions): FastifyReply {
  const code = (error as { code?: string }).code;
  let stated = asSottoError(error);
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    stated = new SottoError("bad-input", `the body exceeds ${maxBodyBytes} bytes (limits.maxBodyBytes)`);
  } else if (code?.startsWith("FST_ERR")) {
    stated = new SottoError(
      "bad-input",
      `the request cannot be read (${code}); expected a body of type ${OCTETS}`,
    );
  }
  if (stated.code === "internal") log.error({ reason: stated.message }, "request failed");
  if (STATUS[stated.code] === 503) reply.header("retry-after", RETRY_AFTER);
  return reply.status(STATUS[stated.code]).send(stateError(stated));
}

/** @throws SottoError tls when the caller's certificate is another role's. */
function allow(request: FastifyRequest, party: 0 | 1, roles: readonly Role[]): void {
  const { socket } = request.raw;
  const name = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined;
  if (roles.some((role) => role === name)) return;
  throw new SottoError(
    "tls",
    `server ${party}: ${request.method} ${request.url} is not for the certificate of "${name}"; ` +
      `expected that of ${roles.join(" or ")}`,
  );
}

function nameOf(request: FastifyRequest): string {
  return checked(modelName, (request.params as { name?: unknown }).name, "the model's name");
}

function inferHeaders({ headers }: FastifyRequest): { session: string; plan: string; sizes: Sizes } {
  let stated: unknown;
  try {
    stated = JSON.parse(String(headers["sotto-sizes"] ?? "{}"));
  } catch {
    throw new SottoError("bad-input", "header sotto-sizes: expected JSON");
  }
  return {
    session: checked(id, headers["sotto-session"], "header sotto-session"),
    plan: checked(hex32, headers["sotto-plan"], "header sotto-plan"),
    sizes: checked(sizes, stated, "header sotto-sizes"),
  };
}

function bodyOf({ body }: FastifyRequest): Uint8Array {
  if (body instanceof Uint8Array) return body;
  throw new SottoError("bad-input", `expected a body of type ${OCTETS}`);
}

function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SottoError("bad-input", `${what}: ${parsed.error.issues[0]?.message ?? "wrong"}`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
