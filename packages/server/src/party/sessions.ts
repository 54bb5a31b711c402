/** The sessions of a server: which message belongs to which, and that no id is taken twice. */
import { SottoError } from "@sotto/core";
import { asSottoError, type ControlMessage, stateError, tagText } from "@sotto/wire";
import { Seen } from "../seen.js";
import { Session } from "./session.js";
import type { InferRequest, InferResult, SessionContext } from "./session-types.js";

/** Reasons kept for requests that come after their session's end. */
const KEPT_REASONS = 1000;

export class Sessions {
  private readonly context: SessionContext;
  private readonly max: number;
  private readonly running = new Map<string, Session>();
  /** Ids that a client has used. */
  private readonly taken = new Seen();
  /** Sessions that ended before their request came: why. */
  private readonly endedEarly = new Map<string, SottoError>();
  /** Set while no new session is taken: who waits for the last one to end. */
  private draining: (() => void)[] | undefined;

  constructor(context: SessionContext, max: number) {
    this.context = context;
    this.max = max;
  }

  /**
   * Runs a session for a client.
   * @param signal aborts when the client has gone.
   * @throws SottoError conflict for an id that was used before; whatever ended the session.
   */
  async infer(id: string, request: InferRequest, signal: AbortSignal): Promise<InferResult> {
    const { tally } = this.context;
    const { sent, received } = tally.traffic("client");
    received.data += request.input?.length ?? 0;
    try {
      const result = await this.run(id, request, signal);
      sent.data += result.output.length;
      tally.ended("ok");
      return result;
    } catch (error) {
      tally.ended(asSottoError(error).code);
      throw error;
    }
  }

  private async run(id: string, request: InferRequest, signal: AbortSignal): Promise<InferResult> {
    if (this.taken.has(id)) {
      throw new SottoError(
        "conflict",
        `session ${id} was opened before; a session id serves one input, draw a new one`,
      );
    }
    // one that the other parties have begun already runs to its end
    if (this.draining && !this.running.has(id)) throw this.leaving();
    const active = [...this.running.values()].filter((s) => s.hasRequest && !s.isWaiting).length;
    if (active >= this.max) {
      throw new SottoError(
        "unreachable",
        `server ${this.context.party} runs ${active} sessions already; try again`,
      );
    }
    this.taken.add(id);
    const early = this.endedEarly.get(id);
    this.endedEarly.delete(id);
    if (early) throw early;
    const session = this.running.get(id) ?? this.open(id);
    const gone = () => session.fail(new SottoError("unreachable", "the client has closed its request"));
    signal.addEventListener("abort", gone);
    try {
      return await session.infer(request);
    } finally {
      signal.removeEventListener("abort", gone);
    }
  }

  /**
   * A chunk of a stream: its randomness is prepared before its input comes (Session.feed).
   * @throws SottoError conflict for an id that was used before; what ended the session before it was asked for.
   */
  chunk(id: string, request: InferRequest): { session: Session; result: Promise<InferResult> } {
    if (this.taken.has(id)) {
      throw new SottoError("conflict", `session ${id} was opened before; draw a new stream id`);
    }
    this.taken.add(id);
    const early = this.endedEarly.get(id);
    this.endedEarly.delete(id);
    if (early) throw early;
    const session = this.running.get(id) ?? this.open(id);
    const { tally } = this.context;
    const result = session.infer(request).then(
      (done) => {
        const { sent, received } = tally.traffic("client");
        received.data += request.input?.length ?? 0;
        sent.data += done.output.length;
        tally.ended("ok");
        return done;
      },
      (error: unknown) => {
        if (request.input) tally.ended(asSottoError(error).code);
        throw error;
      },
    );
    return { session, result };
  }

  /** @returns whether the message belonged to a session. */
  take(from: "peer" | "dealer", message: ControlMessage, bytes: number): boolean {
    const name = this.context.connections.name(from);
    switch (message.type) {
      case "dealt":
        if (from !== "dealer") return false;
        this.expected(message.session)?.onDealt(message, bytes);
        return true;
      case "hello":
        if (from !== "peer") return false;
        this.expected(message.session)?.onHello(message);
        return true;
      case "abort":
      case "refused": {
        const id = message.type === "abort" ? message.session : message.about;
        const error = new SottoError(message.code, `${name}: ${message.message}`);
        const session = this.running.get(id);
        session?.fail(error, from);
        if (!session && message.type === "abort" && !this.taken.has(id)) this.remember(id, error);
        return session !== undefined || message.type === "abort";
      }
      case "unknown-frame": {
        if (from !== "peer") return true;
        const session = [...this.running.values()].find((s) => s.tagOut && tagText(s.tagOut) === message.tag);
        const what = `message of round ${message.number}`;
        session?.fail(new SottoError("protocol", `${name} does not know the session of our ${what}`));
        return true;
      }
      default:
        return false;
    }
  }

  get count(): number {
    return this.running.size;
  }

  /** Takes no new session from now on; resolves when the last running one has ended. */
  drain(): Promise<void> {
    this.draining ??= [];
    if (this.running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.draining?.push(resolve));
  }

  /** @throws SottoError unreachable while no new session is taken. */
  checkOpen(): void {
    if (this.draining) throw this.leaving();
  }

  /** Ends every session. */
  close(reason: string): void {
    for (const session of [...this.running.values()]) session.fail(new SottoError("unreachable", reason));
  }

  /** The session of a message that may come before the client's request; undefined when it has ended. */
  private expected(id: string): Session | undefined {
    const session = this.running.get(id);
    if (session) return session;
    const over = this.taken.has(id) || this.endedEarly.has(id);
    // streams are counted by themselves
    const early = [...this.running.values()].filter((s) => !s.isWaiting).length;
    if (!over && !this.draining && early < 4 * this.max) return this.open(id);
    const why = over ? `session ${id} has ended` : "too many sessions";
    const error = !over && this.draining ? this.leaving() : new SottoError("conflict", why);
    const abort = { type: "abort", session: id, ...stateError(error) } as const;
    this.context.connections.get("dealer")?.control(abort);
    this.context.connections.get("peer")?.control(abort);
    return undefined;
  }

  private open(id: string): Session {
    const session = new Session(id, this.context, (ended, error) => {
      this.running.delete(id);
      if (this.draining && this.running.size === 0) for (const resolve of this.draining) resolve();
      if (error && !ended.hasRequest) this.remember(id, error);
    });
    this.running.set(id, session);
    return session;
  }

  private leaving(): SottoError {
    return new SottoError(
      "unreachable",
      `server ${this.context.party} is shutting down and takes no new session; try again`,
    );
  }

  private remember(id: string, error: SottoError): void {
    this.endedEarly.set(id, error);
    if (this.endedEarly.size > KEPT_REASONS) this.endedEarly.delete(this.endedEarly.keys().next().value!);
  }
}
