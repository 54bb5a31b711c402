/** From a party's front to one of its workers: HTTPS with the party's own certificate, and who asks in a header. */
import type { IncomingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { SottoError } from "@sotto/core";
import { statedError } from "@sotto/wire";
import { checkRole, type Identity, networkError, type Shown, tlsOptions } from "@sotto/wire/node";
import { WebSocket } from "ws";
import { type Caller, callerHeader } from "../clients/callers.js";
import type { Worker } from "./messages.js";

export interface Forwarded {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Uint8Array | undefined;
  caller: Caller | undefined;
  signal?: AbortSignal;
}

export interface Answered {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export class Forwarder {
  private readonly party: 0 | 1;
  private readonly identity: Identity;
  private readonly agent: Agent;
  /** Requests on their way, by worker. */
  private readonly counts = new Map<string, number>();

  constructor(party: 0 | 1, identity: Identity) {
    this.party = party;
    this.identity = identity;
    // no resumed TLS sessions: Node checks the identity on full handshakes only
    this.agent = new Agent({ keepAlive: true, maxCachedSessions: 0, ...tlsOptions(identity) });
  }

  busy({ id }: Worker): number {
    return this.counts.get(id) ?? 0;
  }

  /** @throws SottoError what the worker states; unreachable: it cannot be reached, or has died. */
  async send(worker: Worker, asked: Forwarded): Promise<Answered> {
    this.counts.set(worker.id, this.busy(worker) + 1);
    try {
      const { status, ...answered } = await this.exchange(worker, asked);
      if (status < 300) return answered;
      throw statedBy(answered, status);
    } finally {
      this.counts.set(worker.id, this.busy(worker) - 1);
      if (this.busy(worker) === 0) this.counts.delete(worker.id);
    }
  }

  /** A WebSocket to a worker; it may fail still. */
  socket(worker: Worker, path: string, protocol: string, caller: Caller | undefined): WebSocket {
    return new WebSocket(`wss://${at(worker)}${path}`, protocol, {
      ...tlsOptions(this.identity),
      perMessageDeflate: false,
      headers: caller ? callerHeader(caller) : {},
      checkServerIdentity: ((_host: string, certificate: Shown) => this.check(certificate)) as never,
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private check(certificate: Shown) {
    return checkRole(certificate, `server-${this.party}`, `a worker of server ${this.party}`, this.identity);
  }

  private exchange(worker: Worker, asked: Forwarded): Promise<Answered & { status: number }> {
    const { method, path, headers, body, caller, signal } = asked;
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) => {
        const { message } = networkError(cause, `server ${this.party}'s worker`);
        // it may have been killed in the middle, and the session with it: nothing is sent twice
        reject(new SottoError("unreachable", `${message}; try again`, { cause }));
      };
      const outgoing = httpsRequest(
        `https://${at(worker)}${path}`,
        {
          method,
          agent: this.agent,
          signal,
          headers: {
            ...headers,
            ...(caller ? callerHeader(caller) : {}),
            ...(body ? { "content-length": String(body.length) } : {}),
          },
          checkServerIdentity: (_host, certificate) => this.check(certificate),
        },
        (reply) => {
          const chunks: Buffer[] = [];
          reply.on("data", (chunk: Buffer) => chunks.push(chunk));
          reply.on("error", fail);
          reply.on("end", () => {
            resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(chunks) });
          });
        },
      );
      outgoing.on("error", fail);
      outgoing.end(body);
    });
  }
}

/** What routes are found by: a request's target may be an absolute address, too (RFC 9112, 3.2.2). @throws SottoError bad-input */
export function originForm(target: string): string {
  if (target.startsWith("/")) return target;
  const { pathname, search } = URL.canParse(target) ? new URL(target) : { pathname: "", search: "" };
  if (pathname.startsWith("/")) return pathname + search;
  throw new SottoError(
    "bad-input",
    "the request's target is neither a path nor an address https://host/path",
  );
}

function at({ host, api }: Worker): string {
  return `${host.includes(":") ? `[${host}]` : host}:${api}`;
}

function statedBy({ headers, body }: Answered, status: number): SottoError {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    // below
  }
  const stated = statedError.safeParse(value);
  if (!stated.success) return new SottoError("internal", `a worker answered with HTTP status ${status}`);
  const seconds = Number(headers["retry-after"]);
  const after = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  return new SottoError(stated.data.code, stated.data.message, after);
}
