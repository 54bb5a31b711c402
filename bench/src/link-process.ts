/** A process with relays in it: slow links between processes that know nothing of it. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LinkRelay } from "./link-relay.js";
import { type LinkSpec, Schedule } from "./link-schedule.js";

interface Order {
  id: number;
  target: number;
  link: LinkSpec;
  ownMs: number;
}

interface Opened {
  id: number;
  port: number;
}

export class LinkProcess {
  private readonly child: ChildProcess;
  private readonly pending = new Map<
    number,
    { resolve: (port: number) => void; reject: (error: Error) => void }
  >();
  private orders = 0;

  constructor() {
    this.child = fork(fileURLToPath(import.meta.url), ["relays"]);
    this.child.on("message", ({ id, port }: Opened) => {
      this.pending.get(id)?.resolve(port);
      this.pending.delete(id);
    });
    this.child.once("exit", () => {
      for (const { reject } of this.pending.values())
        reject(new Error("the process of simulated links has ended"));
    });
  }

  /** A link to `target`. @returns the port to connect to. @param ownMs see Schedule. */
  open(target: number, link: LinkSpec, ownMs: number): Promise<number> {
    const id = this.orders++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.child.send({ id, target, link, ownMs } satisfies Order);
    });
  }

  close(): void {
    this.child.kill();
  }
}

function childMain(): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", async ({ id, target, link, ownMs }: Order) => {
    const relay = new LinkRelay(target, [new Schedule(link, ownMs), new Schedule(link, ownMs)]);
    process.send!({ id, port: await relay.listen() } satisfies Opened);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) childMain();
