/**
 * The one name of a party that has several workers: the HTTPS API, which checks who asks, limits and audits, and hands
 * requests on. It holds no share but the halves on their way. Of the dealer it shows metrics alone.
 */
import { asSottoError } from "@sotto/wire";
import { readIdentity } from "@sotto/wire/node";
import { openAudit } from "../clients/audit.js";
import { Callers } from "../clients/callers.js";
import { Limiter } from "../clients/limits.js";
import { Uploads } from "../clients/uploads.js";
import { type CheckedFrontConfig, checkFrontConfig, type FrontConfig } from "../config.js";
import type { DaemonOptions } from "../dealer/start.js";
import { within } from "../drain.js";
import { type Logger, makeLog } from "../log.js";
import { listenForMetrics } from "../observe/listener.js";
import { makeRegistry } from "../observe/registry.js";
import { Tally } from "../observe/tally.js";
import { startApi } from "../party/http.js";
import { AllFigures } from "./figures.js";
import { Forwarder } from "./forward.js";
import { forwardingHandlers } from "./front-handlers.js";
import { ForwardedStreams } from "./front-streams.js";
import { Nats } from "./nats.js";
import { Placing } from "./placing.js";
import { Registry } from "./registry.js";

export interface RunningFront {
  ports: { http?: number; plainHttp?: number; metrics?: number };
  /** Takes no new request; resolves when those that are there are answered, or at the configured deadline. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** @throws SottoError bad-config, tls. */
export async function startFront(config: FrontConfig, options: DaemonOptions = {}): Promise<RunningFront> {
  const checked = checkFrontConfig(config);
  const { party, limits, workers } = checked;
  const role = party === "dealer" ? "dealer" : (`server-${party}` as const);
  const log = (options.log ?? makeLog(role, checked.log?.level)).child({ front: true });
  const nats = await Nats.connect(workers.nats, role, log);
  const registry = new Registry(nats);
  const closers: (() => void | Promise<void>)[] = [() => nats.close(), () => registry.close()];
  const close = async () => {
    await Promise.all(closers.reverse().map((c) => c()));
  };
  try {
    const tally = new Tally();
    const ports: RunningFront["ports"] = {};
    let idle = async () => {};
    if (party !== "dealer") {
      const api = await startPublicApi(checked, party, nats, registry, tally, log);
      Object.assign(ports, api.ports);
      idle = api.idle;
      closers.push(api.close);
    }
    if (checked.metrics) {
      // what it refuses never reaches a worker
      const nothing = {
        connections: () => ({}),
        models: () => ({ stored: 0, ready: 0 }),
        ringBytes: () => 0,
      };
      const count = () => registry.live.length;
      const own = makeRegistry(role, tally, { ...nothing, workers: count });
      const figures = new AllFigures(nats, own, count, log);
      const metrics = await listenForMetrics(checked.metrics, figures, () => {
        nats.need();
      });
      ports.metrics = metrics.port;
      closers.push(() => metrics.close());
    }
    log.info({ ...ports }, "front listens");
    return {
      ports,
      drain: async () => {
        await within(limits.drainMs, idle);
      },
      close,
    };
  } catch (error) {
    await close();
    throw asSottoError(error);
  }
}

async function startPublicApi(
  config: CheckedFrontConfig,
  party: 0 | 1,
  nats: Nats,
  registry: Registry,
  tally: Tally,
  log: Logger,
) {
  const { limits, clients, cors } = config;
  const identity = readIdentity(config.tls, `server-${party}`);
  const forwarder = new Forwarder(party, identity);
  const placing = new Placing({ party, nats, registry, forwarder, limits });
  const { audit, close: closeAudit } = openAudit(log, party, config.audit?.file);
  const { tokens } = clients;
  const common = {
    ...{ party, log, audit, tally },
    uploads: new Uploads(limits.maxUploads),
    maxBodyBytes: limits.maxBodyBytes,
    replyTimeoutMs: limits.replyTimeoutMs,
    callers: await Callers.load({ party, limits: clients.limits, tokens, log, identity }),
    limiter: new Limiter(),
    withoutCertificate: tokens !== undefined || cors !== undefined,
    origins: cors?.origins,
    streams: new ForwardedStreams(placing, forwarder, limits.streamIdleMs),
    handlers: forwardingHandlers(party, placing, forwarder),
  };
  const api = await startApi({ ...common, address: config.http!, identity });
  const { plainHttp } = config;
  const plain = plainHttp && (await startApi({ ...common, address: plainHttp, identity: undefined }));
  const close = async () => {
    await Promise.all([api.close(), plain?.close()]);
    forwarder.close();
    await closeAudit();
  };
  const idle = async () => void (await Promise.all([api.idle(), plain?.idle()]));
  return { ports: { http: api.port, ...(plain ? { plainHttp: plain.port } : {}) }, idle, close };
}
