/** Configuration files of the daemons. Relative paths in them are relative to the file. */
import { dirname, resolve } from "node:path";
import { SottoError } from "@sotto/core";
import { type Address, explain, type IdentityPaths, readYaml } from "@sotto/wire/node";
import { z } from "zod";

const address = z.strictObject({ host: z.string().min(1), port: z.number().int().min(0).max(65535) });
const tls = z.strictObject({ ca: z.string().min(1), cert: z.string().min(1), key: z.string().min(1) });
const log = z.strictObject({ level: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]) });

const limits = z.strictObject({
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
  /** Sessions at the same time. */
  maxSessions: z.number().int().min(1).default(64),
  /** Bytes of correlated randomness that all sessions together may have prepared ahead of their rounds. */
  preparedBytes: z
    .number()
    .int()
    .min(0)
    .default(2 ** 23),
});

const dealerConfig = z.strictObject({ listen: address, tls, log: log.optional() });

const serverConfig = z
  .strictObject({
    party: z.literal([0, 1]),
    /** Folder of the models. */
    data: z.string().min(1),
    http: address,
    peer: z.strictObject({ listen: address.optional(), connect: address.optional() }),
    dealer: address,
    tls,
    limits: limits.prefault({}),
    log: log.optional(),
  })
  .superRefine(({ party, peer }, context) => {
    const [needed, other] = party === 0 ? (["listen", "connect"] as const) : (["connect", "listen"] as const);
    const role = `party ${party} ${needed}s${needed === "listen" ? "" : " to party 0"}`;
    if (!peer[needed]) {
      context.addIssue({ code: "custom", path: ["peer", needed], message: `${role}: expected {host, port}` });
    }
    if (peer[other]) {
      context.addIssue({ code: "custom", path: ["peer", other], message: `${role}: expected nothing here` });
    }
  });

export type DealerConfig = z.input<typeof dealerConfig>;
export type ServerConfig = z.input<typeof serverConfig>;
/** With every default filled in. */
export type CheckedServerConfig = z.output<typeof serverConfig>;
export type { Address };

/** @throws SottoError bad-config naming the file, the key, what was expected and what was found. */
export function loadDealerConfig(path: string): DealerConfig {
  const config = readYaml(path, dealerConfig);
  return { ...config, tls: absolute(path, config.tls) };
}

/** @throws SottoError bad-config naming the file, the key, what was expected and what was found. */
export function loadServerConfig(path: string): CheckedServerConfig {
  const config = readYaml(path, serverConfig);
  return { ...config, tls: absolute(path, config.tls), data: resolve(dirname(path), config.data) };
}

/** Fills in defaults of a configuration made by a program. @throws SottoError bad-config */
export function checkServerConfig(config: ServerConfig): CheckedServerConfig {
  const parsed = serverConfig.safeParse(config);
  if (parsed.success) return parsed.data;
  throw new SottoError(
    "bad-config",
    `server configuration: ${explain(serverConfig, parsed.error.issues, config)}`,
  );
}

function absolute(path: string, paths: IdentityPaths) {
  const at = (p: string) => resolve(dirname(path), p);
  return { ca: at(paths.ca), cert: at(paths.cert), key: at(paths.key) };
}
