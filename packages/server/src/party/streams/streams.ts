/** The streams of a server. */
import { SottoError } from "@sotto/core";
import type { Caller } from "../../clients/callers.js";
import type { SessionContext } from "../session-types.js";
import type { Sessions } from "../sessions.js";
import { Stream, type StreamEvents, type StreamRequest } from "./stream.js";

/** Chunks of a stream that may be on their way: enough that a client far away keeps the servers busy. */
const IN_FLIGHT = 4;

/** What the API's WebSockets need of them. */
export interface OpensStreams {
  readonly inFlight: number;
  readonly idleMs: number;
  open(
    request: StreamRequest,
    events: StreamEvents,
    signal: AbortSignal,
    caller: Caller | undefined,
  ): Promise<Pick<Stream, "feed" | "fail">>;
}

/** How many streams a process holds. Several Streams may share the places. */
export class StreamPlaces {
  readonly most: number;
  taken = 0;

  constructor(most: number) {
    this.most = most;
  }
}

export class Streams implements OpensStreams {
  readonly inFlight = IN_FLIGHT;
  readonly idleMs: number;
  private readonly context: SessionContext;
  private readonly sessions: Sessions;
  private readonly places: StreamPlaces;
  private readonly running = new Set<Stream>();
  private leaving: SottoError | undefined;

  constructor(context: SessionContext, sessions: Sessions, places: StreamPlaces, idleMs: number) {
    this.context = context;
    this.sessions = sessions;
    this.places = places;
    this.idleMs = idleMs;
  }

  /** How many there are. */
  get count(): number {
    return this.running.size;
  }

  /** @throws SottoError unreachable where there are too many; see Stream.open(). */
  async open(request: StreamRequest, events: StreamEvents, signal: AbortSignal): Promise<Stream> {
    const { party, log } = this.context;
    if (this.leaving) throw this.leaving;
    const { places } = this;
    if (places.taken >= places.most) {
      throw new SottoError("unreachable", `server ${party} holds ${places.most} streams already; try again`);
    }
    const about = { stream: request.stream, model: request.model };
    const stream = new Stream(request, this.context, this.sessions, this, {
      onOutput: events.onOutput,
      onEnd: (error) => {
        if (this.running.delete(stream)) places.taken--;
        const why = error ? { code: error.code, message: error.message } : {};
        log.info({ ...about, ...why }, "stream ended");
        events.onEnd(error);
      },
    });
    this.running.add(stream);
    places.taken++;
    signal.addEventListener("abort", () => stream.close(), { once: true });
    if (signal.aborted) stream.close();
    try {
      await stream.open();
    } catch (error) {
      stream.fail(error);
      throw error;
    }
    log.info({ ...about, steps: request.steps }, "stream opened");
    return stream;
  }

  /** Takes no new stream, and ends each when what has been sent to it is answered. */
  drain(reason: string): void {
    this.leaving = new SottoError("unreachable", reason);
    for (const stream of [...this.running]) stream.leave(this.leaving);
  }

  /** Ends every stream. */
  close(reason: string): void {
    for (const stream of [...this.running]) stream.fail(new SottoError("unreachable", reason));
  }
}
