/**
 * One session on one server: collects what it needs (the client's request, the dealer's randomness, the other
 * server's hello), runs the rounds, and forgets everything. docs/protocol.md, "Sessions".
 *
 * Its randomness is take-once by construction: the seed comes with a deal id that the dealer draws for this one
 * request, goes into one Party, and the Party takes one input.
 */
import { type Carried, dropCarried, SottoError } from "@sotto/core";
import { asSottoError, type Link, type Message, stateError, type Tag } from "@sotto/wire";
import { Watch } from "../observe/watch.js";
import { chunkText, type Run, sizesText } from "../runs.js";
import { Evaluation } from "./evaluation.js";
import { Greeting } from "./greeting.js";
import type { Pooled } from "./pool/refill.js";
import { SessionDealer } from "./session-dealer.js";
import { agree, checkShare, checkStated, dealerLost, failureLevel, peerLost } from "./session-errors.js";
import type { InferRequest, InferResult, SessionContext } from "./session-types.js";
import type { SetUp } from "./setups.js";
import { Patience, waitOf } from "./waits.js";

/** Server 0's way to randomness prepared ahead. */
export type TakePooled = (session: string, setUp: SetUp, request: InferRequest) => Pooled | undefined;

/** How long a request waits for a model that is being set up, or for parties that are just coming up. */
const READY_WAIT_MS = 5000;

interface Waiter {
  resolve: (result: InferResult) => void;
  reject: (error: SottoError) => void;
}

export class Session {
  readonly id: string;
  private readonly context: SessionContext;
  private readonly onEnd: (session: Session, error?: SottoError) => void;
  private readonly takePooled: TakePooled;
  private readonly patience: Patience;
  private readonly cleanUp: (() => void)[] = [];
  private readonly other: string;
  private request: InferRequest | undefined;
  private waiter: Waiter | undefined;
  private dealt: Message<"dealt"> | undefined;
  private dealtBytes = 0;
  private readonly greeting: Greeting;
  private run: Run | undefined;
  private setUp: SetUp | undefined;
  /** Once its randomness has been dealt. */
  private evaluation: Evaluation | undefined;
  private peer: Link | undefined;
  private readonly dealer = new SessionDealer((error) => this.dealerLost(error));
  private watch: Watch | undefined;
  private ended = false;
  /** Prepared ahead, it goes on with this session's request. */
  private next: Session | undefined;
  /** The client's session whose request this one, prepared ahead, goes on with. */
  private serves: string | undefined;
  /** What the chunk before left, until the Party has it. */
  private carried: Carried = new Map();

  constructor(
    id: string,
    context: SessionContext,
    onEnd: (session: Session, error?: SottoError) => void,
    takePooled: TakePooled = () => undefined,
  ) {
    this.takePooled = takePooled;
    this.id = id;
    this.context = context;
    this.onEnd = onEnd;
    this.other = context.connections.name("peer");
    this.greeting = new Greeting(this.other);
    this.patience = new Patience(
      context,
      () => this.wait(),
      (error) => this.fail(error),
      () => context.connections.get("peer")?.control({ type: "held", session: id }),
    );
  }

  get hasRequest(): boolean {
    return this.request !== undefined;
  }

  /** Tag of this session's frames to the other server, once its randomness is bound to its request. */
  get tagOut(): Tag | undefined {
    return this.evaluation?.tagOut;
  }

  /** Its randomness has been dealt: server 0 has begun it. */
  get isDealt(): boolean {
    return this.dealt !== undefined;
  }

  get isChunk(): boolean {
    return this.request?.stream !== undefined;
  }

  /** Whether what a dealer's worker says, over this link, is of its randomness; another one may have had a copy of its job. */
  isDealtOver(link: Link | undefined): boolean {
    return !this.dealt || !link || link === this.dealer.link;
  }

  /** Whether it is a chunk of a stream, or prepared ahead, and its input has not come. */
  get isWaiting(): boolean {
    return this.request !== undefined && !this.request.input;
  }

  /** Another session, prepared ahead, goes on with its request. */
  get handedOver(): boolean {
    return this.next !== undefined;
  }

  /** The client's session that it is. */
  get servedId(): string {
    return this.serves ?? this.id;
  }

