/** The WebSocket of a browser, stood in for by that of the package ws, against a server. */
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { fetchTransport } from "./fetch.js";

let server: WebSocketServer;
let url: string;
const own = globalThis.WebSocket;

beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "p" });
  await new Promise((resolve) => server.once("listening", resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  globalThis.WebSocket = WebSocket as never;
});
afterEach(() => server.removeAllListeners("connection"));
afterAll(() => {
  globalThis.WebSocket = own;
  server.close();
});

function open(at: string, signal = new AbortController().signal) {
  return fetchTransport.socket!({ url: at, role: "server-0", protocol: "p", signal });
}

it("carries text and bytes in both directions, and says when the other side closes", async () => {
  server.on("connection", (ws) => {
    ws.on("message", (data, isBinary) => {
      ws.send(data, { binary: isBinary });
      if (isBinary) ws.close(1011);
    });
  });
  const socket = await open(url);
  const heard: unknown[] = [];
  const closed = new Promise<Error>((resolve) => {
    socket.onClose = resolve;
  });
  socket.onMessage = (message) => heard.push(message);
  socket.send("text");
  socket.send(Uint8Array.of(1, 2, 3));
  expect(await closed).toMatchObject({ code: "unreachable", message: `${url} closed the connection (1011)` });
  expect(heard).toEqual(["text", Uint8Array.of(1, 2, 3)]);
});

it("fails as unreachable where nobody answers, and with the caller's reason when it is given up", async () => {
  await expect(open("ws://127.0.0.1:1")).rejects.toMatchObject({ code: "unreachable" });
  const given = new AbortController();
  given.abort(new Error("given up"));
  await expect(open(url, given.signal)).rejects.toThrow("given up");
  const later = new AbortController();
  const opening = open(url, later.signal);
  later.abort(new Error("given up"));
  await expect(opening).rejects.toThrow("given up");
});
