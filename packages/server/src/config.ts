/** Configuration files of the daemons. Relative paths in them are relative to the file. */
import { dirname, resolve } from "node:path";
import { SottoError } from "@sotto/core";
import { type Address, explain, type IdentityPaths, readYaml } from "@sotto/wire/node";
import { z } from "zod";
import { clientLimits } from "./clients/limits.js";
import { isLoopback } from "./loopback.js";
import { absoluteMetrics, type MetricsConfig, metricsConfig } from "./observe/config.js";
import { absoluteWorkers, type WorkersConfig, workersConfig } from "./workers/config.js";

const address = z.strictObject({ host: z.string().min(1), port: z.number().int().min(0).max(65535) });
const tls = z.strictObject({ ca: z.string().min(1), cert: z.string().min(1), key: z.string().min(1) });
const log = z.strictObject({ level: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]) });

/** After so many milliseconds without a byte a connection to another party counts as lost. */
const heartbeatMs = z.number().int().min(100).default(30_000);
/** After SIGTERM, what runs gets so many milliseconds to end by itself. */
const drainMs = z.number().int().min(0).default(30_000);

const limits = z.strictObject({
  heartbeatMs,
  drainMs,
  /** Longest wait for anything that a session needs, in milliseconds. Clients wait 60 s, and shall hear why. */
  sessionTimeoutMs: z.number().int().min(100).default(50_000),
  /** Longest silence of the other server within a round, in milliseconds; of the dealer, three quarters of it. */
  roundTimeoutMs: z.number().int().min(100).default(20_000),
  /** Longest body of a request: models and input shares. */
  maxBodyBytes: z
    .number()
    .int()
    .min(1024)
    .default(2 ** 28),
  /** Bodies at the same time that owners have begun to send: models, and input shares. */
  maxUploads: z.number().int().min(1).default(8),
  /** Sessions at the same time; alike on both servers. */
  maxSessions: z.number().int().min(1).default(64),
  /** Requests that wait for their turn beyond those. Clients take turns. */
  queueLength: z.number().int().min(0).default(256),
  /** Bytes of input shares that wait; one request alone may have more. */
  queueBytes: z
    .number()
    .int()
    .min(0)
    .default(2 ** 28),
  /** Longest wait for a turn, in milliseconds; three quarters of sessionTimeoutMs at most. */
  queueWaitMs: z.number().int().min(0).default(20_000),
  /** Longest wait of server 1 for a client's request to a session that server 0 has begun, in milliseconds. */
  joinTimeoutMs: z.number().int().min(100).default(10_000),
  /** A reply of which the client takes nothing for so long is given up, in milliseconds. */
  replyTimeoutMs: z.number().int().min(100).default(30_000),
  /** Bytes of correlated randomness that all sessions together may have prepared ahead of their rounds. */
  preparedBytes: z
    .number()
    .int()
    .min(0)
    .default(12 * 2 ** 20),
  /** Sessions' worth of randomness prepared ahead of demand, for each model and sizes asked for lately. 0: none. */
  pool: z.number().int().min(0).max(64).default(2),
  /** Streams at the same time. Each holds its state, and the randomness of its next two chunks. */
  maxStreams: z.number().int().min(1).default(32),
  /** A stream without a step for so long is ended, in milliseconds. */
  streamIdleMs: z.number().int().min(100).default(300_000),
});

const dealerConfig = z.strictObject({
  listen: address,
  tls,
  limits: z
    .strictObject({
      heartbeatMs,
      drainMs,
      /** Bytes of set-ups' masks that lie expanded; of the others the seeds are kept, and they are expanded where used. */
      setUpBytes: z
        .number()
        .int()
        .min(0)
        .default(2 ** 28),
    })
    .prefault({}),
  metrics: metricsConfig.optional(),
  workers: workersConfig.optional(),
  log: log.optional(),
});
/** Who may use the HTTP API, besides whoever has a certificate of the cluster. */
const clientsConfig = z.strictObject({
  /** File of API tokens (sotto token create). With it, connections need no certificate. */
  tokens: z.string().min(1).optional(),
  /** What each client may ask for; a token can state limits of its own. */
  limits: clientLimits.prefault({}),
});

/** Web pages that may use the API. */
const cors = z.strictObject({
  origins: z
    .array(z.string().regex(/^(\*|https?:\/\/[^/]+)$/, 'expected an origin https://host, or "*" for any'))
    .min(1),
});

/** The HTTP API without TLS, for a proxy or a web page on the same machine. */
const plainHttp = address.extend({
  host: z.string().refine(isLoopback, {
    error:
      "expected 127.0.0.1 or ::1: without TLS anybody on the way could read tokens and shares. " +
      "For other machines let a proxy that has a certificate listen there, and forward to this port",
  }),
});

/** Without a file, audit lines go into the log. */
const audit = z.strictObject({ file: z.string().min(1) });

function checkPlainHttp(
  { plainHttp, clients }: { plainHttp?: unknown; clients: z.output<typeof clientsConfig> },
  context: z.RefinementCtx,
): void {
  if (!plainHttp || clients.tokens !== undefined) return;
  const message = "needs clients.tokens: without TLS there are no certificates to tell clients by";
  context.addIssue({ code: "custom", path: ["plainHttp"], message });
}

