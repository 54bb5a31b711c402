/** One of several workers of the dealer: they share set-ups, and take the deals from one queue. */
import { Ring, systemRandom } from "@sotto/core";
import { asSottoError, greet, heartbeat, type Link } from "@sotto/wire";
import { listen, readIdentity } from "@sotto/wire/node";
import type { CheckedDealerConfig } from "../config.js";
import { Desk } from "../dealer/desk.js";
import type { DealerGroup } from "../dealer/group.js";
import type { DaemonOptions, RunningDealer } from "../dealer/start.js";
import { within } from "../drain.js";
import { makeLog } from "../log.js";
import { listenForMetrics } from "../observe/listener.js";
import { makeRegistry } from "../observe/registry.js";
import { Tally } from "../observe/tally.js";
import { CONNECT_TIMEOUT_MS, newId } from "../parties.js";
import type { WorkersConfig } from "./config.js";
import { Deals } from "./deals.js";
import { answerForMetrics } from "./figures.js";
import { SetUpFinder } from "./find.js";
import { anyId, nothing, setUpMade } from "./messages.js";
import { Nats } from "./nats.js";
import { Registry } from "./registry.js";

/** @throws SottoError bad-config, tls: as startDealer(). */
export async function startDealerWorker(
  config: CheckedDealerConfig,
  workers: WorkersConfig,
  options: DaemonOptions,
): Promise<RunningDealer> {
  const { heartbeatMs, drainMs } = config.limits;
  const self = { role: "dealer", boot: newId() } as const;
  const { version } = workers;
  const log = (options.log ?? makeLog("dealer", config.log?.level)).child({ worker: self.boot.slice(0, 8) });
  const identity = readIdentity(config.tls, "dealer");
  const ring = options.ring ?? (await Ring.create());
  const nats = await Nats.connect(workers.nats, "dealer", log);
  const tally = new Tally();
  const finder = new SetUpFinder({ nats, others: () => registry?.others });
  const group: DealerGroup = {
    // the seeds pass over the dealer's own NATS and are stored nowhere
    share: async (setup, shared) => {
      nats.need();
      nats.publish("setup-made", { setup, shared });
    },
    find: (setup) => finder.find(setup),
    dropped: (setup) => nats.publish("setup-dropped", setup),
    enqueue: (job) => deals.enqueue(job),
  };
  const desk = new Desk(
    ...([ring, options.random ?? systemRandom, log, tally, group, config.limits.setUpBytes] as const),
  );
  nats.subscribe("setup-made", setUpMade, ({ setup, shared }) => desk.learn(setup, shared));
  nats.subscribe("setup-dropped", anyId, (setup) => desk.drop(setup));
  nats.subscribe("setup.*", nothing, (_nothing, message) => {
    const shared = desk.known(message.subject.split(".").at(-1)!) ?? null;
    message.respond(JSON.stringify({ worker: self.boot, shared }));
  });
  const deals = new Deals({
    ...{ nats, version, log },
    work: (job) => desk.deal(job),
    refuse: (job, error) => desk.refuse(job, error),
  });

  const closers: (() => void | Promise<void>)[] = [() => nats.close()];
  let leaving = false;
  let registry: Registry | undefined;
  const close = async () => {
    registry?.close();
    await deals.stop();
    desk.close();
    await Promise.all(closers.reverse().map((c) => c()));
  };
  const checkReady = () => {
    nats.need();
    desk.checkReady();
  };
  try {
    const warn = (error: unknown) => {
      const { code, message } = asSottoError(error);
      log.warn({ code, message }, "connection refused");
    };
    const listener = await listen(
      config.listen,
      identity,
      ["server-0", "server-1"],
      (channel, role) => {
        const server = role === "server-0" ? "server-0" : "server-1";
        const enter = (link: Link) => {
          link.control({ type: "workers", workers: registry?.addresses ?? [] });
          link.traffic = tally.traffic(server);
          heartbeat(link, heartbeatMs);
          desk.connected(server, link);
        };
        const admit = (boot: string) => desk.admit(server, boot);
        greet(channel, self, server, CONNECT_TIMEOUT_MS, enter, admit).catch(warn);
      },
      warn,
    );
    closers.push(() => listener.close());
    const ports = { listen: listener.port, metrics: undefined as number | undefined };
    registry = new Registry(nats, () => ({
      ...{ id: self.boot, version, leaving, api: 0, ready: {}, lanes: 0, port: ports.listen },
      host: workers.advertise ?? config.listen.host,
    }));
    const known = registry;
    known.onChange = () => {
      if (nats.up) for (const link of desk.all()) link.control({ type: "workers", workers: known.addresses });
    };
    const gauges = { ...desk.gauges, ringBytes: () => ring.bytesInUse };
    const figures = makeRegistry("dealer", tally, gauges);
    answerForMetrics(nats, figures);
    if (config.metrics) {
      const metrics = await listenForMetrics(config.metrics, figures, checkReady);
      ports.metrics = metrics.port;
      closers.push(() => metrics.close());
    }
    deals.start();
    log.info({ port: listener.port, version }, "worker listens");
    return {
      ports: { listen: ports.listen, ...(ports.metrics ? { metrics: ports.metrics } : {}) },
      drain: async () => {
        log.info({ drainMs }, "deals for no new session");
        leaving = true;
        registry?.beat();
        await deals.stop();
        const all = await within(drainMs, () => desk.drain());
        if (!all) log.warn({ drainMs }, "sessions are still running at the deadline, and are ended");
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