  /** The client's request. @throws (rejects with) SottoError: why there is no result. */
  infer(request: InferRequest): Promise<InferResult> {
    this.request = request;
    this.patience.renew();
    // what is done for a chunk while its client is idle is nobody's waiting
    if (request.input) this.watch = this.watched(request);
    const result = new Promise<InferResult>((resolve, reject) => {
      this.waiter = { resolve, reject };
    });
    this.prepare(request).catch((error) => this.fail(error));
    return result;
  }

  /** The input of a chunk, once its client has sent it, and what the chunk before left. */
  feed(input: Uint8Array, carried: Carried, arrived: number): void {
    if (this.ended) {
      dropCarried(this.context.ring, carried);
      return;
    }
    this.carried = carried;
    this.step(() => {
      const { request, run } = this;
      if (!request?.stream || request.input)
        throw new SottoError("internal", `session ${this.id} takes no further input`);
      if (run) checkShare(input, request, run);
      Object.assign(request, { input, arrived });
      this.watch = this.watched(request);
      this.patience.renew();
      this.begin();
    });
  }

  /** It was prepared ahead, and is a client's session from now on; the request may be on its way still. */
  assign(client: string): void {
    this.serves = client;
    this.evaluation?.window.move(this.context.ahead);
    this.context.log.debug(this.names, "prepared randomness assigned");
    this.patience.renew();
  }

  /** The request of the client whose session this is. */
  serve(client: InferRequest, watch?: Watch): void {
    this.watch = watch ?? this.watched(client);
    this.step(() => {
      const { request, run, setUp } = this;
      if (!request?.prepared || request.input || !run || !setUp)
        throw new SottoError("internal", `session ${this.servedId} takes no further input`);
      this.agree("plan", "the client", client.plan, setUp.model.hash);
      this.agree("sizes", "the client", sizesText(client.sizes), sizesText(request.sizes));
      if (!client.input) throw new SottoError("internal", `session ${this.servedId} has no input`);
      checkShare(client.input, request, run);
      Object.assign(request, { input: client.input, arrived: client.arrived });
      Object.assign(request, { look: client.look, roundTimes: client.roundTimes });
      this.patience.renew();
      this.watch?.enter("peer");
      this.begin();
    });
    if (this.ended) this.watch.end(new SottoError("unreachable", "ended before its request came"));
  }

  /** Leaves the client's request to a session that was prepared ahead. */
  continueAs({ session, result }: Pooled): void {
    const { request, waiter, watch } = this;
    session.assign(this.id);
    if (this.ended || this.dealt || !request || !waiter) {
      session.fail(new SottoError("protocol", `session ${this.id} is past being assigned randomness`));
      return;
    }
    this.next = session;
    this.end();
    this.onEnd(this);
    result.then(waiter.resolve, waiter.reject);
    session.serve(request, watch);
  }

  /** @param link over which its randomness comes, where there are several to the dealer's workers. */
  onDealt(message: Message<"dealt">, bytes: number, link?: Link): void {
    this.step(() => {
      if (this.dealt) return this.dealer.refuseCopy(link, this.id);
      this.dealt = message;
      this.dealtBytes = bytes;
      if (link) this.dealer.need(link);
      this.patience.renew();
      this.bind();
    });
  }

  onHello(message: Message<"hello">): void {
    this.step(() => {
      this.greeting.hear(message);
      this.patience.renew();
      this.begin();
    });
  }

  /** Ends the session, if it goes on. @param from who ended it, and need not be told. */
  fail(cause: unknown, from?: "peer" | "dealer"): void {
    if (this.next) this.next.fail(cause, from);
    if (this.ended) return;
    const error = asSottoError(cause);
    this.end();
    const { connections, log } = this.context;
    const abort = { type: "abort", session: this.id, ...stateError(error) } as const;
    for (const to of ["peer", "dealer"] as const) {
      const link = (to === "dealer" && this.dealer.link) || connections.get(to);
      if (to !== from) link?.control(abort);
    }
    this.watch?.end(error);
    const { code, message } = error;
    // a chunk that waits for its client's next step has not failed
    const level = this.isWaiting && !this.serves ? "debug" : failureLevel(code);
    log[level]({ ...this.names, code, message, round: this.evaluation?.rounds.round }, "session failed");
    this.waiter?.reject(error);
    this.onEnd(this, error);
  }

