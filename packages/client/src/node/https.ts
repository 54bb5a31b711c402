/** HTTPS in Node, with a client certificate where there is one. */
import { Agent, request as httpsRequest } from "node:https";
import { SottoError } from "@sotto/core";
import {
  checkRole,
  type Identity,
  networkError,
  readAuthority,
  readIdentity,
  type Shown,
  tlsOptions,
} from "@sotto/wire/node";
import { WebSocket } from "ws";
import type { Cluster, HttpReply, HttpRequest, HttpTransport, Socket, SocketRequest } from "../cluster.js";
import { openSocket, type WebSocketLike } from "../socket.js";

/** With a pair of its own, or without. */
type Trusted = Identity | Pick<Identity, "ca" | "listed">;

/** @throws SottoError bad-config, tls: what is wrong with the certificate, before anything is sent. */
export function httpsTransport(cluster: Cluster): HttpTransport {
  const { tls } = cluster;
  if (!tls)
    throw new SottoError("bad-config", "tls: expected {ca, cert, key}, paths of PEM files; found nothing");
  const { ca, cert, key } = tls;
  if ((cert === undefined) !== (key === undefined))
    throw new SottoError("bad-config", "tls: expected both of cert and key, or neither");
  const identity =
    cert !== undefined && key !== undefined ? readIdentity({ ca, cert, key }) : readAuthority(ca);
  // no resumed TLS sessions: Node checks the identity on full handshakes only
  const options = { keepAlive: true, maxCachedSessions: 0, ...tlsOptions(identity) };
  const agents = {
    "server-0": new Agent(options),
    "server-1": new Agent(options),
  };
  return {
    request: (request) => send(agents[request.role], request, identity, true),
    socket: (wanted) => openNodeSocket(wanted, identity),
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function openNodeSocket(wanted: SocketRequest, identity: Trusted): Promise<Socket> {
  const { url, protocol, role } = wanted;
  const what = `${role.replace("-", " ")} (${new URL(url).origin})`;
  const make = () =>
    new WebSocket(url, protocol, {
      ...tlsOptions(identity),
      perMessageDeflate: false,
      checkServerIdentity: ((_host: string, certificate: Shown) =>
        checkRole(certificate, role, what, identity)) as never,
    });
  return openSocket(make as () => unknown as () => WebSocketLike, wanted, (event) => {
    const { error = event } = event as { error?: unknown };
    const status = /^Unexpected server response: (\d+)/.exec((error as Error).message)?.[1];
    if (!status) return networkError(error, what);
    return new SottoError("protocol", `${what} answered with HTTP status ${status}; is it a sotto server?`);
  });
}

/**
 * @param again whether to try once more where a kept connection turns out to be dead. That is safe for every
 * request of the API: a session id that had arrived is refused the second time.
 */
function send(agent: Agent, request: HttpRequest, identity: Trusted, again: boolean): Promise<HttpReply> {
  const { method, url, role, headers, body, signal } = request;
  const { origin } = new URL(url);
  const what = `${role.replace("-", " ")} (${origin})`;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(signal?.aborted ? signal.reason : networkError(error, what));
    let answered = false;
    const length = body ? { "content-length": String(body.length) } : {};
    const outgoing = httpsRequest(
      url,
      {
        method,
        agent,
        headers: { ...headers, ...length },
        signal,
        checkServerIdentity: (_host, certificate) => checkRole(certificate, role, what, identity),
      },
      (reply) => {
        answered = true;
        const chunks: Buffer[] = [];
        reply.on("data", (chunk: Buffer) => chunks.push(chunk));
        reply.on("error", fail);
        reply.on("end", () => {
          resolve({
            status: reply.statusCode ?? 0,
            header: (name) => reply.headers[name]?.toString(),
            body: new Uint8Array(Buffer.concat(chunks)),
          });
        });
      },
    );
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      const stale = outgoing.reusedSocket && error.code === "ECONNRESET" && !answered && !signal?.aborted;
      if (stale && again) send(agent, request, identity, false).then(resolve, reject);
      else fail(error);
    });
    outgoing.end(body);
  });
}
