/**
 * The floor: two processes that exchange as many messages of the same sizes over the same transport, and compute
 * nothing. Both send at once and go on when the other's message is there, as the servers do.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeCertificates } from "@sotto/server";
import { dataFrame, type FrameChannel } from "@sotto/wire";
import { dial, type Identity, listen } from "@sotto/wire/node";

const TIMEOUT_MS = 10_000;

export class PingPong {
  private readonly exchange: Exchange;
  private readonly child: ChildProcess;
  private readonly release: () => Promise<void>;
  private lost: (error: Error) => void = () => {};

  private constructor(exchange: Exchange, child: ChildProcess, release: () => Promise<void>) {
    this.exchange = exchange;
    this.child = child;
    this.release = release;
    child.once("exit", () => this.lost(new Error("the other process of the ping-pong has ended")));
  }

  /**
   * Starts the other process.
   * @param sizes payload bytes by round.
   * @param via puts something between the processes: gives the port to connect to.
   */
  static async open(
    sizes: readonly number[],
    via: (port: number) => Promise<number> = async (port) => port,
  ): Promise<PingPong> {
    const dir = mkdtempSync(join(tmpdir(), "sotto-bench-"));
    try {
      await makeCertificates(dir);
      let accept: (channel: FrameChannel) => void = () => {};
      let refuse: (error: unknown) => void = () => {};
      const accepted = new Promise<FrameChannel>((resolve, reject) => {
        accept = resolve;
        refuse = reject;
      });
      const address = { host: "127.0.0.1", port: 0 };
      const listener = await listen(address, identity(dir, "server-0"), ["server-1"], accept, refuse);
      const args = [dir, String(await via(listener.port)), JSON.stringify(sizes)];
      const child = fork(fileURLToPath(import.meta.url), args);
      child.once("exit", () => refuse(new Error("the other process of the ping-pong did not start")));
      const exchange = new Exchange(await accepted, sizes);
      return new PingPong(exchange, child, () => listener.close());
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  /**
   * Milliseconds of one sequence of exchanges. With one round this is a ping: the other side begins when the message
   * arrives, so it takes one round trip; each further round takes half a round trip on average.
   */
  run(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.lost = reject;
      const began = performance.now();
      this.exchange.run(() => resolve(performance.now() - began));
    });
  }

  async close(): Promise<void> {
    this.lost = () => {};
    this.child.kill();
    await this.release();
  }
}

/** One side: sends a round's message, waits for the other's, goes on. */
class Exchange {
  private readonly channel: FrameChannel;
  private readonly sizes: readonly number[];
  private round = 0;
  private arrived = 0;
  private done: (() => void) | undefined;

  constructor(channel: FrameChannel, sizes: readonly number[]) {
    this.channel = channel;
    this.sizes = sizes;
    channel.onFrame = () => {
      this.arrived++;
      this.step();
    };
  }

  run(done: () => void): void {
    this.done = done;
    this.round = 0;
    this.send();
    this.step();
  }

  private send(): void {
    this.channel.send(dataFrame(this.round, 1n, new Uint8Array(this.sizes[this.round]!)));
  }

  private step(): void {
    while (this.done && this.arrived > 0) {
      this.arrived--;
      this.round++;
      if (this.round < this.sizes.length) this.send();
      else {
        const { done } = this;
        this.done = undefined;
        done();
      }
    }
  }
}

function identity(dir: string, role: string): Identity {
  const read = (name: string) => readFileSync(join(dir, name), "utf8");
  return { ca: read("ca.pem"), cert: read(`${role}.pem`), key: read(`${role}.key`) };
}

/** The child: runs again and again, each time when the other side begins. */
async function childMain(dir: string, port: number, sizes: readonly number[]): Promise<void> {
  const channel = await dial({ host: "127.0.0.1", port }, identity(dir, "server-1"), "server-0", TIMEOUT_MS);
  const exchange = new Exchange(channel, sizes);
  const { onFrame } = channel;
  let running = false;
  channel.onFrame = (frame) => {
    if (!running) {
      running = true;
      exchange.run(() => {
        running = false;
      });
    }
    onFrame(frame);
  };
  channel.onClose = () => process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [dir, port, sizes] = process.argv.slice(2) as [string, string, string];
  await childMain(dir, Number(port), JSON.parse(sizes));
}
