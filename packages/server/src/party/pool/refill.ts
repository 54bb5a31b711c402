/**
 * Correlated randomness ahead of demand. docs/protocol.md, "Ahead of demand".
 *
 * An entry is an ordinary session, under an id that server 0 draws: dealt for, prepared and agreed upon by both servers,
 * waiting for an input. When a client asks for what there is an entry for, server 0 takes it out of its pool and tells
 * server 1, which does the same: from there on it is that client's session, and nobody else's whatever becomes of it.
 */
import { SottoError } from "@sotto/core";
import { asSottoError, type Message, stateError } from "@sotto/wire";
import { newId } from "../../parties.js";
import { sizesText } from "../../runs.js";
import { Ahead } from "../ahead.js";
import type { Session } from "../session.js";
import type { InferRequest, InferResult, SessionContext } from "../session-types.js";
import type { SetUp } from "../setups.js";
import { Pool } from "./pool.js";

/** A session that was prepared ahead, and what becomes of it. */
export interface Pooled {
  session: Session;
  result: Promise<InferResult>;
  model: string;
}

export interface RefillOptions {
  /** Entries for each model and its sizes; 0: none. */
  depth: number;
  /** Bytes that all entries together may have prepared. */
  bytes: number;
  open: (id: string) => Session;
  /** Whether clients' sessions run: entries are made when there is nothing better to do. */
  busy: () => boolean;
}

/** After a failure, and twice that after each further one. */
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 60_000;

export class Refill {
  private readonly context: SessionContext;
  private readonly options: RefillOptions;
  private readonly pool: Pool<Pooled>;
  private readonly ahead: Ahead;
  /** The one that is being made. */
  private making: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private delay = 0;
  private closed = false;

  constructor(context: SessionContext, options: RefillOptions) {
    this.context = context;
    this.options = options;
    this.pool = new Pool(options.depth);
    this.ahead = new Ahead(options.bytes);
  }

  /** Entries that are ready, by model. */
  get depths(): ReadonlyMap<string, number> {
    const depths = new Map<string, number>();
    for (const { model } of this.pool.prepared) depths.set(model, (depths.get(model) ?? 0) + 1);
    return depths;
  }

  /** Server 0: the entry that serves this client's session from now on, if there is one; server 1 is told. */
  take(session: string, setUp: SetUp, request: InferRequest): Pooled | undefined {
    if (this.options.depth === 0 || this.closed || request.stream) return undefined;
    const kind = { setUp: setUp.id, sizes: sizesText(request.sizes) };
    dropped(this.pool.want(kind), "other sizes were asked for since");
    const pooled = this.pool.take(kind);
    if (pooled) {
      const assign = { type: "assign", session, pooled: pooled.session.id } as const;
      this.context.connections.need("peer").control(assign);
    }
    return pooled;
  }

  /** Server 1: the entry that server 0 has taken. */
  taken(id: string): Pooled | undefined {
    return this.pool.takeId(id);
  }

  /** Server 1: server 0 makes an entry. */
  onPrepare({ session, setup, sizes }: Message<"prepare">): void {
    const { setups, connections, party } = this.context;
    try {
      const { depth } = this.options;
      if (depth === 0 || this.closed || this.pool.size >= this.pool.capacity) {
        throw new SottoError(
          "busy",
          `server ${party} prepares no more randomness ahead (limits.pool: ${depth})`,
        );
      }
      const setUp = setups.byId(setup);
      if (!setUp) throw new SottoError("unreachable", `server ${party} does not know set-up ${setup}`);
      this.make(session, setUp, sizes);
    } catch (error) {
      const abort = { type: "abort", session, ...stateError(error) } as const;
      connections.get("peer")?.control(abort);
    }
  }

  /** A session has ended, on the pool's account or a client's: there may be something to do now. */
  onEnd(session: Session, failed: boolean): void {
    this.pool.takeId(session.id);
    if (this.making === session.id) {
      this.making = undefined;
      if (failed) this.delay = Math.min(Math.max(2 * this.delay, FIRST_DELAY_MS), MAX_DELAY_MS);
    }
    this.kick();
  }

  /** A set-up is replaced, removed, or lost. */
  forget(setUp: SetUp): void {
    dropped(this.pool.forget(setUp.id), `model ${setUp.model.name} is set up anew or removed`);
  }

  /** Drops every entry, and makes none any more. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.timer);
    dropped(this.pool.empty(), `server ${this.context.party} is shutting down`);
  }

  private kick(): void {
    const { party } = this.context;
    if (party !== 0 || this.closed || this.making || this.timer || !this.pool.missing) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.fill();
    }, this.delay);
    this.timer.unref();
  }

  /** Server 0: makes one entry; the end of the sessions that run now brings us here again. */
  private fill(): void {
    const kind = this.pool.missing;
    if (this.closed || this.making || !kind || this.options.busy()) return;
    const { setups, connections, log } = this.context;
    const setUp = setups.byId(kind.setUp);
    if (!setUp) {
      dropped(this.pool.forget(kind.setUp), "its set-up is gone");
      return;
    }
    const id = newId();
    const sizes = JSON.parse(kind.sizes) as Record<string, number>;
    try {
      connections.need("dealer");
      connections.need("peer").control({ type: "prepare", session: id, setup: setUp.id, sizes });
      this.making = id;
      this.make(id, setUp, sizes);
    } catch (error) {
      // without the others there is nothing to prepare for: the next client's session tries again
      this.making = undefined;
      log.debug({ session: id, reason: asSottoError(error).message }, "nothing prepared ahead");
    }
  }

  private make(id: string, setUp: SetUp, sizes: Record<string, number>): void {
    const { name, hash } = setUp.model;
    const session = this.options.open(id);
    const onReady = () => {
      this.pool.ready(id);
      this.context.log.debug({ session: id, model: name }, "prepared ahead");
      if (this.making !== id) return;
      this.making = undefined;
      this.delay = 0;
      this.kick();
    };
    const prepared = { setUp, ahead: this.ahead, onReady };
    const result = session.infer({ model: name, plan: hash, sizes, prepared, arrived: performance.now() });
    // nobody waits for it while it is in the pool
    result.catch(() => {});
    const item = { session, result, model: name };
    this.pool.add(id, { setUp: setUp.id, sizes: sizesText(sizes) }, item);
  }
}

function dropped(entries: Pooled[], why: string): void {
  for (const { session } of entries) session.fail(new SottoError("unreachable", why));
}
