/** Frames over TLS 1.3 with certificates on both sides; a certificate's common name is its owner's role. */
import { type AddressInfo, isIP, type Server, type Socket } from "node:net";
import tls from "node:tls";
import { SottoError } from "@sotto/core";
import type { FrameChannel } from "../channel.js";
import { type Frame, FrameDecoder, type Role } from "../frame.js";
import { controlFrame } from "../messages.js";
import { networkError } from "./errors.js";
import { type Identity, type Shown, shownName } from "./identity.js";

export interface Address {
  host: string;
  port: number;
}

export interface ChannelOptions {
  maxPayload?: number;
}

export interface DialOptions extends ChannelOptions {
  signal?: AbortSignal;
}

/** Below this much unsent, drained() resolves at once. */
const LOW_WATER = 2 ** 20;
const KEEP_ALIVE_MS = 10_000;

/** TLS 1.3 only, a certificate that `ca` trusts required of the other side. */
export function tlsOptions(
  identity: Identity | Pick<Identity, "ca" | "listed">,
): tls.SecureContextOptions & { rejectUnauthorized: true } {
  const { listed: _, ...pem } = identity;
  return { ...pem, minVersion: "TLSv1.3", rejectUnauthorized: true };
}

/** @returns an error for Node's checkServerIdentity when the certificate is another role's. */
export function checkRole(
  certificate: Shown,
  expected: Role,
  what: string,
  identity: Pick<Identity, "listed">,
) {
  const name = shownName(certificate, identity);
  if (name === expected) return undefined;
  const shown = name === undefined ? "that is not listed" : `of "${name}"`;
  return new SottoError("tls", `${what} shows the certificate ${shown}, expected that of "${expected}"`);
}

/**
 * Connects to a party.
 * @throws SottoError unreachable, tls (not the cluster's CA, or not the expected role), timeout.
 */
export function dial(
  address: Address,
  identity: Identity,
  expected: Role,
  timeoutMs: number,
  options: DialOptions = {},
): Promise<FrameChannel> {
  const what = `${expected} (${address.host}:${address.port})`;
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...tlsOptions(identity),
      ...address,
      // the role in a certificate of the cluster's CA is the identity; host names say less
      checkServerIdentity: (_host, certificate) => checkRole(certificate, expected, what, identity),
      servername: isIP(address.host) ? "" : address.host,
    });
    const timer = setTimeout(() => {
      fail(new SottoError("timeout", `${what} did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", aborted);
      socket.removeListener("close", closed);
      socket.removeListener("error", fail);
    };
    const fail = (error: unknown) => {
      settle();
      socket.on("error", () => {});
      socket.destroy();
      reject(networkError(error, what));
    };
    const closed = () => fail(new SottoError("unreachable", `${what} closed the connection`));
    const aborted = () => fail(new SottoError("unreachable", `connecting to ${what} was given up`));
    socket.on("error", fail);
    socket.on("close", closed);
    options.signal?.addEventListener("abort", aborted);
    socket.once("secureConnect", () => {
      settle();
      resolve(new TlsChannel(socket, what, options));
    });
  });
}

export interface Listener {
  port: number;
  close(): Promise<void>;
}

/**
 * Listens for parties of the given roles. A certificate of another role is answered with the reason and closed.
 * @throws SottoError bad-config when the address cannot be listened on.
 */
export function listen(
  address: Address,
  identity: Identity,
  roles: readonly Role[],
  onChannel: (channel: FrameChannel, role: Role) => void,
  onRefused: (error: SottoError) => void,
  options: ChannelOptions = {},
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server: Server = tls.createServer(
    { ...tlsOptions(identity), requestCert: true, noDelay: true },
    (socket) => {
      const name = shownName(socket.getPeerCertificate(), identity);
      const role = roles.find((r) => r === name);
      const channel = new TlsChannel(socket, role ?? `"${name ?? "?"}"`, options);
      if (role) return onChannel(channel, role);
      const shown = name === undefined ? "is not listed" : `is that of "${name}"`;
      const message = `the certificate ${shown}; expected ${roles.join(" or ")}`;
      channel.send(controlFrame({ type: "refused", about: "", code: "tls", message }));
      channel.close();
      onRefused(new SottoError("tls", `a connection was refused: ${message}`));
    },
  );
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", (error: Error) => onRefused(networkError(error, "a connecting party")));
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const { host, port } = address;
      reject(
        new SottoError("bad-config", `cannot listen on ${host}:${port}: ${error.message}`, { cause: error }),
      );
    });
    server.listen(address.port, address.host, () => {
      server.removeAllListeners("error");
      server.on("error", (error) => onRefused(networkError(error, "the listening socket")));
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

class TlsChannel implements FrameChannel {
  onFrame: (frame: Frame) => void = () => {};
  onClose: (error?: SottoError) => void = () => {};
  received = 0;
  private readonly socket: tls.TLSSocket;
  private readonly decoder: FrameDecoder;
  private closed = false;

  constructor(socket: tls.TLSSocket, what: string, options: ChannelOptions) {
    this.socket = socket;
    this.decoder = new FrameDecoder((frame) => this.onFrame(frame), options.maxPayload);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("data", (chunk: Uint8Array) => {
      this.received += chunk.length;
      try {
        this.decoder.push(chunk);
      } catch (error) {
        this.end(networkError(error, what));
        socket.destroy();
      }
    });
    socket.on("error", (error) => this.end(networkError(error, what)));
    socket.on("end", () => this.end(new SottoError("unreachable", `${what} closed the connection`)));
    socket.on("close", () => this.end(new SottoError("unreachable", `the connection to ${what} was closed`)));
  }

  send(frame: Uint8Array, left?: () => void): void {
    if (!this.closed) this.socket.write(frame, left);
  }

  drained(): Promise<void> {
    const { socket } = this;
    if (this.closed || socket.writableLength < LOW_WATER) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        socket.removeListener("drain", done);
        socket.removeListener("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
  }

  close(): void {
    if (this.closed) return;
    // sends what is queued, then ends; not more than a second for an unwilling other side
    this.socket.end();
    setTimeout(() => this.socket.destroy(), 1000).unref();
    this.end();
  }

  private end(error?: SottoError): void {
    if (this.closed) return;
    this.closed = true;
    this.decoder.stop();
    if (error) this.socket.destroy();
    this.onClose(error);
  }
}
