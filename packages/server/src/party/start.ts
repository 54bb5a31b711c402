/** A computing server as a daemon: its models, its connections to the other server and the dealer, its API. */
import { Ring, type SottoError } from "@sotto/core";
import { asSottoError, greet, heartbeat, type Link } from "@sotto/wire";
import { type Identity, keepConnected, type Listener, listen, readIdentity } from "@sotto/wire/node";
import { admit } from "../admit.js";
import { handlersOf } from "../api/handlers.js";
import { openAudit } from "../clients/audit.js";
import { Callers } from "../clients/callers.js";
import { Limiter } from "../clients/limits.js";
import { Uploads } from "../clients/uploads.js";
import { type CheckedServerConfig, checkServerConfig, type ServerConfig } from "../config.js";
import { lockData } from "../data-lock.js";
import type { DaemonOptions } from "../dealer/start.js";
import { within } from "../drain.js";
import { type Logger, makeLog } from "../log.js";
import { observe } from "../observe/index.js";
import { Tally } from "../observe/tally.js";
import { CONNECT_TIMEOUT_MS, newId } from "../parties.js";
import { Runs } from "../runs.js";
import { turnLimits } from "./admission/turns.js";
import { Ahead } from "./ahead.js";
import { Connections, type Other } from "./connections.js";
import { SetupFollower } from "./follower.js";
import { type ApiOptions, startApi } from "./http.js";
import { SetupLeader } from "./leader.js";
import { Models } from "./models.js";
import { Sessions } from "./sessions.js";
import type { SetupPart } from "./setup-part.js";
import { SetUps } from "./setups.js";
import { StorageKey } from "./storage-key.js";
import { StreamPlaces, Streams } from "./streams/streams.js";

export interface RunningServer {
  /** `peer` is there for party 0, which listens for party 1. */
  ports: { http: number; plainHttp?: number; peer?: number; metrics?: number };
  /** Method and address of all that the HTTP API answers. */
  routes: readonly string[];
  /** How many run, or wait for a part of what they need. */
  sessions(): number;
  /** Takes no new session, and resolves when the running ones have ended, or at the configured deadline. */
  drain(): Promise<void>;
  /** Ends sessions with an error to their clients, closes every connection. */
  close(): Promise<void>;
}

/**
 * @throws SottoError bad-config (what is wrong in it, or cannot be read or listened on), tls (the certificate), conflict (a server
 * runs on the data folder).
 */
