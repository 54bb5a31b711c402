/** A cluster of processes that may be killed at any moment, and are started again in their place. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Child } from "../cluster/child.js";
import {
  clusterConfig,
  dealerConfig,
  FILES,
  portsFrom,
  type ServerLimits,
  serverConfig,
  writeCertificates,
  writeYaml,
} from "../cluster/files.js";
import { PARTIES } from "../cluster/local.js";

const CONFIGS = [FILES.dealer, ...FILES.server];
const LOGS = ["dealer", "server-0", "server-1"];

/** The dealer, server 0, server 1. */
export type PartyNumber = 0 | 1 | 2;

export class MortalCluster {
  readonly owner: string;
  readonly client: string;
  private readonly dir: string;
  private readonly running = new Map<PartyNumber, Child>();
  private lives = 0;

  private constructor(dir: string) {
    this.dir = dir;
    this.owner = join(dir, FILES.owner);
    this.client = join(dir, FILES.client);
  }

  /** @param port the first of five in a row that nobody uses. */
  static async start(dir: string, port: number, limits: ServerLimits): Promise<MortalCluster> {
    const cluster = new MortalCluster(dir);
    const { metrics: _, ...ports } = portsFrom(port);
    await writeCertificates(dir);
    const files: [string, object][] = [
      [FILES.dealer, dealerConfig(ports, "debug")],
      [FILES.server[0], serverConfig(0, ports, "debug", limits)],
      [FILES.server[1], serverConfig(1, ports, "debug", limits)],
      [FILES.owner, clusterConfig("owner", ports)],
      [FILES.client, clusterConfig("client", ports)],
    ];
    for (const [name, content] of files) await writeYaml(join(dir, name), "Made for a test.", content);
    for (const party of [0, 1, 2] as const) await cluster.revive(party);
    return cluster;
  }

  /** kill -9. */
  async kill(party: PartyNumber): Promise<void> {
    const child = this.running.get(party)!;
    child.kill();
    await child.ended;
  }

  async revive(party: PartyNumber): Promise<void> {
    const log = join(this.dir, `${LOGS[party]}.${this.lives++}.log`);
    const child = new Child(PARTIES[party]!, { log });
    this.running.set(party, child);
    await child.start(party === 0 ? "dealer" : "server", join(this.dir, CONFIGS[party]!));
  }

  /** What all lives of a party have logged. A killed process may leave half a line. */
  log(party: PartyNumber): Record<string, unknown>[] {
    const names = readdirSync(this.dir).filter((n) => n.startsWith(`${LOGS[party]}.`) && n.endsWith(".log"));
    const lines = names.flatMap((name) => readFileSync(join(this.dir, name), "utf8").split("\n"));
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.values()].map((child) => child.stop()));
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
