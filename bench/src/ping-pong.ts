/**
 * The floor: two processes that exchange as many messages of the same sizes over the same transport, and compute
 * nothing. Both send at once and go on when the other's message is there, as the servers do.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeCertificates } from "@sotto/server";
import { dataFrame, type FrameChannel } from "@sotto/wire";
import { dial, type Identity, listen } from "@sotto/wire/node";

const TIMEOUT_MS = 10_000;
/** The child announces its start with this. */
type FromChild = { ready: true };

/** Milliseconds of each of `runs` sequences of exchanges. @param sizes payload bytes by round. */
export async function pingPong(sizes: readonly number[], runs: number, warmUp: number): Promise<number[]> {
  const dir = mkdtempSync(join(tmpdir(), "sotto-bench-"));
  try {
    await makeCertificates(dir);
    const times: number[] = [];
    const wanted = runs + warmUp;
    await new Promise<void>((resolve, reject) => {
      let close = async () => {};
      const done = (error?: unknown) => close().then(() => (error ? reject(error) : resolve()), reject);
      const accept = (channel: FrameChannel) => {
        const exchange = new Exchange(channel, sizes);
        const again = () => {
          const began = performance.now();
          exchange.run(() => {
            times.push(performance.now() - began);
            // a pause between runs, so that one is measured and not a stream of them
            if (times.length < wanted) setTimeout(again, 5);
            else done();
          });
        };
        again();
      };
      listen({ host: "127.0.0.1", port: 0 }, identity(dir, "server-0"), ["server-1"], accept, done).then(
        (listener) => {
          const child = fork(fileURLToPath(import.meta.url), [
            dir,
            String(listener.port),
            JSON.stringify(sizes),
          ]);
          child.on("error", done);
          child.on("message", (_: FromChild) => {});
          close = async () => {
            child.kill();
            await listener.close();
          };
        },
        reject,
      );
    });
    return times.slice(warmUp);
  } finally {
    rmSync(dir, { recursive: true, force: true });
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
