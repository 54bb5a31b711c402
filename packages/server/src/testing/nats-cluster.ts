/** NATS as an organisation runs it, for tests: a cluster of servers, TLS with certificates on both sides, and credentials. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
} from "@nats-io/jwt";
import { makeCertificates } from "../index.js";
import type { NatsConfig } from "../workers/config.js";

const HOST = "127.0.0.1";
const PROGRAMS = ["nats-server", "/usr/sbin/nats-server"];

/** Limits of an account: none. What is left out of them counts as 0. */
const CLIENTS = {
  subs: -1,
  data: -1,
  payload: -1,
  conn: -1,
  leaf: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
};
const STORAGE = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

/** Where the program is; undefined where it is not installed. */
export function natsServer(): string | undefined {
  return PROGRAMS.find((program) => spawnSync(program, ["--version"]).status === 0);
}

export class NatsCluster {
  /** What a worker's configuration says to connect; copies on three servers, or as many as there are. */
  readonly config: NatsConfig;
  private readonly files: string[];
  private readonly children: (ChildProcess | undefined)[] = [];

  private constructor(files: string[], config: NatsConfig) {
    this.files = files;
    this.config = config;
  }

  /** @param dir an empty folder. @param size 1 or 3 servers. */
  static async start(dir: string, size: 1 | 3): Promise<NatsCluster> {
    await makeCertificates(dir);
    const at = (name: string) => join(dir, name);
    const [operator, system, account, user] = [
      createOperator(),
      createAccount(),
      createAccount(),
      createUser(),
    ];
    const signed = { signer: operator };
    const accounts = {
      [system.getPublicKey()]: await encodeAccount("system", system, { limits: CLIENTS }, signed),
      [account.getPublicKey()]: await encodeAccount(
        "sotto",
        account,
        { limits: { ...CLIENTS, ...STORAGE } },
        signed,
      ),
    };
    writeFileSync(at("operator.jwt"), await encodeOperator("organisation", operator));
    const userJwt = await encodeUser("worker", user, account);
    writeFileSync(at("sotto.creds"), fmtCreds(userJwt, user), { mode: 0o600 });
    const ports = await freePorts(2 * size);
    const routes = ports.slice(size).map((port) => `nats-route://${HOST}:${port}`);
    const tls = { cert_file: at("server-0.pem"), key_file: at("server-0.key"), ca_file: at("ca.pem") };
    const files = Array.from({ length: size }, (_, i) => {
      const config = {
        server_name: `n${i}`,
        listen: `${HOST}:${ports[i]}`,
        jetstream: { store_dir: at(`store-${i}`), max_memory_store: 2 ** 26, max_file_store: 2 ** 28 },
        tls: { ...tls, verify: true },
        operator: at("operator.jwt"),
        resolver: "MEMORY",
        resolver_preload: accounts,
        system_account: system.getPublicKey(),
        ...(size > 1 ? { cluster: { name: "organisation", listen: routes[i]!.slice(13), routes } } : {}),
      };
      writeFileSync(at(`n${i}.conf`), JSON.stringify(config));
      return at(`n${i}.conf`);
    });
    const cluster = new NatsCluster(files, {
      servers: ports.slice(0, size).map((port) => `${HOST}:${port}`),
      credentials: at("sotto.creds"),
      tls: { ca: at("ca.pem"), cert: at("server-1.pem"), key: at("server-1.key") },
      prefix: "sotto",
      replicas: size,
    });
    for (let i = 0; i < size; i++) cluster.run(i);
    return cluster;
  }

  run(i: number): void {
    this.children[i] = spawn(natsServer()!, ["-c", this.files[i]!], { stdio: "ignore" });
  }

  /** kill -9. @param name as JetStream names it. */
  async kill(name: string): Promise<void> {
    const i = Number(name.slice(1));
    const child = this.children[i];
    this.children[i] = undefined;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map((_, i) => this.kill(`n${i}`)));
  }
}

/** All at the same time, so that no two are one. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, HOST, () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
