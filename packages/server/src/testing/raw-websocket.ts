/** The bytes of a WebSocket (RFC 6455) as a client that keeps no rule may send them, for tests. No network is needed. */
import { randomBytes } from "node:crypto";
import { IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { STREAM_PROTOCOL } from "@sotto/wire";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  /** The last piece of its message. */
  fin?: boolean;
  /** Bits that only extensions use. */
  reserved?: number;
  masked?: boolean;
  /** Stated in the header; by default what is true. */
  length?: number;
}

/** One frame. */
export function wsFrame(opcode: number, payload: Uint8Array, options: FrameOptions = {}): Uint8Array {
  const { fin = true, reserved = 0, masked = true, length = payload.length } = options;
  const head = [(fin ? 0x80 : 0) | ((reserved & 7) << 4) | (opcode & 15)];
  const mask = masked ? 0x80 : 0;
  const long = new DataView(new ArrayBuffer(8));
  long.setBigUint64(0, BigInt(length));
  if (length < 126) head.push(mask | length);
  else if (length < 2 ** 16) head.push(mask | 126, long.getUint8(6), long.getUint8(7));
  else head.push(mask | 127, ...new Uint8Array(long.buffer));
  // a key of zeros leaves the payload as it is
  return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0), payload]);
}

class Pipe extends Duplex {
  other: Pipe | undefined;
  private unblock: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { other } = this;
    if (!other || other.destroyed || other.push(chunk)) done();
    else other.unblock = done;
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }

  override _read(): void {
    const { unblock } = this;
    this.unblock = undefined;
    unblock?.();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.other?.push(null);
    done(error);
  }
}

/** The client's end of a WebSocket in memory, and what the server has said over it. */
export class RawWebSocket {
  readonly texts: string[] = [];
  binaries = 0;
  /** Either end has closed it. */
  over = false;
  /** The server's end. */
  readonly server: Duplex;
  private readonly pipe = new Pipe();
  private received = Buffer.alloc(0);
  private upgraded = false;

  /** Asks for an upgrade of `server`, which need not listen. */
  constructor(server: Server, path: string, headers: Record<string, string> = {}) {
    const far = new Pipe();
    this.server = far;
    this.pipe.other = far;
    far.other = this.pipe;
    const request = new IncomingMessage(far as unknown as Socket);
    request.method = "GET";
    request.url = path;
    request.headers = {
      upgrade: "websocket",
      connection: "upgrade",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      "sec-websocket-version": "13",
      "sec-websocket-protocol": STREAM_PROTOCOL,
      ...headers,
    };
    const over = () => {
      this.over = true;
    };
    this.pipe.on("end", over);
    this.pipe.on("close", over);
    this.pipe.on("data", (chunk: Buffer) => this.take(chunk));
    this.pipe.on("error", () => {});
    server.emit("upgrade", request, far, Buffer.alloc(0));
  }

  send(bytes: Uint8Array): void {
    if (!this.over && !this.pipe.writableEnded) this.pipe.write(bytes);
  }

  text(text: string): void {
    this.send(wsFrame(OPCODE.text, Buffer.from(text)));
  }

  binary(bytes: Uint8Array): void {
    this.send(wsFrame(OPCODE.binary, bytes));
  }

  /** Reads no more. */
  stall(): void {
    this.pipe.pause();
  }

  /** Without a word. */
  cut(): void {
    this.pipe.destroy();
  }

  private take(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    if (!this.upgraded) {
      const end = this.received.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.upgraded = true;
      this.received = this.received.subarray(end + 4);
    }
    for (;;) {
      const { received } = this;
      if (received.length < 2) return;
      const short = received[1]! & 127;
      const at = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (received.length < at) return;
      const length =
        short === 126
          ? received.readUInt16BE(2)
          : short === 127
            ? Number(received.readBigUInt64BE(2))
            : short;
      if (received.length < at + length) return;
      const payload = received.subarray(at, at + length);
      this.received = received.subarray(at + length);
      const opcode = received[0]! & 15;
      if (opcode === OPCODE.text) this.texts.push(payload.toString());
      else if (opcode === OPCODE.binary) this.binaries++;
      else if (opcode === OPCODE.close) this.pipe.end(wsFrame(OPCODE.close, payload));
    }
  }
}
