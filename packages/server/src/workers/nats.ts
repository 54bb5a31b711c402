/** The connection to the organisation's NATS: it comes back by itself, and says whether it is there. */
import { readFileSync } from "node:fs";
import { type JetStreamClient, jetstream } from "@nats-io/jetstream";
import {
  AuthorizationError,
  connect,
  createInbox,
  credsAuthenticator,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";
import { SottoError } from "@sotto/core";
import { asSottoError, issuesText, type Role } from "@sotto/wire";
import type * as z from "zod/mini";
import { within } from "../drain.js";
import type { Logger } from "../log.js";
import type { NatsConfig } from "./config.js";

const RECONNECT_MS = 500;
/** A server that says nothing for two of them is gone. */
const PING_MS = 5000;
const FLUSH_MS = 500;

/** What most of a process needs of it. */
export type Bus = Pick<Nats, "up" | "need" | "onChange" | "publish" | "subscribe">;

/** The part of a message that is read. */
export type Received = Pick<Msg, "subject" | "data" | "respond">;

export class Nats {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  /** The name of what this party has in NATS. */
  readonly prefix: string;
  /** Servers that have a copy of what is stored. */
  readonly replicas: number;
  private readonly party: Role;
  private readonly log: Logger;
  private readonly listeners: (() => void)[] = [];
  private isUp = true;

  private constructor(connection: NatsConnection, config: NatsConfig, party: Role, log: Logger) {
    this.connection = connection;
    this.js = jetstream(connection);
    this.party = party;
    this.prefix = `${config.prefix}-${party}`;
    this.replicas = config.replicas;
    this.log = log;
    void this.follow(log);
  }

  /** Waits for NATS if it is not there yet. @throws SottoError bad-config: a file that cannot be read. */
  static async connect(config: NatsConfig, party: Role, log: Logger): Promise<Nats> {
    const { servers, credentials, tls } = config;
    const read = (file: string, key: string) => {
      try {
        return readFileSync(file);
      } catch (cause) {
        const why = (cause as NodeJS.ErrnoException).code;
        throw new SottoError("bad-config", `workers.nats.${key}: cannot read ${file} (${why})`, { cause });
      }
    };
    // read again whenever it connects: they expire, and are replaced
    const authenticator = credentials && credsAuthenticator(() => read(credentials, "credentials"));
    log.info({ servers }, "connecting to NATS");
    const options: NodeConnectionOptions = {
      servers,
      name: `sotto ${party}`,
      reconnect: true,
      maxReconnectAttempts: -1,
      waitOnFirstConnect: true,
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: RECONNECT_MS,
      pingInterval: PING_MS,
      ...(authenticator ? { authenticator } : {}),
      ...(tls
        ? {
            tls: {
              ca: read(tls.ca, "tls.ca").toString(),
              ...(tls.cert ? { cert: read(tls.cert, "tls.cert").toString() } : {}),
              ...(tls.key ? { key: read(tls.key, "tls.key").toString() } : {}),
            },
          }
        : {}),
    };
    await untilLetIn(log, options);
    const connection = await connect(options);
    return new Nats(connection, config, party, log);
  }

  get up(): boolean {
    return this.isUp && !this.connection.isClosed();
  }

  /** @throws SottoError unreachable: what a client may try again. */
  need(): void {
    if (this.up) return;
    throw this.away();
  }

  /** Called when the connection has gone, and when it has come back. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  subject(name: string): string {
    return `${this.prefix}.${name}`;
  }

  /** Tells whoever listens; nobody, while NATS is away. */
  publish(name: string, value: unknown): void {
    if (this.up) this.connection.publish(this.subject(name), JSON.stringify(value));
  }

  /** What is not as the schema says is logged and dropped, and so is what cannot be taken. */
  subscribe<S extends z.ZodMiniType>(
    name: string,
    schema: S,
    take: (value: z.output<S>, message: Received) => void,
  ): void {
    this.connection.subscribe(this.subject(name), {
      callback: (error, message) => {
        if (!error) receive(schema, message, this.log, (value) => take(value, message));
      },
    });
  }

  /** Asks whoever listens. @param take each answer. @returns takes no further one. */
  ask<S extends z.ZodMiniType>(name: string, schema: S, take: (value: z.output<S>) => void): () => void {
    const inbox = createInbox();
    const answers = this.connection.subscribe(inbox, {
      callback: (error, message) => {
        if (!error) receive(schema, message, this.log, take);
      },
    });
    this.connection.publish(this.subject(name), undefined, { reply: inbox });
    return () => answers.unsubscribe();
  }

  /** Gives a stream of JetStream that is there as many copies as are configured. @throws when NATS cannot, or does not answer. */
  async copy(stream: string): Promise<void> {
    const { streams } = await this.js.jetstreamManager();
    const { config } = await streams.info(stream);
    if (config.num_replicas === this.replicas) return;
    await streams.update(stream, { num_replicas: this.replicas });
  }

  async close(): Promise<void> {
    // what was published last, if NATS takes it
    if (this.up) await within(FLUSH_MS, () => this.connection.flush()).catch(() => {});
    await this.connection.close();
  }

  private async follow(log: Logger): Promise<void> {
    for await (const { type } of this.connection.status()) {
      const up = type === "reconnect" ? true : type === "disconnect" ? false : this.isUp;
      if (up === this.isUp) continue;
      this.isUp = up;
      log[up ? "info" : "warn"](up ? "NATS is back" : "NATS is away");
      for (const listener of this.listeners) listener();
    }
  }

  private away(): SottoError {
    return new SottoError(
      "unreachable",
      `${this.party}: its NATS is not connected, so no new session can begin; try again`,
    );
  }
}

/**
 * The library's own attempts go on for ever, and say nothing of why.
 * @throws SottoError bad-config where NATS answers, and does not let this process in.
 */
async function untilLetIn(log: Logger, options: NodeConnectionOptions): Promise<void> {
  const once = { reconnect: false, waitOnFirstConnect: false, ignoreAuthErrorAbort: false };
  for (;;) {
    try {
      const connection = await connect({ ...options, ...once, ignoreClusterUpdates: true });
      return await connection.close();
    } catch (cause) {
      const { message } = cause as Error;
      if (cause instanceof AuthorizationError) {
        throw new SottoError(
          "bad-config",
          `NATS at ${options.servers} does not let this process in (${message}); check workers.nats.credentials`,
          { cause },
        );
      }
      log.info({ reason: message }, "NATS does not answer; trying again");
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }
}

/** Reads a message, of whatever is sent over NATS. It never throws: one that is malformed is logged and dropped. */
export function receive<S extends z.ZodMiniType>(
  schema: S,
  { subject, data }: Pick<Msg, "subject" | "data">,
  log: Logger,
  take: (value: z.output<S>) => void,
): void {
  try {
    take(parse(schema, data));
  } catch (error) {
    // values may be seeds
    log.warn({ subject, reason: asSottoError(error).message }, "message over NATS dropped");
  }
}

/** @throws SottoError protocol naming the fields that are wrong, never their values. */
export function parse<S extends z.ZodMiniType>(schema: S, data: Uint8Array): z.output<S> {
  let value: unknown;
  try {
    value = data.length > 0 ? JSON.parse(new TextDecoder().decode(data)) : undefined;
  } catch {
    // the parser's own message quotes its input
    throw new SottoError("protocol", `${data.length} bytes that are not JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SottoError("protocol", issuesText(parsed.error, "message"));
}
