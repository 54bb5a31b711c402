/** A TCP relay between two parties, for tests: it can be cut or stalled after so many bytes. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export class Relay {
  port = 0;
  /** Bytes relayed, both directions together. */
  bytes = 0;
  private readonly sockets = new Set<Socket>();
  private readonly target: () => number;
  private readonly server = createServer((socket) => this.relay(socket));
  private stalled = false;
  private held = false;
  private watch: { at: number; exact?: "cut" | "stall"; reached: () => void } | undefined;

  private constructor(target: () => number) {
    this.target = target;
  }

  /** @param target the port behind it, asked for at each connection. */
  static async start(target: () => number): Promise<Relay> {
    const relay = new Relay(target);
    await new Promise<void>((resolve) => relay.server.listen(0, "127.0.0.1", resolve));
    relay.port = (relay.server.address() as AddressInfo).port;
    return relay;
  }

  /** Resolves when so many more bytes have been relayed. */
  after(bytes: number): Promise<void> {
    return new Promise((reached) => {
      this.watch = { at: this.bytes + bytes, reached };
    });
  }

  /** Relays exactly so many more bytes, whatever pieces they come in, and then cuts or stalls. */
  endAfter(bytes: number, exact: "cut" | "stall"): Promise<void> {
    return new Promise((reached) => {
      this.watch = { at: this.bytes + bytes, exact, reached };
    });
  }

  /** Breaks every connection; new ones are relayed. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Reads nothing until release(), as a process does that stands still: who sends meets full buffers. */
  hold(): void {
    this.held = true;
    for (const socket of this.sockets) socket.pause();
  }

  release(): void {
    this.held = false;
    for (const socket of this.sockets) socket.resume();
  }

  /** Relays nothing any more, and breaks nothing. */
  stall(): void {
    this.stalled = true;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
  }

  private relay(near: Socket): void {
    const far = connect(this.target(), "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(from);
      from.on("data", (chunk) => {
        if (this.stalled) return;
        const { watch } = this;
        const all = !watch?.exact || this.bytes + chunk.length < watch.at;
        const piece = all ? chunk : chunk.subarray(0, watch.at - this.bytes);
        this.bytes += piece.length;
        to.write(piece);
        if (!watch || this.bytes < watch.at) return;
        this.watch = undefined;
        if (watch.exact === "cut") this.cut();
        if (watch.exact === "stall") this.stall();
        watch.reached();
      });
      if (this.held) from.pause();
      from.on("error", () => {});
      from.on("close", () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
