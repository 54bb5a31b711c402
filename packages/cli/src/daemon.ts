/** Starts a party in this process, which is named after it, from its configuration file. */
import { basename, extname } from "node:path";
import {
  loadDealerConfig,
  loadFrontConfig,
  loadServerConfig,
  startDealer,
  startFront,
  startServer,
} from "@sotto/server";
import type { Role } from "./cluster/messages.js";

export interface Daemon {
  /** The ports it listens on, by purpose. */
  ports: Record<string, number>;
  /** The same for people: for whom it listens, and where. */
  addresses: string[];
  /** Takes no new session; resolves when what runs has ended, or at the configured deadline. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** @throws SottoError bad-config, or what kept it from listening. */
export async function start(role: Role, file: string): Promise<Daemon> {
  if (role === "dealer") {
    const config = loadDealerConfig(file);
    process.title = titleOf("sotto dealer", config, file);
    const { ports, ...rest } = await startDealer(config);
    const addresses = [`for both servers on ${config.listen.host}:${ports.listen} (TLS)`];
    return { ports: { ...ports }, addresses: [...addresses, ...metricsAddress(config.metrics)], ...rest };
  }
  if (role === "front") {
    const config = loadFrontConfig(file);
    process.title = `sotto front ${config.party}`;
    const { ports, ...rest } = await startFront(config);
    const { http } = config;
    const addresses = http ? [`for the owner and clients on https://${http.host}:${ports.http}`] : [];
    return { ports: { ...ports }, addresses: [...addresses, ...metricsAddress(config.metrics)], ...rest };
  }
  const config = loadServerConfig(file);
  process.title = titleOf(`sotto server ${config.party}`, config, file);
  const { ports, ...rest } = await startServer(config);
  const addresses = [`for the owner and clients on https://${config.http.host}:${ports.http}`];
  const listen = config.peer.listen;
  if (listen) addresses.push(`for server 1 on ${listen.host}:${ports.peer} (TLS)`);
  addresses.push(...metricsAddress(config.metrics));
  return { ports: { ...ports }, addresses, ...rest };
}

/** What the system's list of processes shows. Workers of a party differ by their configuration's name alone. */
export function titleOf(party: string, { workers }: { workers?: unknown }, file: string): string {
  return workers ? `${party} (${basename(file, extname(file))})` : party;
}

function metricsAddress(metrics: { listen: string; tls?: unknown } | undefined): string[] {
  return metrics ? [`for metrics and health on ${metrics.tls ? "https" : "http"}://${metrics.listen}`] : [];
}