  /** For the log. */
  private get names() {
    return this.serves ? { session: this.serves, pooled: this.id } : { session: this.id };
  }

  private watched(request: InferRequest): Watch {
    return new Watch(this.context.tally, {
      session: this.servedId,
      name: "sotto.session",
      party: `server-${this.context.party}`,
      phase: "prepare",
      began: request.arrived,
      parent: request.trace,
      attributes: { "sotto.model": request.model },
    });
  }

  /** Waits for the set-up, and has server 0 ask the dealer. */
  private async prepare(request: InferRequest): Promise<void> {
    const { setups, connections, runs, party, timeoutMs } = this.context;
    const { stream } = request;
    const patience = Math.min(READY_WAIT_MS, timeoutMs / 2);
    const chosen = stream?.setUp ?? request.prepared?.setUp;
    const setUp = chosen ?? (await setups.whenReady(request.model, patience, request.plan));
    if (this.ended) return;
    const { model } = setUp;
    const chunk = stream && { steps: stream.steps, kind: stream.kind };
    if (request.input) checkStated(request.input.length, model.plan, request.sizes);
    const run = runs.get(model.plan, model.hash, request.sizes, chunk);
    if (request.input) checkShare(request.input, request, run);
    if (party === 0 && !chosen) {
      const pooled = this.takePooled(this.id, setUp, request);
      if (pooled) return this.continueAs(pooled);
    }
    this.run = run;
    this.setUp = this.hold(setUp);
    // another one of the dealer's workers may have dealt already, at server 1
    const dealer = this.dealer.link ?? this.dealer.need(connections.need("dealer"));
    if (party === 0) {
      dealer.control({
        type: "deal",
        session: this.id,
        setup: setUp.id,
        plan: model.hash,
        sizes: request.sizes,
        ...(chunk ? { chunk } : {}),
      });
    }
    // at server 1 it waits for its turn, until it is dealt
    if (party === 0) this.watch?.enter("dealer");
    this.bind();
  }

  /** Request and randomness are there: they must be of the same run; then they become a Party. */
  private bind(): void {
    const { dealt, run, request } = this;
    if (!dealt || !run || !request || !this.setUp) return;
    const setUp = this.setUpOf(dealt, this.setUp);
    this.setUp = setUp;
    const { connections } = this.context;
    this.agree("plan", "the dealer", dealt.plan, setUp.model.hash);
    this.agree("sizes", "the dealer", sizesText(dealt.sizes), sizesText(request.sizes));
    this.agree("steps", "the dealer", chunkText(dealt.chunk), chunkText(run.chunk));
    this.agree("set-up", "the dealer", dealt.setup, setUp.id);
    const peer = connections.need("peer");
    const dealer = this.dealer.link ?? connections.need("dealer");
    const lost = (error: SottoError) =>
      this.fail(peerLost(this.other, this.evaluation?.rounds, error), "peer");
    this.cleanUp.push(peer.onClose(lost));
    // what a server does not make from its seed alone, it waits for
    const starvedBy = this.corrected ? "dealer" : "compute";
    const evaluation = new Evaluation({
      context: this.context,
      ...{ run, setUp, dealt, peer, dealer, other: this.other },
      dealtBytes: this.dealtBytes,
      ahead: request.prepared?.ahead ?? this.context.ahead,
      timed: () => this.request?.roundTimes ?? false,
      events: {
        onStage: () => {
          this.patience.renew();
          this.begin();
        },
        onRound: () => {
          this.context.tally.rounds++;
          this.patience.renew();
        },
        onState: (state) => {
          if (state === "result") this.watch?.result();
          else if (state === "waiting") this.watch?.enter("peer");
          else this.watch?.enter(state === "starved" ? starvedBy : "compute");
        },
        onResult: (share) => this.finish(share),
        onFail: (error) => this.fail(error),
      },
    });
    this.cleanUp.push(() => evaluation.close());
    this.evaluation = evaluation;
    this.peer = peer;
    this.watch?.enter(starvedBy);
    evaluation.prepare();
  }

