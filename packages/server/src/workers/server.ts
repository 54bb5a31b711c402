/** One of several workers of a server: lanes to the other server's workers, and an API for the party's front alone. */
import { Ring, type SottoError } from "@sotto/core";
import { asSottoError, type ControlMessage, greet, heartbeat, type Link } from "@sotto/wire";
import { type Identity, listen } from "@sotto/wire/node";
import { handlersOf } from "../api/handlers.js";
import { openAudit } from "../clients/audit.js";
import { Callers } from "../clients/callers.js";
import { Limiter } from "../clients/limits.js";
import { Uploads } from "../clients/uploads.js";
import type { CheckedServerConfig } from "../config.js";
import type { DaemonOptions } from "../dealer/start.js";
import { within } from "../drain.js";
import type { Logger } from "../log.js";
import { listenForMetrics } from "../observe/listener.js";
import { makeRegistry } from "../observe/registry.js";
import { Tally } from "../observe/tally.js";
import { CONNECT_TIMEOUT_MS, newId } from "../parties.js";
import { Ahead } from "../party/ahead.js";
import { startApi } from "../party/http.js";
import { Models } from "../party/models.js";
import { defined, type RunningServer } from "../party/start.js";
import { StorageKey } from "../party/storage-key.js";
import { Runs } from "../runs.js";
import type { WorkersConfig } from "./config.js";
import { answerForMetrics } from "./figures.js";
import { Lanes } from "./lanes.js";
import { Mesh } from "./mesh.js";
import type { Begun } from "./messages.js";
import { ModelStore } from "./model-store.js";
import { Nats } from "./nats.js";
import { BEGUN, Registry } from "./registry.js";

