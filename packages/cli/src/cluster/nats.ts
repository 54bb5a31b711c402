/** An organisation's NATS with JetStream on this machine: the program nats-server, as a child process. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { SottoError } from "@sotto/core";
import { HOST } from "./files.js";

const PROGRAMS = ["nats-server", "/usr/sbin/nats-server"];
const START_MS = 30_000;

/** Where the program is; undefined where it is not installed. */
export function natsServer(): string | undefined {
  return PROGRAMS.find((program) => spawnSync(program, ["--version"]).status === 0);
}

export class NatsProcess {
  readonly address: string;
  private readonly port: number;
  private readonly store: string;
  private child: ChildProcess | undefined;
  private stopping = false;

  private constructor(port: number, store: string) {
    this.port = port;
    this.store = store;
    this.address = `${HOST}:${port}`;
  }

  /** @param store folder of what it keeps. @throws SottoError not-found where it is not installed. */
  static async start(store: string): Promise<NatsProcess> {
    const nats = new NatsProcess(await freePort(), store);
    await nats.start();
    return nats;
  }

  /** Again, with what it has kept. */
  async start(): Promise<void> {
    const program = natsServer();
    if (!program)
      throw new SottoError("not-found", "nats-server is not installed; apt-get install nats-server");
    await endLeft(this.store);
    this.stopping = false;
    const args = ["-a", HOST, "-p", String(this.port), "-js", "-sd", this.store, "-P", pidFile(this.store)];
    this.child = spawn(program, args, { stdio: "ignore" });
    const end = Date.now() + START_MS;
    while (!(await this.answers())) {
      if (Date.now() > end || this.ended)
        throw new SottoError("unreachable", `nats-server does not answer on ${this.address}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  kill(): void {
    this.stopping = true;
    this.child?.kill("SIGKILL");
  }

  /** Resolves when it ends without having been asked to. */
  lost(): Promise<void> {
    const { child } = this;
    return new Promise((resolve) => {
      child?.once("exit", () => {
        if (this.child === child && !this.stopping) resolve();
      });
    });
  }

  async stop(): Promise<void> {
    const { child } = this;
    this.stopping = true;
    if (!child || this.ended) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  private get ended(): boolean {
    return this.child?.exitCode !== null || this.child.signalCode !== null;
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, HOST);
      socket.once("data", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
    });
  }
}

function pidFile(store: string): string {
  return `${store}.pid`;
}

/** One that a killed process has left behind: two must not use one folder. */
async function endLeft(store: string): Promise<void> {
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
  const pid = Number(read(pidFile(store)));
  // its number may be another program's by now
  const runs = () => pid > 0 && read(`/proc/${pid}/cmdline`).split("\0").includes(store);
  if (runs()) process.kill(pid, "SIGKILL");
  const end = Date.now() + START_MS;
  while (runs() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, HOST, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
