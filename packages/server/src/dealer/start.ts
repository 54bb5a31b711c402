/** The dealer as a daemon: listens for both servers. */
import { type RandomBytes, Ring, systemRandom } from "@sotto/core";
import { asSottoError, greet, heartbeat, type Link } from "@sotto/wire";
import { listen, readIdentity } from "@sotto/wire/node";
import { checkDealerConfig, type DealerConfig } from "../config.js";
import { within } from "../drain.js";
import { type Logger, makeLog } from "../log.js";
import { observe } from "../observe/index.js";
import { Tally } from "../observe/tally.js";
import { CONNECT_TIMEOUT_MS, newId } from "../parties.js";
import { Desk } from "./desk.js";

export interface DaemonOptions {
  /** Default: JSON lines on standard error, at the configuration's level. */
  log?: Logger;
  /** Where a server looks for SOTTO_STORAGE_KEY; the process's environment by default. */
  env?: NodeJS.ProcessEnv;
  /** @internal Tests replace the operating system's randomness and look at the memory. */
  random?: RandomBytes;
  ring?: Ring;
  /** @internal How long a replaced version takes new sessions. */
  retiringMs?: number;
}

export interface RunningDealer {
  ports: { listen: number; metrics?: number };
  /** Deals for no new session, and resolves when what runs has ended, or at the configured deadline. */
  drain(): Promise<void>;
  /** Closes every connection; sessions that still need the dealer fail. */
  close(): Promise<void>;
}

/** @throws SottoError bad-config (a file that cannot be read, an address that cannot be listened on), tls. */
export async function startDealer(config: DealerConfig, options: DaemonOptions = {}): Promise<RunningDealer> {
  const checked = checkDealerConfig(config);
  if (checked.workers) {
    // large libraries, which nobody else needs
    const { startDealerWorker } = await import("../workers/dealer.js");
    return startDealerWorker(checked, checked.workers, options);
  }
  const { heartbeatMs, drainMs, setUpBytes } = checked.limits;
  const log = options.log ?? makeLog("dealer", checked.log?.level);
  const identity = readIdentity(checked.tls, "dealer");
  const ring = options.ring ?? (await Ring.create());
  const tally = new Tally();
  const desk = new Desk(ring, options.random ?? systemRandom, log, tally, undefined, setUpBytes);
  const self = { role: "dealer", boot: newId() } as const;
  const warn = (error: unknown) => {
    const { code, message } = asSottoError(error);
    log.warn({ code, message }, "connection refused");
  };
  const listener = await listen(
    checked.listen,
    identity,
    ["server-0", "server-1"],
    (channel, role) => {
      const server = role === "server-0" ? "server-0" : "server-1";
      const connected = (link: Link) => {
        link.traffic = tally.traffic(server);
        heartbeat(link, heartbeatMs);
        desk.connected(server, link);
      };
      const admit = (boot: string) => desk.admit(server, boot);
      greet(channel, self, server, CONNECT_TIMEOUT_MS, connected, admit).catch(warn);
    },
    warn,
  );
  const close = async () => {
    desk.close();
    await Promise.all([listener.close(), metrics?.close()]);
  };
  let metrics: Awaited<ReturnType<typeof observe>>;
  try {
    const { gauges } = desk;
    metrics = await observe(checked.metrics, {
      party: "dealer",
      tally,
      gauges: { ...gauges, ringBytes: () => ring.bytesInUse },
      checkReady: () => desk.checkReady(),
    });
  } catch (error) {
    await close();
    throw error;
  }
  log.info({ port: listener.port, metrics: metrics?.port }, "dealer listens");
  return {
    ports: { listen: listener.port, ...(metrics ? { metrics: metrics.port } : {}) },
    drain: async () => {
      log.info({ drainMs }, "deals for no new session");
      const all = await within(drainMs, () => desk.drain());
      if (!all) log.warn({ drainMs }, "sessions are still running at the deadline, and are ended");
    },
    close,
  };
}