/** @throws SottoError bad-config, tls: as startServer(). */
export async function startServerWorker(
  config: CheckedServerConfig,
  workers: WorkersConfig,
  options: DaemonOptions & { log: Logger; identity: Identity },
): Promise<RunningServer> {
  const { party, limits } = config;
  const role = party === 0 ? "server-0" : "server-1";
  const self = { role, boot: newId() } as const;
  const { version } = workers;
  const log = options.log.child({
    party,
    worker: self.boot.slice(0, 8),
  });
  const { identity } = options;
  const ring = options.ring ?? (await Ring.create());
  const key = StorageKey.fromEnvironment(options.env);
  const models = await Models.load(config.data, party, log, { key });
  const nats = await Nats.connect(workers.nats, role, log);
  const tally = new Tally();
  const lanes = new Lanes({
    config,
    shared: {
      ...{ party, ring, log, tally, models, runs: new Runs(), ahead: new Ahead(limits.preparedBytes) },
      timeoutMs: limits.sessionTimeoutMs,
      roundTimeoutMs: limits.roundTimeoutMs,
      joinTimeoutMs: limits.joinTimeoutMs,
    },
    dealers: () => dealers,
    onBegun: (session) => nats.publish(BEGUN, { session, worker: self.boot } satisfies Begun),
    onReady: () => registry?.beat(),
  });
  const store = new ModelStore({
    ...{ nats, models, log },
    onModel: () => lanes.kick(),
    onRemoved: (name) => lanes.removed(name),
  });
  const closers: (() => void | Promise<void>)[] = [() => nats.close(), () => store.close()];
  const ports = { http: 0, peer: undefined as number | undefined, metrics: undefined as number | undefined };
  let leaving = false;
  let registry: Registry | undefined;
  const none = (error: SottoError) =>
    log.debug({ reason: error.message }, "no worker to link to; trying again");
  const dealers: Mesh = new Mesh({
    ...{ address: config.dealer, remote: "dealer", identity, self, version, log, onNone: none },
    onLink: (link) => {
      link.traffic = tally.traffic("dealer");
      heartbeat(link, limits.heartbeatMs);
      link.onControl = (message, bytes) => fromDealer(lanes, link, message, bytes);
      log.info({ other: "dealer" }, "connected");
      lanes.kick();
    },
  });
  closers.push(() => dealers.close());
  const close = async () => {
    lanes.close(`server ${party} is shutting down`);
    registry?.close();
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(closers.reverse().map((c) => c()));
  };
  const checkReady = () => {
    nats.need();
    lanes.checkReady();
  };
  try {
    const { audit, close: closeAudit } = openAudit(log, party, config.audit?.file);
    closers.push(closeAudit);
    const api = await startApi({
      ...{ party, address: config.http, identity, log, audit, models, tally },
      uploads: new Uploads(limits.maxUploads),
      maxBodyBytes: limits.maxBodyBytes,
      replyTimeoutMs: limits.replyTimeoutMs,
      callers: await Callers.load({ party, limits: config.clients.limits, log, identity, front: true }),
      limiter: new Limiter(),
      withoutCertificate: false,
      origins: undefined,
      streams: lanes,
      handlers: handlersOf({
        ...{ party, log, models, setups: lanes, sessions: lanes },
        onModel: async (model) => {
          nats.need();
          await store.put(model);
          lanes.kick();
        },
        onRemoved: async (name) => {
          lanes.removed(name);
          await store.remove(name);
        },
        checkConnections: checkReady,
        roundTripMs: () => lanes.roundTripMs,
      }),
    });
    closers.push(() => api.close());
    ports.http = api.port;
    if (party === 0) {
      const refused = (error: unknown) => {
        const { code, message } = asSottoError(error);
        log.warn({ code, message }, "connection refused");
      };
      const listener = await listen(
        config.peer.listen!,
        identity,
        ["server-1"],
        (channel) => {
          const enter = (link: Link) => {
            link.control({ type: "workers", workers: registry?.addresses ?? [] });
            lanes.attach(link);
          };
          greet(channel, self, "server-1", CONNECT_TIMEOUT_MS, enter, async () => {}).catch(refused);
        },
        refused,
      );
      ports.peer = listener.port;
      closers.push(() => listener.close());
    } else {
      const peers = new Mesh({
        ...{ address: config.peer.connect!, remote: "server-0", identity, self, version, log, onNone: none },
        onLink: (link) => lanes.attach(link),
      });
      closers.push(() => peers.close());
    }
    // the front may send requests for all of them as soon as it hears of this worker
    await store.reconcile();
    registry = new Registry(nats, () => ({
      ...{ id: self.boot, version, leaving, api: ports.http, ready: lanes.ready, lanes: lanes.linked },
      host: workers.advertise ?? (config.peer.listen ?? config.http).host,
      port: ports.peer ?? ports.http,
    }));
    const known = registry;
    known.onChange = () => {
      if (party === 0 && nats.up) lanes.tell({ type: "workers", workers: known.addresses });
    };
    const figures = makeRegistry(role, tally, {
      connections: () => ({
        dealer: dealers.open.length > 0,
        [`server-${1 - party}`]: lanes.linked > 0,
      }),
      models: () => {
        const names = models.names();
        return {
          stored: names.length,
          ready: names.filter((n) => lanes.whyNotReady(n) === undefined).length,
        };
      },
      ringBytes: () => ring.bytesInUse,
      queued: () => lanes.queued,
      pool: () => lanes.depths,
    });
    answerForMetrics(nats, figures);
    if (config.metrics) {
      const metrics = await listenForMetrics(config.metrics, figures, checkReady);
      ports.metrics = metrics.port;
      closers.push(() => metrics.close());
    }
    log.info({ ...ports, version, models: models.names().length }, "worker listens");
    const drain = async () => {
      log.info({ drainMs: limits.drainMs }, "takes no new session");
      leaving = true;
      registry?.beat();
      const all = await within(limits.drainMs, async () => {
        await lanes.drain(`server ${party}: this worker is shutting down; try again`);
        await api.idle();
      });
      if (!all) log.warn("sessions are still running at the deadline, and are ended");
    };
    return { ports: defined(ports), routes: api.routes, sessions: () => lanes.count, drain, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Which lane a message of one of the dealer's workers is for. */
function fromDealer(lanes: Lanes, link: Link, message: ControlMessage, bytes: number): void {
  switch (message.type) {
    case "dealt":
    case "setup-seed": {
      const lane = lanes.get(message.peer ?? "");
      if (lane) lane.take("dealer", message, bytes, link);
      else if (message.type === "dealt") {
        const gone = "the other server's worker is not linked here";
        link.control({ type: "abort", session: message.session, code: "unreachable", message: gone });
      }
      return;
    }
    case "abort":
      lanes.of(message.session)?.take("dealer", message, bytes, link);
      return;
    case "refused":
    case "setup-drop":
    case "unknown-frame":
      for (const lane of lanes.all) lane.take("dealer", message, bytes, link);
      return;
    default:
      link.control({
        type: "refused",
        about: "",
        code: "protocol",
        message: `${message.type} is not a message that the dealer sends here`,
      });
  }
}
