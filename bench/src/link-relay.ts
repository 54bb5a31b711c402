/**
 * A TCP relay that delays and limits what passes: a link in software, for machines whose kernel has no netem. There is no
 * loss on it, and no slow start beyond that of loopback.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Schedule } from "./link-schedule.js";

/** Timers fire on whole milliseconds and late; the last of a wait is spent asking again and again. */
const SPIN_MS = 2;

export class LinkRelay {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  /**
   * @param target port behind the relay.
   * @param schedules of what goes to it and of what comes back; all connections share them.
   */
  constructor(target: number, [there, back]: readonly [Schedule, Schedule]) {
    this.server = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: "127.0.0.1", port: target, noDelay: true });
      this.join(near, far, there);
      this.join(far, near, back);
    });
  }

  /** @returns the port to connect to. */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.server.listen(0, "127.0.0.1", () => resolve((this.server.address() as AddressInfo).port));
    });
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(from: Socket, to: Socket, schedule: Schedule): void {
    const direction = new Direction(from, to, schedule);
    this.sockets.add(from);
    from.on("data", (chunk: Buffer) => direction.take(chunk));
    from.on("error", () => {});
    from.on("close", () => {
      this.sockets.delete(from);
      direction.end();
    });
  }
}

/** What is on its way from one socket to the other. */
class Direction {
  private readonly queue: { at: number; chunk: Buffer }[] = [];
  private bytes = 0;
  private waiting = false;
  private ended = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly schedule: Schedule,
  ) {}

  take(chunk: Buffer): void {
    this.queue.push({ at: this.schedule.arrival(performance.now(), chunk.length), chunk });
    this.bytes += chunk.length;
    if (this.bytes > this.schedule.capacity) this.from.pause();
    if (!this.waiting) this.deliver();
  }

  /** The source has closed: so does the target, once everything has arrived. */
  end(): void {
    this.ended = true;
    if (!this.waiting) this.deliver();
  }

  private deliver(): void {
    this.waiting = false;
    for (let first = this.queue[0]; first; first = this.queue[0]) {
      const wait = first.at - performance.now();
      if (wait > 0) {
        this.waiting = true;
        if (wait > SPIN_MS) setTimeout(() => this.deliver(), wait - SPIN_MS);
        else setImmediate(() => this.deliver());
        return;
      }
      this.queue.shift();
      this.bytes -= first.chunk.length;
      this.to.write(first.chunk);
    }
    if (this.from.isPaused() && this.bytes < this.schedule.capacity) this.from.resume();
    if (this.ended) this.to.end();
  }
}
