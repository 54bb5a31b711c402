/**
 * A cluster of several workers for each party on this machine: three organisations, each with a NATS of its own. The fronts'
 * configurations have the names that those of the parties have otherwise.
 */
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import { makeDirectory } from "@sotto/wire/node";
import { Child } from "./child.js";
import { atExit } from "./cleanup.js";
import {
  CERTIFICATES,
  clusterConfig,
  exists,
  FILES,
  HOST,
  type ServerLimits,
  writeCertificates,
  writeYaml,
} from "./files.js";
import { lockCluster, refuseRunning } from "./lock.js";
import { NatsProcess } from "./nats.js";

export type PartyName = "dealer" | "server-0" | "server-1";
export const PARTY_NAMES: readonly PartyName[] = ["dealer", "server-0", "server-1"];

export interface WorkerClusterOptions {
  /** For each party. */
  workers: number;
  version?: string;
  level?: string;
  limits?: ServerLimits & { maxSessions?: number; heartbeatMs?: number };
  /** Ports of the fronts of server 0 and server 1; chosen by the system by default. */
  http?: [number, number];
  /** Ports of the fronts' metrics: the dealer's, server 0's, server 1's. */
  metrics?: readonly [number, number, number];
}

export interface LocalWorker {
  party: PartyName;
  name: string;
  child: Child;
  ports: Record<string, number>;
  log: string;
}

export class WorkerCluster {
  readonly owner: string;
  readonly client: string;
  readonly nats = {} as Record<PartyName, NatsProcess>;
  readonly workers: LocalWorker[] = [];
  readonly fronts: LocalWorker[] = [];
  private readonly dir: string;
  private readonly options: WorkerClusterOptions;
  private readonly forget: () => void;
  private unlock = () => {};
  private count = 0;

  private constructor(dir: string, options: WorkerClusterOptions) {
    this.dir = dir;
    this.options = options;
    this.owner = join(dir, FILES.owner);
    this.client = join(dir, FILES.client);
    this.forget = atExit(() => {
      for (const { child } of [...this.workers, ...this.fronts]) child.kill();
      for (const nats of Object.values(this.nats)) nats.kill();
    });
  }

