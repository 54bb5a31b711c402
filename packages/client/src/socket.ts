/** WebSockets of a browser, and of Node with the same interface. */
import { SottoError } from "@sotto/core";
import type { Socket, SocketRequest } from "./cluster.js";

/** What a browser's WebSocket and that of the package ws have in common. */
export interface WebSocketLike {
  binaryType: string;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
}

/** RFC 6455: a normal end. */
const NORMAL = 1000;

/** @param what the server, for messages. @param explain why it failed, from the event of the error. */
export function openSocket(
  make: () => WebSocketLike,
  { url, signal }: SocketRequest,
  explain: (event: unknown) => SottoError = () =>
    // a browser says no more than that
    new SottoError("unreachable", `${url} is unreachable, or its certificate is not accepted`),
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const ws = make();
    ws.binaryType = "arraybuffer";
    let failure: SottoError | undefined;
    const socket: Socket = {
      send: (message) => ws.send(message),
      onMessage: () => {},
      onClose: () => {},
      close: () => ws.close(NORMAL),
    };
    const aborted = () => {
      ws.close();
      reject(signal.reason);
    };
    signal.addEventListener("abort", aborted, { once: true });
    ws.onopen = () => {
      signal.removeEventListener("abort", aborted);
      resolve(socket);
    };
    ws.onmessage = ({ data }: { data: unknown }) => {
      socket.onMessage(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
    };
    ws.onerror = (event: unknown) => {
      failure ??= explain(event);
      reject(failure);
    };
    ws.onclose = ({ code }: { code: number }) => {
      signal.removeEventListener("abort", aborted);
      failure ??= new SottoError("unreachable", `${url} closed the connection (${code})`);
      reject(failure);
      socket.onClose(failure);
    };
  });
}
