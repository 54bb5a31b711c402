/** The sessions of a server: which message belongs to which, and that no id is taken twice. */
import { SottoError } from "@sotto/core";
import { asSottoError, type ControlMessage, type Link, type Message, stateError, tagText } from "@sotto/wire";
import { Admission, isActive, isDealtFor } from "./admission/admission.js";
import type { TurnLimits, Turns } from "./admission/turns.js";
import type { Other } from "./connections.js";
import { type Pooled, Refill } from "./pool/refill.js";
import { Session } from "./session.js";
import { SessionIds } from "./session-ids.js";
import type { InferRequest, InferResult, SessionContext } from "./session-types.js";

/** Of the budget of running sessions, that much again for what is prepared ahead of demand. */
const POOL_PART = 0.5;

export class Sessions {
  private readonly context: SessionContext;
  private readonly admission: Admission;
  private readonly running = new Map<string, Session>();
  private readonly turns: Turns;
  private readonly ids = new SessionIds();
  /** Set while no new session is taken: who waits for the last one to end. */
  private draining: (() => void)[] | undefined;
  /** By the client's session id: what was prepared ahead and serves it. */
  private readonly assigned = new Map<string, Pooled>();
  readonly pool: Refill;

  /**
   * @param limits or what is common to all sessions of this process, where there are several Sessions.
   * @param pool how many sessions' randomness is prepared ahead for each model and its sizes; 0: none.
   */
  constructor(context: SessionContext, limits: TurnLimits | Admission, pool = 0) {
    this.context = context;
    this.admission = limits instanceof Admission ? limits : new Admission(context.party, limits);
    this.turns = this.admission.enter(this.running);
    this.pool = new Refill(context, {
      depth: pool,
      bytes: context.ahead.bytes * POOL_PART,
      open: (id) => this.claim(id),
      busy: () => [...this.running.values()].some(isActive),
    });
    context.setups.onReplaced = (setUp) => this.pool.forget(setUp);
  }

  /** Requests that wait for their turn and have not begun at all; the tally knows the others. */
  get queued(): number {
    return this.context.party === 0 ? this.turns.waiting : 0;
  }

  /** Server 0 begins as many sessions as its own limit says: server 1 refuses what is far beyond its own. */
  private checkLoad(id: string): void {
    if (this.context.party === 0) return;
    const session = this.running.get(id);
    const { dealt, max } = this.admission;
    // those that server 0 has ended and this server is about to are among them
    if (!session || !isDealtFor(session) || dealt <= 2 * max) return;
    const text = `server 1 runs ${dealt - 1} sessions already; limits.maxSessions must be alike on both servers`;
    session.fail(new SottoError("unreachable", text));
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
    this.ids.checkNew(id);
    // one that the other parties have begun already runs to its end
    if (this.draining && !this.find(id)) throw this.leaving();
    this.ids.take(id);
    const { client = "", input } = request;
    const begun = this.find(id)?.isDealt ?? false;
    return new Promise((resolve, reject) => {
      const settled = () => signal.removeEventListener("abort", gone);
      const begin = () => {
        const pooled = this.assigned.get(id);
        pooled?.session.serve(request);
        const result = pooled?.result ?? (this.running.get(id) ?? this.open(id)).infer(request);
        result.finally(settled).then(resolve, reject);
      };
      const refuse = (error: SottoError, from?: Other) => {
        const session = this.find(id);
        if (session) session.fail(error, from);
        else if (!from) this.abort(id, error, ["peer"]);
        settled();
        reject(error);
      };
      const gone = () => {
        this.turns.remove(id);
        refuse(new SottoError("unreachable", "the client has closed its request"));
      };
      signal.addEventListener("abort", gone);
      this.turns.take({ id, client, bytes: input?.length ?? 0, begun, begin, refuse });
    });
  }

