/** The dealer as a daemon: listens for both servers. */
import { type RandomBytes, Ring, systemRandom } from "@sotto/core";
import { asSottoError, greet, type Link } from "@sotto/wire";
import { listen, readIdentity } from "@sotto/wire/node";
import type { DealerConfig } from "../config.js";
import { type Logger, makeLog } from "../log.js";
import { CONNECT_TIMEOUT_MS, newId } from "../parties.js";
import { Desk } from "./desk.js";

export interface DaemonOptions {
  /** Default: JSON lines on standard error, at the configuration's level. */
  log?: Logger;
  /** @internal Tests replace the operating system's randomness and look at the memory. */
  random?: RandomBytes;
  ring?: Ring;
}

export interface RunningDealer {
  ports: { listen: number };
  /** Closes every connection; sessions that still need the dealer fail. */
  close(): Promise<void>;
}

/** @throws SottoError bad-config (a file that cannot be read, an address that cannot be listened on), tls. */
export async function startDealer(config: DealerConfig, options: DaemonOptions = {}): Promise<RunningDealer> {
  const log = options.log ?? makeLog("dealer", config.log?.level);
  const identity = readIdentity(config.tls, "dealer");
  const desk = new Desk(options.ring ?? (await Ring.create()), options.random ?? systemRandom, log);
  const self = { role: "dealer", boot: newId() } as const;
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
      const connected = (link: Link) => desk.connected(server, link);
      const admit = (boot: string) => desk.admit(server, boot);
      greet(channel, self, server, CONNECT_TIMEOUT_MS, connected, admit).catch(warn);
    },
    warn,
  );
  log.info({ port: listener.port }, "dealer listens");
  return {
    ports: { listen: listener.port },
    close: async () => {
      desk.close();
      await listener.close();
    },
  };
}
