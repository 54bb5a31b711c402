/** The two servers as a client sees them, and how requests reach them. */
import { type ErrorCode, SottoError } from "@sotto/core";
import { asSottoError, statedError } from "@sotto/wire";

export interface Cluster {
  /** Server 0, then server 1: base addresses such as https://127.0.0.1:9443. */
  servers: readonly [{ url: string }, { url: string }];
  /** Paths of PEM files, for Node. In a browser the certificates are the browser's affair. */
  tls?: { ca: string; cert: string; key: string };
}

export interface HttpRequest {
  method: "GET" | "PUT" | "POST";
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

/** Carries HTTP requests. It throws SottoError unreachable or tls, naming the address. */
export interface HttpTransport {
  request(request: HttpRequest): Promise<HttpReply>;
  close(): void;
}

/** What both ends of a call may set. */
export interface CallOptions {
  /** Deadline of the whole call; default 60 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export const DEFAULT_TIMEOUT_MS = 60_000;

/** One server of a cluster. */
export class ServerApi {
  readonly index: 0 | 1;
  private readonly url: string;
  private readonly transport: HttpTransport;

  constructor(cluster: Cluster, index: 0 | 1, transport: HttpTransport) {
    this.index = index;
    this.url = cluster.servers[index].url.replace(/\/+$/, "");
    this.transport = transport;
  }

  /** How messages call this server. */
  get name(): string {
    return `server ${this.index} (${this.url})`;
  }

  /** @throws SottoError with the code that the server states; unreachable, tls. */
  async call(
    request: Pick<HttpRequest, "method" | "headers" | "body" | "signal"> & { path: string },
  ): Promise<HttpReply> {
    const { path, ...rest } = request;
    const role = this.index === 0 ? "server-0" : "server-1";
    const reply = await this.transport.request({ ...rest, role, url: `${this.url}${path}` });
    if (reply.status < 300) return reply;
    const { code, message } = statedBy(reply);
    throw new SottoError(code, `${this.name}: ${message}`);
  }

  async json(path: string, signal: AbortSignal): Promise<unknown> {
    const reply = await this.call({ method: "GET", path, signal });
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
 * @throws SottoError timeout naming what was being done and the deadline; the signal's own reason when it aborts.
 */
export async function underDeadline<T>(
  options: CallOptions,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const controller = new AbortController();
  const cancel = () => controller.abort(options.signal?.reason);
  if (options.signal?.aborted) cancel();
  options.signal?.addEventListener("abort", cancel);
  const timer = setTimeout(() => {
    const why =
      "either it takes longer than that (raise the timeout), or a party hangs (see the servers' logs)";
    controller.abort(new SottoError("timeout", `${what}: no result within ${timeoutMs} ms; ${why}`));
  }, timeoutMs);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && controller.signal.reason !== undefined) throw controller.signal.reason;
    throw asSottoError(error);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", cancel);
  }
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
