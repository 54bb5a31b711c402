/** A cluster in one process, over real sockets, for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, type Cluster, connect, type Token } from "@sotto/client";
import { makeCertificates } from "../certificates.js";
import type { DealerConfig, ServerConfig } from "../config.js";
import { type DaemonOptions, type RunningDealer, startDealer } from "../dealer/start.js";
import { makeLog } from "../log.js";
import { type RunningServer, startServer } from "../party/start.js";
import type { Middle } from "./middle.js";
import { Relay } from "./relay.js";
import { interpose } from "./tls-middle.js";

export interface TestClusterOptions {
  /** Put between server 1 and server 0, and between the servers and the dealer. */
  relays?: boolean;
  /** Put into the same places, in place of relays: it has every party's certificate, and sees every frame. */
  middle?: Middle;
  /** Each party listens for them on a port of its own. */
  metrics?: boolean;
  limits?: Partial<NonNullable<ServerConfig["limits"]>>;
  dealerLimits?: DealerConfig["limits"];
  /** More of the servers' configuration. */
  config?: Partial<Pick<ServerConfig, "clients" | "cors" | "audit" | "plainHttp">>;
  dealer?: DaemonOptions;
  servers?: [DaemonOptions, DaemonOptions];
}

/** A temporary folder with certificates; made once a test file, since keys take time. */
export async function makeTestFolder(): Promise<{ dir: string; remove: () => void }> {
  const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
  await makeCertificates(join(dir, "certs"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export function tlsPaths(dir: string, role: string) {
  const at = (file: string) => join(dir, "certs", file);
  return { ca: at("ca.pem"), cert: at(`${role}.pem`), key: at(`${role}.key`) };
}

const HOST = "127.0.0.1";
const quiet: DaemonOptions = {
  log: makeLog("test", process.env.SOTTO_TEST_LOG === "1" ? "trace" : "silent"),
};

export class TestCluster {
  dealer: RunningDealer | undefined;
  readonly servers: [RunningServer | undefined, RunningServer | undefined] = [undefined, undefined];
  readonly dir: string;
  private readonly options: TestClusterOptions;
  private readonly clients: Client[] = [];
  private dealerPort = 0;
  private peerPort = 0;
  toPeer: Relay | undefined;
  toDealer: Relay | undefined;
  private readonly inMiddle: { close(): Promise<void> }[] = [];
  private peerVia: number | undefined;
  private dealerVia: number | undefined;
  private readonly httpPorts = [0, 0];

  private constructor(dir: string, options: TestClusterOptions) {
    this.dir = dir;
    this.options = options;
  }

  /** @param data folder of this cluster's models, below `dir`. */
  static async start(dir: string, options: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(dir, options);
    await cluster.startDealer();
    if (options.relays) {
      cluster.toDealer = await Relay.start(() => cluster.dealerPort);
      cluster.toPeer = await Relay.start(() => cluster.peerPort);
      cluster.dealerVia = cluster.toDealer.port;
      cluster.peerVia = cluster.toPeer.port;
    }
    const { middle } = options;
    if (middle) {
      const tls = (role: string) => tlsPaths(dir, role);
      const dealer = { middle, tls, as: "dealer", from: ["server-0", "server-1"] } as const;
      const peer = { middle, tls, as: "server-0", from: ["server-1"] } as const;
      const toDealer = await interpose({ ...dealer, port: () => cluster.dealerPort });
      const toPeer = await interpose({ ...peer, port: () => cluster.peerPort });
      cluster.inMiddle.push(toDealer, toPeer);
      cluster.dealerVia = toDealer.port;
      cluster.peerVia = toPeer.port;
    }
    await cluster.startServer(0);
    await cluster.startServer(1);
    return cluster;
  }

  dealerConfig(): DealerConfig {
    return {
      listen: { host: HOST, port: this.dealerPort },
      tls: tlsPaths(this.dir, "dealer"),
      limits: this.options.dealerLimits ?? {},
      ...this.metricsConfig(),
    };
  }

  serverConfig(party: 0 | 1): ServerConfig {
    const peer = { host: HOST, port: party === 1 ? (this.peerVia ?? this.peerPort) : this.peerPort };
    return {
      party,
      data: join(this.dir, `data-${party}`),
      http: { host: HOST, port: this.httpPorts[party]! },
      peer: party === 0 ? { listen: peer } : { connect: peer },
      dealer: { host: HOST, port: this.dealerVia ?? this.dealerPort },
      tls: tlsPaths(this.dir, `server-${party}`),
      // tests that count what is dealt would see what is dealt ahead of demand
      limits: { sessionTimeoutMs: 10_000, pool: 0, ...this.options.limits },
      ...this.metricsConfig(),
      ...this.options.config,
    };
  }

  private metricsConfig() {
    return this.options.metrics ? { metrics: { listen: `${HOST}:0` } } : {};
  }

  async startDealer(): Promise<void> {
    this.dealer = await startDealer(this.dealerConfig(), { ...quiet, ...this.options.dealer });
    this.dealerPort = this.dealer.ports.listen;
  }

  async startServer(party: 0 | 1): Promise<void> {
    const server = await startServer(this.serverConfig(party), {
      ...quiet,
      ...this.options.servers?.[party],
    });
    this.servers[party] = server;
    this.httpPorts[party] = server.ports.http;
    if (server.ports.peer !== undefined) this.peerPort = server.ports.peer;
  }

  async stopServer(party: 0 | 1): Promise<void> {
    await this.servers[party]?.close();
    this.servers[party] = undefined;
  }

  async stopDealer(): Promise<void> {
    await this.dealer?.close();
    this.dealer = undefined;
  }

  /** As the client or the owner sees it. */
  as(role: "client" | "owner"): Cluster {
    const url = (i: number) => ({ url: `https://${HOST}:${this.httpPorts[i]}` });
    return { servers: [url(0), url(1)], tls: tlsPaths(this.dir, role) };
  }

  /** As somebody without a certificate sees it. */
  asAnyone(): Cluster {
    const { servers, tls } = this.as("client");
    return { servers, tls: { ca: tls!.ca } };
  }

  /** A client that is closed with the cluster. @param token in place of a certificate. */
  client(token?: Token): Client {
    const client = token === undefined ? connect(this.as("client")) : connect(this.asAnyone(), { token });
    this.clients.push(client);
    return client;
  }

  owner(): Client {
    const client = connect(this.as("owner"));
    this.clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await Promise.all([this.stopServer(0), this.stopServer(1), this.stopDealer()]);
    await Promise.all([this.toPeer, this.toDealer, ...this.inMiddle].map((between) => between?.close()));
    for (const party of [0, 1]) rmSync(join(this.dir, `data-${party}`), { recursive: true, force: true });
  }
}