export async function startServer(config: ServerConfig, options: DaemonOptions = {}): Promise<RunningServer> {
  const checked = checkServerConfig(config);
  const { party, workers } = checked;
  const log = options.log ?? makeLog(`server-${party}`, checked.log?.level);
  const identity = readIdentity(checked.tls, `server-${party}`);
  const unlock = lockData(checked.data, log);
  try {
    const given = { ...options, log, identity };
    // large libraries, which nobody else needs
    const server = workers
      ? await (await import("../workers/server.js")).startServerWorker(checked, workers, given)
      : await startAlone(checked, given);
    return { ...server, close: () => server.close().finally(unlock) };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** The party's one process. */
async function startAlone(
  checked: CheckedServerConfig,
  options: DaemonOptions & { log: Logger; identity: Identity },
): Promise<RunningServer> {
  const { party } = checked;
  const { identity } = options;
  const log = options.log.child({ party });
  const ring = options.ring ?? (await Ring.create());
  const {
    sessionTimeoutMs: timeoutMs,
    roundTimeoutMs,
    joinTimeoutMs,
    maxBodyBytes,
    heartbeatMs,
    drainMs,
  } = checked.limits;
  const connections = new Connections({ peer: `server ${1 - party}`, dealer: "the dealer" });
  const key = StorageKey.fromEnvironment(options.env);
  const models = await Models.load(checked.data, party, log, { key });
  const setups = new SetUps(models, connections, options);
  const { tokens, limits } = checked.clients;
  const callers = await Callers.load({ party, limits, tokens, log, identity });
  const runs = new Runs();
  const ahead = new Ahead(checked.limits.preparedBytes);
  const tally = new Tally();
  const context = {
    ...{ party, ring, log, tally, timeoutMs, roundTimeoutMs, joinTimeoutMs },
    ...{ models, setups, connections, runs, ahead },
  };
  const part = party === 0 ? new SetupLeader(context) : new SetupFollower(context);
  const sessions = new Sessions(context, turnLimits(checked.limits), checked.limits.pool);
  const streams = new Streams(
    context,
    sessions,
    new StreamPlaces(checked.limits.maxStreams),
    checked.limits.streamIdleMs,
  );

  const connected = (other: Other) => (link: Link) =>
    attach(other, link, { connections, sessions, part, log, tally, heartbeatMs });
  // last opened, first closed
  const { audit, close: closeAudit } = openAudit(log, party, checked.audit?.file);
  const closers: (() => void | Promise<void>)[] = [closeAudit];
  const close = async () => {
    streams.close(`server ${party} is shutting down`);
    sessions.close(`server ${party} is shutting down`);
    part.close();
    setups.close();
    // the errors are on their way to the clients and to the other parties
    await new Promise((resolve) => setImmediate(resolve));
    connections.close();
    await Promise.all(closers.reverse().map((c) => c()));
  };
  const checkReady = () => {
    sessions.checkOpen();
    connections.need("peer");
    connections.need("dealer");
  };
  try {
    const common: Omit<ApiOptions, "address" | "identity"> = {
      party,
      maxBodyBytes,
      replyTimeoutMs: checked.limits.replyTimeoutMs,
      log,
      callers,
      limiter: new Limiter(),
      audit,
      models,
      tally,
      uploads: new Uploads(checked.limits.maxUploads),
      withoutCertificate: tokens !== undefined || checked.cors !== undefined,
      origins: checked.cors?.origins,
      streams,
      handlers: handlersOf({
        ...{ party, log, models, setups, sessions },
        onModel: () => part.kick(),
        onRemoved: (name) => part.removed(name),
        checkConnections: checkReady,
        roundTripMs: () => connections.get("peer")?.roundTripMs,
      }),
    };
    const api = await startApi({ ...common, address: checked.http, identity });
    closers.push(() => api.close());
    const { plainHttp } = checked;
    const plain = plainHttp && (await startApi({ ...common, address: plainHttp, identity: undefined }));
    if (plain) closers.push(() => plain.close());
    const peer = await connectPeer(checked, identity, log, connections, connected("peer"));
    closers.push(() => peer.close());
    closers.push(
      keepConnected({
        address: checked.dealer,
        identity,
        self: peer.self,
        remote: "dealer",
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        onLink: connected("dealer"),
        onDown: downOf("dealer", connections, log),
      }),
    );
    const metrics = await observe(checked.metrics, {
      party: `server-${party}`,
      tally,
      gauges: {
        connections: () => ({
          dealer: connections.get("dealer") !== undefined,
          [`server-${1 - party}`]: connections.get("peer") !== undefined,
        }),
        models: () => {
          const names = models.names();
          return { stored: names.length, ready: names.filter((name) => setups.isReady(name)).length };
        },
        ringBytes: () => ring.bytesInUse,
        queued: () => sessions.queued,
        streams: () => streams.count,
        pool: () => sessions.pool.depths,
      },
      checkReady,
    });
    if (metrics) closers.push(() => metrics.close());
    const ports = { http: api.port, plainHttp: plain?.port, peer: peer.port, metrics: metrics?.port };
    log.info({ ...ports, models: models.names().length }, "server listens");
    const drain = async () => {
      log.info({ drainMs }, "takes no new session");
      const all = await within(drainMs, async () => {
        streams.drain(`server ${party} is shutting down; open a new stream`);
        await sessions.drain();
        await Promise.all([api.idle(), plain?.idle()]);
      });
      if (!all) log.warn({ drainMs }, "sessions are still running at the deadline, and are ended");
    };
    return { ports: defined(ports), routes: api.routes, sessions: () => sessions.count, drain, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Without the ports that there are not. */
export function defined({ http, ...rest }: RunningServer["ports"]) {
  const there = Object.entries(rest).filter(([, port]) => port !== undefined);
  return { http, ...Object.fromEntries(there) } as RunningServer["ports"];
}

/** Server 0 listens for server 1, which dials. */
async function connectPeer(
  config: CheckedServerConfig,
  identity: Identity,
  log: Logger,
  connections: Connections,
  onLink: (link: Link) => void,
) {
  const self = { role: config.party === 0 ? "server-0" : "server-1", boot: newId() } as const;
  if (config.party === 1) {
    const stop = keepConnected({
      address: config.peer.connect!,
      identity,
      self,
      remote: "server-0",
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      onLink,
      onDown: downOf("peer", connections, log),
    });
    return { self, port: undefined, close: async () => stop() };
  }
  const refused = (error: unknown) => {
    const { code, message } = asSottoError(error);
    log.warn({ code, message }, "connection refused");
    if (!connections.get("peer")) connections.down("peer", message);
  };
  const listener: Listener = await listen(
    config.peer.listen!,
    identity,
    ["server-1"],
    (channel) => {
      const letIn = (boot: string) => admit(connections.get("peer"), "server-1", boot);
      greet(channel, self, "server-1", CONNECT_TIMEOUT_MS, onLink, letIn).catch(refused);
    },
    refused,
  );
  return { self, port: listener.port, close: () => listener.close() };
}

/** A dialled party cannot be reached, or was lost. A reason is logged once, not at each attempt. */
function downOf(other: Other, connections: Connections, log: Logger): (error: SottoError) => void {
  let last = "";
  return ({ code, message }) => {
    connections.down(other, message);
    if (message === last) return;
    last = message;
    log[code === "unreachable" ? "info" : "warn"]({ other, code, message }, "not connected; trying again");
  };
}

export interface Attached {
  connections: Connections;
  sessions: Sessions;
  part: SetupPart;
  log: Logger;
  tally: Tally;
  heartbeatMs: number;
}

/** Puts a new connection into use. */
export function attach(other: Other, link: Link, at: Attached): void {
  const { connections, sessions, part, log, tally, heartbeatMs } = at;
  connections.up(other, link);
  link.traffic = tally.traffic(link.remote);
  heartbeat(link, heartbeatMs);
  link.onControl = (message, bytes) => {
    if (part.take(other, message) || sessions.take(other, message, bytes)) return;
    if (message.type === "refused") {
      log.debug({ other, about: message.about, code: message.code, message: message.message }, "refused");
      return;
    }
    const text = `${message.type} is not a message that ${connections.name(other)} sends here`;
    log.warn({ other, type: message.type }, "unexpected message");
    link.control({ type: "refused", about: "", code: "protocol", message: text });
  };
  link.onClose((error) => {
    connections.down(other, error.message, link);
    if (other === "peer") sessions.peerLost(error);
    log.info({ other, reason: error.message }, "disconnected");
  });
  log.info({ other }, "connected");
  part.kick();
}
