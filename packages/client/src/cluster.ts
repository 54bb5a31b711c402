/** The two servers as a client sees them, and how requests reach them. */
import { type ErrorCode, SottoError } from "@sotto/core";
import { asSottoError, statedError } from "@sotto/wire";

export interface ServerAddress {
  /** Base address such as https://127.0.0.1:9443. */
  url: string;
  /** API token for this server. */
  token?: string;
}

export interface Cluster {
  /** Server 0, then server 1. */
  servers: readonly [ServerAddress, ServerAddress];
  /**
   * Paths of PEM files, for Node. A client with a token needs no certificate and key of its own. In a browser the
   * certificates are the browser's affair.
   */
  tls?: { ca: string; cert?: string; key?: string };
}

/** One token for both servers, or one for each: then neither can pass for the client at the other. */
export type Token = string | readonly [string, string];

/** The same cluster, as whoever holds the token. */
export function withToken(cluster: Cluster, token: Token | undefined): Cluster {
  if (token === undefined) return cluster;
  const [a, b] = typeof token === "string" ? [token, token] : token;
  const [first, second] = cluster.servers;
  return {
    ...cluster,
    servers: [
      { ...first, token: a },
      { ...second, token: b },
    ],
  };
}

export interface HttpRequest {
  method: "GET" | "PUT" | "POST" | "DELETE";
  /** The whole address. */
  url: string;
  /** Role that the server's certificate must name. */
  role: "server-0" | "server-1";
  headers?: Record<string, string>;
  body?: Uint8Array;
  signal?: AbortSignal;
}

export interface HttpReply {
  status: number;
  header(name: string): string | undefined;
  body: Uint8Array;
}

/** A WebSocket that is open. Messages of text are JSON. */
export interface Socket {
  send(message: string | Uint8Array): void;
  /** Set before anything is sent. */
  onMessage: (message: string | Uint8Array) => void;
  /** Called once, also after close(). */
  onClose: (error: SottoError) => void;
  close(): void;
}

export interface SocketRequest {
  /** The whole address, wss. */
  url: string;
  /** Role that the server's certificate must name. */
  role: "server-0" | "server-1";
  protocol: string;
  signal: AbortSignal;
}

/** Carries HTTP requests. It throws SottoError unreachable or tls, naming the address. */
export interface HttpTransport {
  request(request: HttpRequest): Promise<HttpReply>;
  /** For streams. */
  socket?(request: SocketRequest): Promise<Socket>;
  close(): void;
}

/** What both ends of a call may set. */
export interface CallOptions {
  /** Deadline of the whole call, above 0; default 60 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** What a request to a server belongs to. */
export interface Asking {
  signal: AbortSignal;
  /** Names of servers that have been asked and have not answered yet. */
  silent: Set<string>;
}

/** The end of a call that is going on. */
export interface Deadline extends Asking {
  /** As performance.now() counts. */
  endsAt: number;
  /** What went wrong so far, for the error at the end. */
  last?: SottoError;
}

export const DEFAULT_TIMEOUT_MS = 60_000;
/** setTimeout takes 31 bits of milliseconds, and fires at once for more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One server of a cluster. */
export class ServerApi {
  readonly index: 0 | 1;
  readonly url: string;
  /** Says who asks; nothing where a certificate does. */
  readonly authorization: Readonly<Record<string, string>>;
  readonly token: string | undefined;
  private readonly transport: HttpTransport;

  constructor(cluster: Cluster, index: 0 | 1, transport: HttpTransport) {
    this.index = index;
    const { url, token } = cluster.servers[index];
    this.url = url.replace(/\/+$/, "");
    this.authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.token = token;
    this.transport = transport;
  }

  /** How messages call this server. */
  get name(): string {
    return `server ${this.index} (${this.url})`;
  }

  /** What the server says, with its name once: it may name itself, too. */
  said(message: string): string {
    const own = `server ${this.index}: `;
    return `${this.name}: ${message.startsWith(own) ? message.slice(own.length) : message}`;
  }

  /** @throws SottoError with the code that the server states; unreachable, tls. */
  async call(
    request: Pick<HttpRequest, "method" | "headers" | "body"> & { path: string },
    asking: Asking,
  ): Promise<HttpReply> {
    const { path, ...rest } = request;
    const { signal } = asking;
    const role = this.index === 0 ? "server-0" : "server-1";
    const headers = { ...rest.headers, ...this.authorization };
    const url = `${this.url}${path}`;
    const reply = await this.answer(asking, this.transport.request({ ...rest, headers, role, url, signal }));
    if (reply.status < 300) return reply;
    const { code, message } = statedBy(reply);
    const seconds = Number(reply.header("retry-after"));
    const after = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
    throw new SottoError(code, this.said(message), after);
  }