  /** @throws SottoError not-found where nats-server is not installed; conflict where another kind of cluster is, or one runs. */
  static async start(dir: string, options: WorkerClusterOptions): Promise<WorkerCluster> {
    if ((await exists(join(dir, FILES.dealer))) && !(await exists(join(dir, natsFolder("dealer"))))) {
      throw new SottoError("conflict", `${dir} holds a cluster without workers; name another directory`);
    }
    refuseRunning(dir);
    const cluster = new WorkerCluster(dir, options);
    try {
      makeDirectory(dir, 0o700);
      cluster.unlock = lockCluster(dir);
      if (!(await exists(join(dir, CERTIFICATES)))) await writeCertificates(dir);
      await Promise.all(
        PARTY_NAMES.map(async (party) => {
          cluster.nats[party] = await NatsProcess.start(join(dir, natsFolder(party)));
        }),
      );
      // each party's first worker is the address that the others know
      for (const party of PARTY_NAMES) await cluster.add(party, options.version);
      await Promise.all(
        PARTY_NAMES.flatMap((party) =>
          Array.from({ length: options.workers - 1 }, () => cluster.add(party, options.version)),
        ),
      );
      await Promise.all(PARTY_NAMES.map((party) => cluster.addFront(party)));
      const [a, b] = [1, 2].map((i) => cluster.fronts.find((f) => f.party === PARTY_NAMES[i])!.ports.http!);
      const ports = { dealer: 0, peer: 0, http: [a!, b!] as [number, number] };
      for (const role of ["owner", "client"] as const) {
        await writeYaml(join(dir, FILES[role]), "Through the parties' fronts.", clusterConfig(role, ports));
      }
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  of(party: PartyName): LocalWorker[] {
    return this.workers.filter((w) => w.party === party);
  }

  /** One more worker of a party. Nothing else is told of it. */
  async add(party: PartyName, version = this.options.version): Promise<LocalWorker> {
    const name = `${party}-worker-${this.count++}`;
    const { limits } = this.options;
    const { dealer, peer } = this;
    const at = (port: number | undefined) => ({ host: HOST, port: port ?? 0 });
    const common = { ...this.common(party), workers: this.group(party, version) };
    const config =
      party === "dealer"
        ? { ...common, listen: at(0) }
        : {
            ...common,
            party: party === "server-0" ? 0 : 1,
            data: `data-${name}`,
            http: at(0),
            peer: party === "server-0" ? { listen: at(0) } : { connect: at(peer) },
            dealer: at(dealer),
            ...(limits ? { limits } : {}),
          };
    const worker = await this.run(party, name, party === "dealer" ? "dealer" : "server", config);
    this.workers.push(worker);
    return worker;
  }

  /** kill -9. */
  async kill(worker: LocalWorker): Promise<void> {
    this.workers.splice(this.workers.indexOf(worker), 1);
    worker.child.kill();
    await worker.child.ended;
  }

  /** As an operator ends a worker: it takes no new session, and ends when its sessions have. */
  async drain(worker: LocalWorker): Promise<void> {
    this.workers.splice(this.workers.indexOf(worker), 1);
    await worker.child.drain();
  }

  async close(): Promise<void> {
    await Promise.all([...this.workers, ...this.fronts].map(({ child }) => child.stop()));
    await Promise.all(Object.values(this.nats).map((nats) => nats.stop()));
    this.unlock();
    this.forget();
  }

  /**
   * Rejects when a front, or a party's last worker, ends that was not told to.
   * @param onGone told of any other worker that does.
   */
  untilLost(onGone: (error: Error) => void): Promise<never> {
    const workers = this.workers.map((worker) =>
      worker.child.lost.catch((error: Error): Promise<never> => {
        this.workers.splice(this.workers.indexOf(worker), 1);
        if (this.of(worker.party).length === 0) throw error;
        onGone(error);
        return new Promise(() => {});
      }),
    );
    for (const party of PARTY_NAMES) void this.keepNats(party, onGone);
    return Promise.race([...workers, ...this.fronts.map(({ child }) => child.lost)]);
  }

  /** Starts a party's NATS again when it ends: with what it has kept, so that its workers go on. */
  private async keepNats(party: PartyName, onGone: (error: Error) => void): Promise<void> {
    const nats = this.nats[party];
    try {
      for (;;) {
        await nats.lost();
        onGone(
          new SottoError("unreachable", `${party}'s nats-server ended unexpectedly, and is started again`),
        );
        await nats.start();
      }
    } catch (error) {
      onGone(error as Error);
    }
  }

  private async addFront(party: PartyName): Promise<void> {
    const index = PARTY_NAMES.indexOf(party);
    const { http, metrics } = this.options;
    const config = {
      ...this.common(party),
      party: party === "dealer" ? "dealer" : index - 1,
      workers: this.group(party),
      ...(party === "dealer" ? {} : { http: { host: HOST, port: http?.[index - 1] ?? 0 } }),
      metrics: { listen: `${HOST}:${metrics?.[index] ?? 0}` },
    };
    const file = party === "dealer" ? FILES.dealer : FILES.server[party === "server-0" ? 0 : 1];
    this.fronts.push(await this.run(party, `${party}-front`, "front", config, file));
  }

  private get dealer(): number | undefined {
    return this.of("dealer")[0]?.ports.listen;
  }

  private get peer(): number | undefined {
    return this.of("server-0")[0]?.ports.peer;
  }

  private common(party: PartyName): object {
    const at = (file: string) => join(CERTIFICATES, file);
    const tls = { ca: at("ca.pem"), cert: at(`${party}.pem`), key: at(`${party}.key`) };
    return { tls, log: { level: this.options.level ?? "info" } };
  }

  private group(party: PartyName, version?: string): object {
    return { nats: { servers: [this.nats[party].address] }, ...(version ? { version } : {}) };
  }

  private async run(
    party: PartyName,
    name: string,
    role: "dealer" | "server" | "front",
    config: object,
    fileName = `${name}.yaml`,
  ): Promise<LocalWorker> {
    const file = join(this.dir, fileName);
    await writeYaml(file, "Made for workers on one machine.", config);
    const log = join(this.dir, `${name}.log`);
    const child = new Child(name, { log });
    const ports = await child.start(role, file);
    return { party, name, child, ports, log };
  }
}

function natsFolder(party: PartyName): string {
  return `nats-${party}`;
}
