/** A client's stream at a front: a WebSocket to the worker that holds its state, message for message. */
import { SottoError } from "@sotto/core";
import {
  asSottoError,
  chunkSession,
  decodeStepResult,
  encodeStep,
  STREAM_PROTOCOL,
  streamState,
} from "@sotto/wire";
import type { RawData } from "ws";
import { type Caller, callerKey } from "../clients/callers.js";
import type { ServerStats } from "../party/session-types.js";
import type { StreamEvents, StreamRequest } from "../party/streams/stream.js";
import type { OpensStreams } from "../party/streams/streams.js";
import type { Forwarder } from "./forward.js";
import type { Placing } from "./placing.js";

export class ForwardedStreams implements OpensStreams {
  readonly inFlight = 4;
  idleMs: number;
  private readonly placing: Placing;
  private readonly forwarder: Forwarder;

  constructor(placing: Placing, forwarder: Forwarder, idleMs: number) {
    this.placing = placing;
    this.forwarder = forwarder;
    this.idleMs = idleMs;
  }

  async open(
    request: StreamRequest,
    events: StreamEvents,
    signal: AbortSignal,
    caller: Caller | undefined,
  ): Promise<{ feed(number: number, share: Uint8Array): void; fail(cause: unknown): void }> {
    const { model, ...wanted } = request;
    const about = { model, plan: request.plan, bytes: 0, client: caller ? callerKey(caller) : "" };
    const worker = await this.placing.of(chunkSession(request.stream, 0), about, signal);
    const path = `/v2/models/${encodeURIComponent(model)}/stream`;
    const socket = this.forwarder.socket(worker, path, STREAM_PROTOCOL, caller);
    return new Promise((resolve, reject) => {
      let open = false;
      let over = false;
      const end = (error?: SottoError) => {
        if (over) return;
        over = true;
        socket.close();
        if (open) events.onEnd(error);
        else reject(error ?? new SottoError("unreachable", "the worker has closed the stream"));
      };
      const lost = () =>
        end(new SottoError("unreachable", "the stream's worker has gone; open a new stream"));
      signal.addEventListener("abort", () => end(), { once: true });
      if (signal.aborted) end();
      socket.on("open", () => socket.send(JSON.stringify({ type: "open", ...wanted })));
      socket.on("error", lost);
      socket.on("close", lost);
      socket.on("message", (data, isBinary) => {
        if (over) return;
        try {
          const bytes = bytesOf(data);
          if (isBinary) {
            const { number, figures, share } = decodeStepResult(bytes);
            events.onOutput(number, figures as ServerStats, share);
            return;
          }
          const state = streamState.parse(JSON.parse(new TextDecoder().decode(bytes)));
          if (state.type === "error") return end(new SottoError(state.code, state.message));
          this.idleMs = state.idleMs;
          open = true;
          resolve({
            feed: (number, share) => socket.send(encodeStep(number, share)),
            fail: (cause) => end(asSottoError(cause)),
          });
        } catch (error) {
          end(asSottoError(error));
        }
      });
    });
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