const serverConfig = z
  .strictObject({
    party: z.literal([0, 1]),
    /** Folder of the models. */
    data: z.string().min(1),
    http: address,
    plainHttp: plainHttp.optional(),
    peer: z.strictObject({ listen: address.optional(), connect: address.optional() }),
    dealer: address,
    tls,
    limits: limits.prefault({}),
    metrics: metricsConfig.optional(),
    workers: workersConfig.optional(),
    clients: clientsConfig.prefault({}),
    cors: cors.optional(),
    audit: audit.optional(),
    log: log.optional(),
  })
  .superRefine((config, context) => {
    const { party, peer, workers, cors, plainHttp, clients } = config;
    if (workers) {
      const ofTheFront = { plainHttp, cors, "clients.tokens": clients.tokens };
      for (const [key, value] of Object.entries(ofTheFront)) {
        if (value === undefined) continue;
        const message = "belongs into the front's configuration: clients do not come to a worker";
        context.addIssue({ code: "custom", path: key.split("."), message });
      }
    } else {
      checkPlainHttp(config, context);
    }
    const [needed, other] = party === 0 ? (["listen", "connect"] as const) : (["connect", "listen"] as const);
    const role = `party ${party} ${needed}s${needed === "listen" ? "" : " to party 0"}`;
    if (!peer[needed]) {
      context.addIssue({ code: "custom", path: ["peer", needed], message: `${role}: expected {host, port}` });
    }
    if (peer[other]) {
      context.addIssue({ code: "custom", path: ["peer", other], message: `${role}: expected nothing here` });
    }
  });

/** The front of a party that has several workers; of the dealer, for metrics alone. */
const frontConfig = z
  .strictObject({
    party: z.literal([0, 1, "dealer"]),
    http: address.optional(),
    plainHttp: plainHttp.optional(),
    tls,
    limits: limits.prefault({}),
    metrics: metricsConfig.optional(),
    workers: workersConfig,
    clients: clientsConfig.prefault({}),
    cors: cors.optional(),
    audit: audit.optional(),
    log: log.optional(),
  })
  .superRefine((config, context) => {
    const { party, http } = config;
    checkPlainHttp(config, context);
    if ((party === "dealer") === (http === undefined)) return;
    const message = `party ${party}: expected ${http ? "nothing here" : "{host, port} for clients"}`;
    context.addIssue({ code: "custom", path: ["http"], message });
  });

export type FrontConfig = z.input<typeof frontConfig>;
export type CheckedFrontConfig = z.output<typeof frontConfig>;
export type DealerConfig = z.input<typeof dealerConfig>;
export type ServerConfig = z.input<typeof serverConfig>;
/** With every default filled in. */
export type CheckedDealerConfig = z.output<typeof dealerConfig>;
export type CheckedServerConfig = z.output<typeof serverConfig>;
export type { Address };

/** @throws SottoError bad-config naming the file, the key, what was expected and what was found. */
export function loadDealerConfig(path: string): CheckedDealerConfig {
  return absolute(path, readYaml(path, dealerConfig));
}

/** @throws SottoError bad-config naming the file, the key, what was expected and what was found. */
export function loadServerConfig(path: string): CheckedServerConfig {
  const config = readYaml(path, serverConfig);
  return { ...api(path, absolute(path, config)), data: resolve(dirname(path), config.data) };
}

/** @throws SottoError bad-config naming the file, the key, what was expected and what was found. */
export function loadFrontConfig(path: string): CheckedFrontConfig {
  return api(path, absolute(path, readYaml(path, frontConfig)));
}

type Api = Pick<CheckedServerConfig, "clients" | "audit">;

function api<T extends Api>(path: string, config: T): T {
  const at = (p: string) => resolve(dirname(path), p);
  const { clients, audit } = config;
  return {
    ...config,
    clients: { ...clients, ...(clients.tokens === undefined ? {} : { tokens: at(clients.tokens) }) },
    ...(audit ? { audit: { file: at(audit.file) } } : {}),
  };
}

/** Fills in defaults of a configuration made by a program. @throws SottoError bad-config */
export function checkServerConfig(config: ServerConfig): CheckedServerConfig {
  return check(serverConfig, config, "server configuration");
}

/** The same of a front's. */
export function checkFrontConfig(config: FrontConfig): CheckedFrontConfig {
  return check(frontConfig, config, "front configuration");
}

/** The same of a dealer's. */
export function checkDealerConfig(config: DealerConfig): CheckedDealerConfig {
  return check(dealerConfig, config, "dealer configuration");
}

function check<S extends z.ZodType>(schema: S, config: z.input<S>, what: string): z.output<S> {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  throw new SottoError("bad-config", `${what}: ${explain(schema, parsed.error.issues, config)}`);
}

interface WithPaths {
  tls: IdentityPaths;
  metrics?: MetricsConfig | undefined;
  workers?: WorkersConfig | undefined;
}

function absolute<T extends WithPaths>(path: string, config: T): T {
  const at = (p: string) => resolve(dirname(path), p);
  const { ca, cert, key } = config.tls;
  const { metrics, workers } = config;
  return {
    ...config,
    tls: { ca: at(ca), cert: at(cert), key: at(key) },
    ...(metrics ? { metrics: absoluteMetrics(metrics, at) } : {}),
    ...(workers ? { workers: absoluteWorkers(workers, at) } : {}),
  };
}
