/**
 * WebSockets of clients, beside the HTTPS API: wss://server/v2/models/NAME/stream. A browser cannot set headers, so what
 * the client wants, and who it is where its certificate does not say it, is in its first message.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { SottoError } from "@sotto/core";
import {
  asSottoError,
  decodeStep,
  encodeStepResult,
  issuesText,
  modelName,
  STREAM_PROTOCOL,
  type StreamOpen,
  type StreamState,
  stateError,
  streamOpen,
} from "@sotto/wire";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Logger } from "../../log.js";
import { Admission, type StreamGate } from "./admission.js";
import type { Stream } from "./stream.js";
import type { OpensStreams } from "./streams.js";

export interface StreamSocketsOptions extends StreamGate {
  log: Logger;
  streams: OpensStreams;
  maxBodyBytes: number;
}

/** For the first message: time, bytes on the wire, and how many may be about it at the same time. */
const OPEN_TIMEOUT_MS = 10_000;
const OPEN_BYTES = 2 ** 16;
const MAX_OPENING = 256;
const PATH = /^\/v2\/models\/([^/?]+)\/stream$/;
/** Close codes of RFC 6455: a normal end; an error, which the message before it has stated. */
const NORMAL = 1000;
const FAILED = 1011;

/** Takes the upgrades of an HTTPS server. @returns what closes all of them. */
export function serveStreams(server: Server, options: StreamSocketsOptions): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxBodyBytes,
    // what is sent is random: it cannot be made smaller
    perMessageDeflate: false,
    autoPong: false,
    handleProtocols: (offered) => (offered.has(STREAM_PROTOCOL) ? STREAM_PROTOCOL : false),
  });
  const opening = new Set<WebSocket>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const model = modelOf(request);
    if (model === undefined) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      return;
    }
    if (opening.size >= MAX_OPENING) {
      socket.end("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      limitOpening(ws, socket, opening);
      new Conversation(ws, request, model, options, () => opening.delete(ws));
    });
  });
  return () => {
    for (const ws of sockets.clients) ws.terminate();
    sockets.close();
  };
}

/** Nobody knows who it is yet: it is cut off when it sends more than a first message has. */
function limitOpening(ws: WebSocket, socket: Duplex, opening: Set<WebSocket>): void {
  opening.add(ws);
  ws.on("close", () => opening.delete(ws));
  let bytes = 0;
  const count = (data: Buffer) => {
    bytes += data.length;
    if (!opening.has(ws)) socket.off("data", count);
    else if (bytes > OPEN_BYTES) ws.terminate();
  };
  socket.on("data", count);
}

function modelOf({ url = "" }: IncomingMessage): string | undefined {
  const found = PATH.exec(url)?.[1];
  try {
    return found === undefined ? undefined : decodeURIComponent(found);
  } catch {
    return undefined;
  }
}

class Conversation {
  private readonly ws: WebSocket;
  private readonly options: StreamSocketsOptions;
  private readonly admission: Admission;
  private readonly model: string;
  private readonly gone = new AbortController();
  private readonly onOpen: () => void;
  private stream: Pick<Stream, "feed" | "fail"> | undefined;
  private opening = false;
  private unsent = 0;

  /** @param onOpen the stream is open. */
  constructor(
    ws: WebSocket,
    request: IncomingMessage,
    model: string,
    options: StreamSocketsOptions,
    onOpen: () => void,
  ) {
    this.ws = ws;
    this.onOpen = onOpen;
    this.admission = new Admission(options, request, model);
    this.model = model;
    this.options = options;
    const timer = setTimeout(() => {
      this.refuse(new SottoError("timeout", `no first message within ${OPEN_TIMEOUT_MS} ms`));
    }, OPEN_TIMEOUT_MS);
    ws.on("message", (data, isBinary) => {
      clearTimeout(timer);
      this.take(data, isBinary);
    });
    // whoever pings and does not read is not answered again: answers would pile up
    ws.on("ping", (data) => {
      if (ws.bufferedAmount === 0) ws.pong(data);
    });
    ws.on("close", () => {
      clearTimeout(timer);
      this.gone.abort();
      this.admission.leave("gone");
    });
    // what cannot be read closes the connection by itself
    ws.on("error", (error) => options.log.debug({ reason: error.message }, "stream connection failed"));
  }

  private take(data: RawData, isBinary: boolean): void {
    try {
      if (!this.stream) {
        if (this.opening) throw new SottoError("protocol", "a chunk before the stream was open");
        this.opening = true;
        this.open(parseOpen(data, isBinary)).catch((error) => this.refuse(error));
        return;
      }
      if (!isBinary) throw new SottoError("protocol", "expected a chunk; its message is binary");
      const { number, share } = decodeStep(bytesOf(data));
      // a client that does not read its results gets no further ones
      if (this.unsent >= this.options.streams.inFlight)
        throw new SottoError("conflict", "the client does not read its results");
      this.stream.feed(number, share);
    } catch (error) {
      if (this.stream) this.stream.fail(error);
      else this.refuse(error);
    }
  }

  private async open(message: StreamOpen): Promise<void> {
    const { streams } = this.options;
    const caller = await this.admission.enter(message);
    const { type: _, token: __, ...wanted } = message;
    const model = modelName.safeParse(this.model);
    if (!model.success)
      throw new SottoError("bad-input", `the model's name: ${model.error.issues[0]?.message}`);
    const events = {
      onOutput: (number: number, stats: object, share: Uint8Array) => {
        this.unsent++;
        this.ws.send(encodeStepResult(number, stats, share), () => this.unsent--);
      },
      onEnd: (error?: SottoError) => {
        if (error) this.refuse(error);
        else {
          this.admission.leave("ok");
          this.ws.close(NORMAL);
        }
      },
    };
    this.stream = await streams.open({ ...wanted, model: model.data }, events, this.gone.signal, caller);
    this.onOpen();
    this.say({ type: "opened", inFlight: streams.inFlight, idleMs: streams.idleMs });
  }

  private refuse(cause: unknown): void {
    const error = asSottoError(cause);
    if (error.code === "internal") this.options.log.error({ reason: error.message }, "stream failed");
    this.admission.leave(error.code);
    this.say({ type: "error", ...stateError(error) });
    this.ws.close(FAILED);
  }

  private say(state: StreamState): void {
    if (this.ws.readyState === this.ws.OPEN) this.ws.send(JSON.stringify(state));
  }
}

/** @throws SottoError protocol */
function parseOpen(data: RawData, isBinary: boolean): StreamOpen {
  let value: unknown;
  try {
    value = isBinary ? undefined : JSON.parse(new TextDecoder().decode(bytesOf(data)));
  } catch {
    // the parser's own message quotes its input
  }
  const parsed = streamOpen.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = issuesText(parsed.error, "message");
  throw new SottoError("protocol", `the first message does not open a stream: ${wrong}`);
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
