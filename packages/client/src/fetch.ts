/** HTTP through fetch, for browsers. The browser chooses the client's certificate. */
import { SottoError } from "@sotto/core";
import type { HttpReply, HttpRequest, HttpTransport, SocketRequest } from "./cluster.js";
import { openSocket, type WebSocketLike } from "./socket.js";

export const fetchTransport: HttpTransport = {
  async request({ method, url, headers, body, signal }: HttpRequest): Promise<HttpReply> {
    try {
      const reply = await fetch(url, { method, headers, body: body as BodyInit | undefined, signal });
      return {
        status: reply.status,
        header: (name) => reply.headers.get(name) ?? undefined,
        body: new Uint8Array(await reply.arrayBuffer()),
      };
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      // a browser says no more than that
      throw new SottoError("unreachable", `${url} is unreachable, or its certificate is not accepted`, {
        cause,
      });
    }
  },
  async socket(request: SocketRequest) {
    return openSocket(
      () => new WebSocket(request.url, request.protocol) as unknown as WebSocketLike,
      request,
    );
  },
  close() {},
};
