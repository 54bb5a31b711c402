/** `workers` of a daemon's configuration: with it, the process is one of several of its party. docs/scaling.md */
import { PROTOCOL_VERSION } from "@sotto/wire";
import { z } from "zod";
import { VERSION } from "../version.js";

const path = z.string().min(1);

const nats = z.strictObject({
  /** host:port of this organisation's own NATS servers. */
  servers: z.array(z.string().min(1)).min(1, "expected one address host:port at least"),
  /** File of NATS credentials. */
  credentials: path.optional(),
  tls: z.strictObject({ ca: path, cert: path.optional(), key: path.optional() }).optional(),
  /** Copies of the dealer's queue and of the models, on as many servers of one NATS cluster. */
  replicas: z.union([z.literal(1), z.literal(3), z.literal(5)], { error: "expected 1, 3 or 5" }).default(1),
  /** First part of every subject and name, for NATS servers that serve others, too. */
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,40}$/, "expected letters, digits, dashes or underscores")
    .default("sotto"),
});

export const workersConfig = z.strictObject({
  nats,
  /** Host under which the other parties and the front reach this process; that of `listen` and `http` by default. */
  advertise: z.string().min(1).optional(),
  /** Workers of one version work with each other; by default that of the software and of its protocol. */
  version: z.string().min(1).max(100).default(`${VERSION}/${PROTOCOL_VERSION}`),
});

export type NatsConfig = z.output<typeof nats>;
export type WorkersConfig = z.output<typeof workersConfig>;

/** With paths made absolute. */
export function absoluteWorkers(workers: WorkersConfig, at: (path: string) => string): WorkersConfig {
  const { credentials, tls } = workers.nats;
  return {
    ...workers,
    nats: {
      ...workers.nats,
      ...(credentials ? { credentials: at(credentials) } : {}),
      ...(tls
        ? {
            tls: {
              ca: at(tls.ca),
              ...(tls.cert ? { cert: at(tls.cert) } : {}),
              ...(tls.key ? { key: at(tls.key) } : {}),
            },
          }
        : {}),
    },
  };
}
