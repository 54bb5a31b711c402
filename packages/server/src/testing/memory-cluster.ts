/** A dealer and two servers joined in memory, with somebody in the middle of every connection, for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instantiate, planHash, Ring, reconstruct, shareTensors, systemRandom } from "@sotto/core";
import { encodeBundle, greet, type Link, memoryPair, type Role } from "@sotto/wire";
import { Desk } from "../dealer/desk.js";
import { makeLog } from "../log.js";
import { Tally } from "../observe/tally.js";
import { newId } from "../parties.js";
import { Ahead } from "../party/ahead.js";
import { Connections } from "../party/connections.js";
import { SetupFollower } from "../party/follower.js";
import { SetupLeader } from "../party/leader.js";
import { Models } from "../party/models.js";
import { Sessions } from "../party/sessions.js";
import { SetUps } from "../party/setups.js";
import { attach } from "../party/start.js";
import { StreamPlaces, Streams } from "../party/streams/streams.js";
import { Runs } from "../runs.js";
import { Middle } from "./middle.js";
import type { TestModel } from "./models.js";
import { sharesOf } from "./raw.js";

type ServerRole = "server-0" | "server-1";

export interface MemoryOptions {
  timeoutMs: number;
  /** What the parties log, as lines of JSON. */
  onLog?: (line: string) => void;
}

class MemoryServer {
  readonly boot = newId();
  readonly role: ServerRole;
  readonly connections: Connections;
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly setups: SetUps;
  readonly models: Models;
  readonly ring: Ring;
  readonly attach: (other: "peer" | "dealer") => (link: Link) => void;
  private readonly part: SetupLeader | SetupFollower;

  constructor(party: 0 | 1, ring: Ring, models: Models, log: ReturnType<typeof makeLog>, timeoutMs: number) {
    this.role = party === 0 ? "server-0" : "server-1";
    this.ring = ring;
    this.models = models;
    const connections = new Connections({ peer: `server ${1 - party}`, dealer: "the dealer" });
    this.connections = connections;
    this.setups = new SetUps(models, connections);
    const tally = new Tally();
    const context = {
      ...{ party, ring, log, tally, models, connections },
      ...{ timeoutMs, roundTimeoutMs: timeoutMs, joinTimeoutMs: timeoutMs },
      ...{ setups: this.setups, runs: new Runs(), ahead: new Ahead(2 ** 20) },
    };
    const part = party === 0 ? new SetupLeader(context) : new SetupFollower(context);
    this.part = part;
    const turns = { maxSessions: 64, queueLength: 64, queueBytes: 2 ** 20, queueWaitMs: timeoutMs };
    this.sessions = new Sessions(context, turns);
    const { sessions } = this;
    this.streams = new Streams(context, sessions, new StreamPlaces(64), timeoutMs);
    const heartbeatMs = 60_000;
    this.attach = (other) => (link) =>
      attach(other, link, { connections, sessions, part, log, tally, heartbeatMs });
  }

  async deploy(name: string, bundle: Uint8Array): Promise<void> {
    await this.models.put(name, bundle);
    this.part.kick();
  }

  close(): void {
    this.streams.close("over");
    this.sessions.close("over");
    this.part.close();
    this.setups.close();
    this.connections.close();
  }
}

export class MemoryCluster {
  readonly middle = new Middle();
  readonly servers: readonly [MemoryServer, MemoryServer];
  readonly rings: readonly Ring[];
  private readonly desk: Desk;
  private readonly dir: string;
  private readonly boot = newId();

  private constructor(dir: string, desk: Desk, rings: Ring[], servers: [MemoryServer, MemoryServer]) {
    this.dir = dir;
    this.desk = desk;
    this.rings = rings;
    this.servers = servers;
  }

  static async start(options: MemoryOptions): Promise<MemoryCluster> {
    const { onLog, timeoutMs } = options;
    const dir = mkdtempSync(join(tmpdir(), "sotto-memory-"));
    const log = makeLog("test", "silent");
    if (onLog) {
      log.level = "trace";
      const write = (...given: unknown[]) => onLog(JSON.stringify(given));
      Object.assign(log, { trace: write, debug: write, info: write, warn: write, error: write });
    }
    const rings = [await Ring.create(), await Ring.create(), await Ring.create()];
    const server = async (party: 0 | 1) => {
      const models = await Models.load(join(dir, String(party)), party, log);
      return new MemoryServer(party, rings[party]!, models, log, timeoutMs);
    };
    const desk = new Desk(rings[2]!, systemRandom, log);
    const cluster = new MemoryCluster(dir, desk, rings, [await server(0), await server(1)]);
    await cluster.connect();
    return cluster;
  }

  /** Makes the connections that are not there. */
  async connect(): Promise<void> {
    const [a, b] = this.servers;
    const missing: Promise<unknown>[] = [];
    if (!a.connections.get("peer") || !b.connections.get("peer")) {
      missing.push(this.link(b.role, b.boot, b.attach("peer"), a.role, a.boot, a.attach("peer")));
    }
    for (const server of this.servers) {
      if (server.connections.get("dealer")) continue;
      const { role, boot } = server;
      const atDesk = (link: Link) => this.desk.connected(role, link);
      missing.push(this.link(role, boot, server.attach("dealer"), "dealer", this.boot, atDesk));
    }
    await Promise.all(missing);
  }

  /** Breaks every connection. */
  cut(): void {
    for (const channel of this.middle.towards.values()) channel.close();
  }

  /** Set-ups that the dealer holds. */
  get dealerSetUps(): number {
    return this.desk.gauges.models().stored;
  }

  async deploy(name: string, model: TestModel): Promise<void> {
    const { plan, tensors } = model.compiled;
    const shares = shareTensors(this.rings[0]!, plan, tensors);
    const deployment = newId();
    await Promise.all(
      this.servers.map((server, party) => {
        const about = { party: party === 0 ? 0 : 1, deployment, plan, tables: new Uint8Array(0) } as const;
        return server.deploy(name, encodeBundle({ ...about, share: shares[party === 0 ? 0 : 1] }));
      }),
    );
  }

  /** One inference, as a client asks for it. @throws SottoError of the server that failed first. */
  async infer(name: string, model: TestModel, n: number): Promise<ReturnType<typeof reconstruct>> {
    const { plan } = model.compiled;
    const shares = await sharesOf(model, n);
    const session = newId();
    const gone = new AbortController();
    const results = await Promise.allSettled(
      this.servers.map(({ sessions }, party) => {
        const about = { model: name, plan: planHash(plan), sizes: {}, arrived: performance.now() };
        const result = sessions.infer(session, { ...about, input: shares[party]! }, gone.signal);
        result.catch(() => gone.abort());
        return result;
      }),
    );
    const outputs = results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value.output;
    });
    return reconstruct(this.rings[0]!, instantiate(plan, {}), [outputs[0]!, outputs[1]!]);
  }

  close(): void {
    for (const server of this.servers) server.close();
    this.desk.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  private link(
    dialling: Role,
    diallingBoot: string,
    onDialling: (link: Link) => void,
    dialled: Role,
    dialledBoot: string,
    onDialled: (link: Link) => void,
  ): Promise<unknown> {
    const [near, nearMiddle] = memoryPair();
    const [farMiddle, far] = memoryPair();
    this.middle.join([
      [dialling, nearMiddle],
      [dialled, farMiddle],
    ]);
    return Promise.all([
      greet(near, { role: dialling, boot: diallingBoot }, dialled, 5000, onDialling),
      greet(far, { role: dialled, boot: dialledBoot }, dialling, 5000, onDialled),
    ]);
  }
}
