/**
 * One stream on one server: its state between chunks, and the session that waits for the next one.
 * docs/protocol.md, "Streams".
 *
 * Each chunk is a session of its own, with randomness of its own; the stream's id and the chunk's number give its id, on
 * both servers. There is always one that has begun, or is prepared and waits for its input: when it fails on one server,
 * the other server's fails with it, and so does the stream.
 */
import { type Carried, dropCarried, SottoError, type Streaming } from "@sotto/core";
import { asSottoError, chunkSession, type StreamOpen } from "@sotto/wire";
import type { Session } from "../session.js";
import type { InferResult, ServerStats, SessionContext } from "../session-types.js";
import type { Sessions } from "../sessions.js";
import type { SetUp } from "../setups.js";

export interface StreamRequest extends Omit<StreamOpen, "type" | "token"> {
  model: string;
}

export interface StreamEvents {
  onOutput(number: number, stats: ServerStats, share: Uint8Array): void;
  /** Called once, when the stream is over and its state is wiped. Without an error its client has closed it. */
  onEnd(error?: SottoError): void;
}

export interface StreamLimits {
  /** Chunks of one client's stream on their way at the same time. */
  inFlight: number;
  idleMs: number;
}

interface Arrived {
  share: Uint8Array;
  at: number;
}

/**
 * Chunks prepared ahead. They are prepared when a chunk is over, and not while its rounds go on, which would take longer;
 * with two of them a client that is never idle does not wait for what can be done during its rounds either.
 */
const AHEAD = 2;

/** How long the first chunk waits for a model that is being set up. */
const READY_WAIT_MS = 5000;

export class Stream {
  readonly id: string;
  private readonly request: StreamRequest;
  private readonly context: SessionContext;
  private readonly sessions: Sessions;
  private readonly events: StreamEvents;
  private readonly limits: StreamLimits;
  private readonly queue: Arrived[] = [];
  private setUp: SetUp | undefined;
  private streaming: Streaming | undefined;
  /** The chunks whose inputs come next. */
  private readonly ahead: Session[] = [];
  private prepared = 0;
  private running: Session | undefined;
  private carried: Carried = new Map();
  private received = 0;
  private idle: NodeJS.Timeout | undefined;
  private leaving: SottoError | undefined;
  private ended = false;

  constructor(
    request: StreamRequest,
    context: SessionContext,
    sessions: Sessions,
    limits: StreamLimits,
    events: StreamEvents,
  ) {
    this.id = request.stream;
    this.request = request;
    this.context = context;
    this.sessions = sessions;
    this.limits = limits;
    this.events = events;
  }

  /** @throws SottoError not-found, unreachable, plan-mismatch; unsupported: a model that cannot be streamed. */
  async open(): Promise<void> {
    const { setups, runs, party, timeoutMs } = this.context;
    const { model: name, plan, sizes, steps } = this.request;
    const setUp = await setups.whenReady(name, Math.min(READY_WAIT_MS, timeoutMs / 2));
    if (this.ended) return;
    const { model } = setUp;
    if (plan !== model.hash) {
      throw new SottoError(
        "plan-mismatch",
        `the client expects plan ${plan} of model ${name}, server ${party} holds ${model.hash}`,
      );
    }
    this.streaming = runs.streaming(model.plan, model.hash, sizes, steps);
    setUp.lease.acquire();
    this.setUp = setUp;
    this.prepare();
    this.rest();
  }

  /** A chunk's input share. What is wrong with it ends the stream. */
  feed(number: number, share: Uint8Array): void {
    if (this.ended) return;
    const { inFlight } = this.limits;
    const onTheWay = this.queue.length + (this.running ? 1 : 0);
    if (!this.streaming) this.fail(new SottoError("protocol", "a chunk before the stream was open"));
    else if (number !== this.received) {
      const why = `stream ${this.id}: chunk ${number} came, expected chunk ${this.received}`;
      this.fail(new SottoError("protocol", `${why}; chunks come once and in order`));
    } else if (onTheWay >= inFlight) {
      this.fail(
        new SottoError("conflict", `stream ${this.id}: more than ${inFlight} chunks at the same time`),
      );
    } else {
      this.received++;
      this.queue.push({ share, at: performance.now() });
      this.rest();
      this.run();
    }
  }

  /** The client has closed the stream. */
  close(): void {
    this.end(new SottoError("unreachable", "the client has closed the stream"));
  }

  /** Ends it once nothing is on its way. */
  leave(reason: SottoError): void {
    this.leaving = reason;
    this.rest();
  }

  fail(cause: unknown): void {
    this.end(asSottoError(cause), asSottoError(cause));
  }

  /** Gives the next input to the session that waits for it. */
  private run(): void {
    if (this.ended || this.running || this.queue.length === 0) return;
    const { share, at } = this.queue.shift()!;
    const { carried } = this;
    this.running = this.ahead.shift()!;
    this.carried = new Map();
    this.running.feed(share, carried, at);
  }

  private prepare(): void {
    while (this.ahead.length < AHEAD && !this.ended) this.ahead.push(this.chunk(this.prepared++));
  }

  private chunk(number: number): Session {
    const { model, plan, sizes, steps, stream, look, roundTimes } = this.request;
    const kind = this.streaming!.kindOf(number);
    const about = { setUp: this.setUp!, steps, kind };
    const request = { model, plan, sizes, look, roundTimes, stream: about, arrived: performance.now() };
    const { session, result } = this.sessions.chunk(chunkSession(stream, number), request);
    result.then(
      (done) => this.finish(number, done),
      (error) => this.fail(error),
    );
    return session;
  }

  private finish(number: number, { output, stats, carried }: InferResult): void {
    if (this.ended) {
      dropCarried(this.context.ring, carried);
      return;
    }
    this.running = undefined;
    this.carried = carried;
    this.context.tally.streamSteps += this.request.steps;
    this.events.onOutput(number, stats, output);
    this.rest();
    this.run();
    try {
      this.prepare();
    } catch (error) {
      this.fail(error);
    }
  }

  /** The client may take its time, while nothing of it is on its way. */
  private rest(): void {
    clearTimeout(this.idle);
    if (this.ended || this.running || this.queue.length > 0) return;
    if (this.leaving) {
      this.fail(this.leaving);
      return;
    }
    const { idleMs } = this.limits;
    this.idle = setTimeout(() => {
      const text = `stream ${this.id}: no step for ${idleMs} ms, so its state was wiped (limits.streamIdleMs); open a new stream`;
      this.fail(new SottoError("timeout", text));
    }, idleMs);
  }

  private end(reason: SottoError, error?: SottoError): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.idle);
    this.queue.length = 0;
    // the other server and the dealer hear of it
    this.running?.fail(reason);
    for (const session of this.ahead) session.fail(reason);
    this.ahead.length = 0;
    dropCarried(this.context.ring, this.carried);
    this.setUp?.lease.release();
    this.events.onEnd(error);
  }
}