  /**
   * A chunk of a stream: its randomness is prepared before its input comes (Session.feed).
   * @throws SottoError conflict for an id that was used before; what ended the session before it was asked for.
   */
  chunk(id: string, request: InferRequest): { session: Session; result: Promise<InferResult> } {
    this.ids.checkNew(id, "draw a new stream id");
    const session = this.claim(id);
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

  /**
   * @param link the one that it came over, where there are several to the dealer's workers.
   * @returns whether the message belonged to a session.
   */
  take(from: Other, message: ControlMessage, bytes: number, link?: Link): boolean {
    const name = this.context.connections.name(from);
    switch (message.type) {
      case "dealt":
        if (from !== "dealer") return false;
        this.turns.begun(message.session);
        this.checkSetUp(message.setup);
        this.expected(message.session, link)?.onDealt(message, bytes, link);
        this.checkLoad(message.session);
        return true;
      case "hello":
        if (from !== "peer") return false;
        this.expected(message.session)?.onHello(message);
        return true;
      case "abort":
      case "refused": {
        const id = message.type === "abort" ? message.session : message.about;
        const error = new SottoError(message.code, `${name}: ${message.message}`);
        const session = this.find(id);
        if (from === "dealer" && session && !session.isDealtOver(link)) return true;
        session?.fail(error, from);
        if (!session) this.turns.remove(id)?.refuse(error, from);
        if (!session && message.type === "abort" && !this.ids.isTaken(id)) this.ids.ended(id, error);
        return session !== undefined || message.type === "abort";
      }
      case "unknown-frame": {
        if (from !== "peer") return true;
        const session = [...this.running.values()].find((s) => s.tagOut && tagText(s.tagOut) === message.tag);
        const what = `message of round ${message.number}`;
        session?.fail(new SottoError("protocol", `${name} does not know the session of our ${what}`));
        return true;
      }
      case "held":
        if (from !== "peer" || this.context.party !== 0) return false;
        this.checkHeld(message.session);
        return true;
      case "prepare":
      case "assign":
        if (from !== "peer" || this.context.party !== 1) return false;
        if (message.type === "prepare") this.pool.onPrepare(message);
        else this.assign(message);
        return true;
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
    if (this.context.party === 0) this.turns.refuseAll(this.leaving());
    this.pool.close();
    if (this.running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.draining?.push(resolve));
  }

  /** @throws SottoError unreachable while no new session is taken. */
  checkOpen(): void {
    if (this.draining) throw this.leaving();
  }

  /** Whether it has begun here, for a client that is yet to come or is there. */
  knows(id: string): boolean {
    return this.find(id) !== undefined || this.endedUnasked(id);
  }

  /** Whether it was over before a client's request came. */
  endedUnasked(id: string): boolean {
    return this.ids.reason(id) !== undefined;
  }

  /** Ends every session. */
  close(reason: string): void {
    this.pool.close();
    this.turns.refuseAll(new SottoError("unreachable", reason));
    for (const session of [...this.running.values()]) session.fail(new SottoError("unreachable", reason));
    this.admission.leave(this.running);
  }

  /** The connection to the other server is lost: what waits at one may have been forgotten at the other. */
  peerLost(cause: SottoError): void {
    const name = this.context.connections.name("peer");
    const what = `${name} was lost while the request waited for its turn: ${cause.message}; try again`;
    this.turns.refuseAll(new SottoError("unreachable", what));
  }

  /** By its own id, or by that of the client's session that it serves. */
  private find(id: string): Session | undefined {
    return this.running.get(id) ?? this.assigned.get(id)?.session;
  }

  /** The session of an id that is used now, and only now. @throws SottoError what ended it before. */
  private claim(id: string): Session {
    this.ids.take(id);
    return this.running.get(id) ?? this.open(id);
  }

  /** Server 0 has taken what was prepared ahead, for this client's session. */
  private assign({ session: id, pooled: from }: Message<"assign">): void {
    this.turns.begun(id);
    const pooled = this.pool.taken(from);
    const session = this.running.get(id);
    const over = !session && this.ids.isOver(id);
    if (!pooled) {
      const gone = new SottoError(
        "unreachable",
        `server 1 does not hold the randomness any more that was prepared for session ${id}; try again`,
      );
      this.context.connections.get("peer")?.control({ type: "abort", session: from, ...stateError(gone) });
      if (session) session.fail(gone);
      else if (!over) this.ids.ended(id, gone);
    } else if (over) {
      pooled.session.fail(new SottoError("conflict", `session ${id} has ended`));
    } else {
      this.assigned.set(id, pooled);
      if (session) session.continueAs(pooled);
      else pooled.session.assign(id);
    }
  }

  /** The session of a message that may come before the client's request; undefined when it has ended. */
  private expected(id: string, dealer?: Link): Session | undefined {
    const session = this.running.get(id);
    if (session) return session;
    const over = this.ids.isOver(id);
    const { early, max } = this.admission;
    if (!over && !this.draining && early < 4 * max) return this.open(id);
    const why = over ? `session ${id} has ended` : "too many sessions";
    const error = !over && this.draining ? this.leaving() : new SottoError("conflict", why);
    this.abort(id, error, ["dealer", "peer"], dealer);
    return undefined;
  }

  /** Server 0 begins sessions with this set-up; if it is lost here, that would not end by itself. */
  private checkSetUp(setup: string): void {
    const { party, setups, connections } = this.context;
    if (party === 1 && !setups.byId(setup)) connections.get("peer")?.control({ type: "setup-drop", setup });
  }

  /** Server 1 has waited for this session a while: the client's request may never come here. */
  private checkHeld(id: string): void {
    if (this.find(id) || this.turns.has(id)) return;
    const { joinTimeoutMs } = this.context;
    const text = `session ${id}: the client's request has not reached this server within ${joinTimeoutMs} ms, only server 1; try again`;
    const error = this.ids.reason(id) ?? new SottoError("unreachable", text);
    // should it come yet, it hears the same
    if (!this.ids.isTaken(id)) this.ids.ended(id, error);
    this.abort(id, error, ["peer"]);
  }

  private abort(id: string, error: SottoError, to: Other[], dealer?: Link): void {
    const abort = { type: "abort", session: id, ...stateError(error) } as const;
    for (const other of to) {
      const link = (other === "dealer" && dealer) || this.context.connections.get(other);
      link?.control(abort);
    }
  }

  private open(id: string): Session {
    const ended = (session: Session, error?: SottoError) => {
      const { servedId } = session;
      this.running.delete(id);
      if (this.assigned.get(servedId)?.session === session) this.assigned.delete(servedId);
      if (this.draining && this.running.size === 0) for (const resolve of this.draining) resolve();
      const unasked = !session.hasRequest || (servedId !== id && session.isWaiting);
      if (error && unasked) this.ids.ended(servedId, error);
      if (!session.handedOver) this.turns.ended(servedId);
      this.pool.onEnd(session, error !== undefined);
    };
    const session = new Session(id, this.context, ended, (client, setUp, request) => {
      const pooled = this.pool.take(client, setUp, request);
      if (pooled) this.assigned.set(client, pooled);
      return pooled;
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
}