  /** A model may be set up anew while a request is on its way: what counts is what the randomness was made for. */
  private setUpOf(dealt: Message<"dealt">, expected: SetUp): SetUp {
    if (dealt.setup === expected.id) return expected;
    const newer = this.context.setups.byId(dealt.setup);
    return newer ? this.hold(newer) : expected;
  }

  private hold(setUp: SetUp): SetUp {
    const lease = setUp.lease.acquire();
    this.cleanUp.push(() => lease.release());
    return setUp;
  }

  /** Says hello once the randomness is prepared, and starts the rounds once the other server has said the same. */
  private begin(): void {
    const { greeting, dealt, run, evaluation, request, peer } = this;
    if (!dealt || !run || !evaluation || evaluation.begun || !request || !peer) return;
    // now, and not once all is prepared: it never would be
    greeting.checkDeal(this.servedId, dealt);
    if (!evaluation.ready) return;
    if (!greeting.said) {
      greeting.say(peer, this.id, dealt, run);
      this.watch?.enter("peer");
    }
    if (!greeting.heard) return;
    // before the input: a chunk's parties have agreed while its client was idle
    const { party } = this.context;
    const nonces = greeting.agreed((...of) => this.agree(...of), party, dealt, run);
    if (!request.input) {
      request.prepared?.onReady();
      return;
    }
    this.context.log.debug({ ...this.names, deal: dealt.deal }, "rounds begin");
    this.watch?.enter("compute");
    this.watch?.enterPhase("rounds");
    const { carried } = this;
    this.carried = new Map();
    evaluation.begin(request.input, nonces, carried);
  }

  private finish(output: Uint8Array): void {
    const { request, evaluation } = this;
    if (this.ended || !request?.input || !evaluation) return;
    const stats = evaluation.stats(request);
    const carried = evaluation.party.carry();
    this.end();
    const { rounds, onlineMs, offlineMs, onlineBytes, offlineBytes } = stats;
    this.watch?.end(undefined, { "sotto.rounds": rounds, "sotto.bytes": onlineBytes });
    const counts = { rounds, onlineMs, offlineMs, onlineBytes, offlineBytes };
    this.context.log.info({ ...this.names, model: request.model, ...counts }, "session done");
    const version = this.setUp?.model.deployment ?? "";
    this.waiter?.resolve({ output, stats, version, carried });
    this.onEnd(this);
  }

  private end(): void {
    this.ended = true;
    this.dealer.close();
    this.patience.end();
    // the last made is undone first: streams and Party before what they stand on
    for (const undo of this.cleanUp.reverse()) undo();
    this.cleanUp.length = 0;
    this.dealt = undefined;
    dropCarried(this.context.ring, this.carried);
  }

  private step(work: () => void): void {
    if (this.ended) return;
    try {
      work();
    } catch (error) {
      this.fail(error);
    }
  }

  private agree(what: string, who: string, theirs: string, ours: string): void {
    agree(this.servedId, what, who, theirs, `server ${this.context.party}`, ours);
  }

  /** Whether the dealer sends this server corrections, and not its seed alone. */
  private get corrected(): boolean {
    return this.context.party === 1 || (this.run?.cost.commonBytes ?? 0) > 0;
  }

  private dealerLost(error: SottoError): void {
    const { evaluation, run } = this;
    // needed until the last correction, or for the seed alone
    if (evaluation && run && (!this.corrected || evaluation.party.stagesPrepared === run.stages)) return;
    this.fail(dealerLost(this.context.connections.name("dealer"), error));
  }

  private wait() {
    const { servedId, request, dealt, greeting, evaluation, context, other } = this;
    return waitOf({
      session: servedId,
      index: context.party,
      corrected: this.corrected,
      peer: other,
      dealer: context.connections.name("dealer"),
      asked: request !== undefined && !(this.serves && this.isWaiting),
      idle: this.isWaiting && !this.serves && greeting.said && greeting.heard,
      dealt: dealt !== undefined,
      greeted: greeting.said,
      rounds: evaluation?.begun ? evaluation.rounds : undefined,
      pooled: this.serves !== undefined,
      stage: evaluation?.party.stagesPrepared,
    });
  }
}