  /** Waits for an answer of this server; a deadline that ends meanwhile names it. */
  async answer<T>({ silent }: Asking, answer: Promise<T>): Promise<T> {
    silent.add(this.name);
    try {
      return await answer;
    } finally {
      silent.delete(this.name);
    }
  }

  /** Opens a WebSocket. @throws SottoError unreachable, tls, unsupported: the transport has none. */
  socket(path: string, protocol: string, signal: AbortSignal): Promise<Socket> {
    const { transport } = this;
    if (!transport.socket) throw new SottoError("unsupported", "this transport carries no WebSockets");
    const role = this.index === 0 ? "server-0" : "server-1";
    const url = `${this.url.replace(/^http/, "ws")}${path}`;
    return transport.socket({ url, role, protocol, signal });
  }

  async json(path: string, asking: Asking): Promise<unknown> {
    const reply = await this.call({ method: "GET", path }, asking);
    return parse(reply.body, this.name);
  }
}

/** Path of a model, or of something of it. */
export function modelPath(name: string, rest = ""): string {
  return `/v2/models/${encodeURIComponent(name)}${rest}`;
}

/** @throws SottoError protocol; the text itself is not quoted. */
export function parse(body: Uint8Array | string, whose: string): unknown {
  try {
    return JSON.parse(typeof body === "string" ? body : new TextDecoder().decode(body));
  } catch {
    throw new SottoError(
      "protocol",
      `${whose} answered with something that is not JSON; is it a sotto server?`,
    );
  }
}

/**
 * Runs a call under a deadline and the caller's signal.
 * @throws SottoError bad-input for a deadline that is none; timeout naming what was being done, the deadline, and the servers that
 * have not answered; the signal's own reason when it aborts.
 */
export async function underDeadline<T>(
  options: CallOptions,
  what: string,
  work: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) {
    throw new SottoError(
      "bad-input",
      `timeoutMs is ${String(timeoutMs)}; expected a number of milliseconds above 0`,
    );
  }
  const controller = new AbortController();
  const silent = new Set<string>();
  let silentAtEnd: string[] = [];
  const end = (reason: unknown) => {
    // before the requests end, too
    silentAtEnd = [...silent].sort();
    controller.abort(reason);
  };
  const cancel = () => end(options.signal?.reason);
  if (options.signal?.aborted) cancel();
  options.signal?.addEventListener("abort", cancel);
  const timer = setTimeout(
    () => {
      const why =
        "either it takes longer than that (raise the timeout), or a party hangs (see the servers' logs)";
      end(new SottoError("timeout", `${what}: no result within ${timeoutMs} ms; ${why}`));
    },
    Math.min(timeoutMs, MAX_TIMER_MS),
  );
  const { signal } = controller;
  const deadline: Deadline = { signal, silent, endsAt: performance.now() + timeoutMs };
  try {
    return await work(deadline);
  } catch (error) {
    if (signal.aborted && signal.reason !== undefined)
      throw explained(signal.reason, silentAtEnd, deadline.last);
    throw asSottoError(error);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", cancel);
  }
}

/** The reason of an abort; a deadline says who was silent, and what went wrong before it. */
function explained(reason: unknown, silent: readonly string[], last: SottoError | undefined): unknown {
  if (!(reason instanceof SottoError) || reason.code !== "timeout") return reason;
  const verb = silent.length > 1 ? "have" : "has";
  const more = silent.length > 0 ? [`${silent.join(" and ")} ${verb} not answered`] : [];
  if (last) more.push(last.message);
  if (more.length === 0) return reason;
  return new SottoError("timeout", [reason.message, ...more].join("; "), { cause: last ?? reason });
}

function statedBy(reply: HttpReply): { code: ErrorCode; message: string } {
  try {
    const parsed = statedError.safeParse(JSON.parse(new TextDecoder().decode(reply.body)));
    if (parsed.success) return parsed.data;
  } catch {
    // not ours
  }
  return { code: "protocol", message: `answered with HTTP status ${reply.status}; is it a sotto server?` };
}
