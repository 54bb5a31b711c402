/**
 * The dealer above its connections: answers the servers' requests. It keeps nothing on disk, sees no share of
 * anything, and draws every seed anew from the operating system. Only server 0 asks; both are answered.
 */
import {
  DealerSetup,
  type Plan,
  planHash,
  type RandomBytes,
  type Ring,
  SEED_BYTES,
  SottoError,
} from "@sotto/core";
import {
  asSottoError,
  type ControlMessage,
  checkPlan,
  type Link,
  type Message,
  stateError,
} from "@sotto/wire";
import { admit } from "../admit.js";
import { Leased } from "../lease.js";
import type { Logger } from "../log.js";
import type { Gauges } from "../observe/registry.js";
import { Tally } from "../observe/tally.js";
import { Watch } from "../observe/watch.js";
import { hex } from "../parties.js";
import { type Run, Runs } from "../runs.js";
import { Seen } from "../seen.js";
import { Dealing } from "./dealing.js";

interface SetUp {
  plan: Plan;
  hash: string;
  lease: Leased<DealerSetup>;
}

type ServerRole = "server-0" | "server-1";

const MAX_SETUPS = 1024;
const MAX_DEALINGS = 1024;
const ID_BYTES = 16;
/** Bytes of the message with which server 0 gives a plan. */
const MAX_PLAN_MESSAGE = 8 * 2 ** 20;

export class Desk {
  private readonly ring: Ring;
  private readonly random: RandomBytes;
  private readonly log: Logger;
  private readonly runs = new Runs();
  private readonly links = new Map<ServerRole, Link>();
  private readonly setups = new Map<string, SetUp>();
  private readonly dealings = new Map<string, Dealing>();
  private readonly seen = new Seen();
  private readonly tally: Tally;
  private leaderBoot: string | undefined;
  /** Set while no session is dealt for any more: who waits for the last dealing to end. */
  private draining: (() => void)[] | undefined;

  constructor(ring: Ring, random: RandomBytes, log: Logger, tally = new Tally()) {
    this.tally = tally;
    this.ring = ring;
    this.random = random;
    this.log = log;
  }

  /** @throws (rejects with) SottoError conflict when another process has the role. */
  admit(role: ServerRole, boot: string): Promise<void> {
    return admit(this.links.get(role), role, boot);
  }

  /** A server has connected; an earlier connection of the same role is closed. */
  connected(role: ServerRole, link: Link): void {
    this.links.get(role)?.close();
    this.links.set(role, link);
    this.log.info({ role }, "connected");
    if (role === "server-0" && this.leaderBoot !== link.remoteBoot) {
      // another process: it cannot know the set-ups of the one before
      for (const id of [...this.setups.keys()]) this.drop(id);
      this.leaderBoot = link.remoteBoot;
    }
    if (role === "server-0") link.maxControl = MAX_PLAN_MESSAGE;
    link.onControl = (message) => this.take(role, link, message);
    link.onClose((error) => {
      if (this.links.get(role) === link) this.links.delete(role);
      this.log.info({ role, reason: error.message }, "disconnected");
      for (const d of [...this.dealings.values()]) if (d.needs(link)) d.cancel();
    });
  }

  /** @throws SottoError unreachable while the dealer cannot deal. */
  checkReady(): void {
    this.checkOpen();
    this.both();
  }

  get gauges(): Pick<Gauges, "connections" | "models"> {
    return {
      connections: () => ({ "server-0": this.links.has("server-0"), "server-1": this.links.has("server-1") }),
      models: () => ({ stored: this.setups.size, ready: this.setups.size }),
    };
  }

  /** Deals for no new session from now on; resolves when the last dealing has ended. */
  drain(): Promise<void> {
    this.draining ??= [];
    if (this.dealings.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.draining?.push(resolve));
  }

  close(): void {
    for (const link of this.links.values()) link.close();
  }

  private take(role: ServerRole, link: Link, message: ControlMessage): void {
    const session = "session" in message ? message.session : undefined;
    const setup = "setup" in message ? message.setup : undefined;
    const about = session ?? setup ?? "";
    try {
      this.answer(role, message);
    } catch (error) {
      const { code, message: text } = asSottoError(error);
      if (message.type === "deal") this.tally.ended(code);
      this.log.warn({ role, session, setup, type: message.type, code, message: text }, "request refused");
      link.control({ type: "refused", about, ...stateError(error) });
    }
  }

  private answer(role: ServerRole, message: ControlMessage): void {
    switch (message.type) {
      case "setup-request":
      case "deal":
      case "setup-drop":
        if (role !== "server-0") {
          throw new SottoError("protocol", `${message.type} comes from server-0, not from ${role}`);
        }
        if (message.type === "setup-request") this.setUp(message);
        else if (message.type === "deal") this.deal(message);
        else this.drop(message.setup);
        return;
      case "credit":
        this.dealings.get(message.deal)?.grant(role === "server-0" ? 0 : 1, message.stages);
        return;
      case "abort":
        for (const d of this.dealings.values()) if (d.session === message.session) d.cancel();
        return;
      case "refused":
      case "unknown-frame":
        this.log.debug({ role, type: message.type }, "not taken by the server");
        return;
      default:
        throw new SottoError("protocol", `a dealer takes no message of type ${message.type}`);
    }
  }

  private setUp({ setup, plan: stated }: Message<"setup-request">): void {
    const links = this.both();
    if (this.setups.has(setup)) throw new SottoError("conflict", `set-up ${setup} exists already`);
    if (this.setups.size >= MAX_SETUPS)
      throw new SottoError("conflict", `${MAX_SETUPS} models are set up already`);
    const plan = checkPlan(stated);
    const hash = planHash(plan);
    const seeds = [this.random(SEED_BYTES), this.random(SEED_BYTES)] as const;
    this.setups.set(setup, { plan, hash, lease: new Leased(DealerSetup.fromSeeds(this.ring, plan, seeds)) });
    links.forEach((link, i) => {
      link.control({ type: "setup-seed", setup, plan: hash, seed: hex(seeds[i]!) });
    });
    this.log.info({ setup, model: plan.name, plan: hash }, "set-up dealt");
  }

  private deal({ session, setup, plan, sizes, chunk }: Message<"deal">): void {
    this.checkOpen();
    const links = this.both();
    const known = this.setups.get(setup);
    if (!known) {
      links[0].control({ type: "setup-drop", setup });
      throw new SottoError("conflict", `unknown setup ${setup}; the dealer may have been restarted`);
    }
    if (known.hash !== plan) {
      throw new SottoError(
        "plan-mismatch",
        `set-up ${setup} is of plan ${known.hash}, the session states plan ${plan}`,
      );
    }
    if (this.dealings.size >= MAX_DEALINGS) {
      throw new SottoError("unreachable", `the dealer serves ${MAX_DEALINGS} sessions already; try again`);
    }
    const run = this.runs.get(known.plan, plan, sizes, chunk);
    if (!this.seen.add(session)) {
      throw new SottoError("conflict", `session ${session} has had its randomness; open a new session`);
    }
    this.send({ session, setup, sizes, chunk }, run, known, links);
  }

  private send(
    about: Pick<Message<"deal">, "session" | "setup" | "sizes" | "chunk">,
    run: Run,
    known: SetUp,
    links: [Link, Link],
  ): void {
    const { session } = about;
    const deal = hex(this.random(ID_BYTES));
    const seeds = [this.random(SEED_BYTES), this.random(SEED_BYTES)] as const;
    const began = performance.now();
    const watch = new Watch(this.tally, {
      session,
      name: "sotto.deal",
      party: "dealer",
      phase: "deal",
      attributes: { "sotto.deal": deal },
    });
    watch.enter("peer");
    const dealing = new Dealing({
      ring: this.ring,
      session,
      deal,
      run,
      setup: known.lease.acquire(),
      seeds,
      links,
      watch,
      onEnd: (error) => {
        this.dealings.delete(deal);
        this.ended(dealing, watch, performance.now() - began, error);
      },
    });
    this.dealings.set(deal, dealing);
    const { hash } = known;
    links.forEach((link, i) => {
      link.control({
        type: "dealt",
        ...about,
        deal,
        plan: hash,
        seed: hex(seeds[i]!),
      });
    });
    this.log.debug({ session, deal, stages: run.stages, bytes: run.cost.correctionBytes }, "dealing");
  }

  private ended(dealing: Dealing, watch: Watch, ms: number, cause: unknown): void {
    const { session, deal, done } = dealing;
    if (cause) {
      const error = asSottoError(cause);
      watch.end(error);
      this.tally.ended(error.code);
      this.log.error({ session, deal, code: error.code, message: error.message }, "dealing failed");
      for (const l of this.links.values()) l.control({ type: "abort", session, ...stateError(error) });
    } else {
      watch.end(done ? undefined : new SottoError("unreachable", "the servers ended the session"));
      this.tally.ended(done ? "ok" : "aborted");
      this.log.info({ session, deal, ms }, done ? "session dealt" : "dealing ended early");
    }
    if (this.draining && this.dealings.size === 0) for (const resolve of this.draining) resolve();
  }

  private checkOpen(): void {
    if (!this.draining) return;
    throw new SottoError(
      "unreachable",
      "the dealer is shutting down and deals for no new session; try again",
    );
  }

  private drop(id: string): void {
    this.setups.get(id)?.lease.release();
    this.setups.delete(id);
  }

  private both(): [Link, Link] {
    const [a, b] = [this.links.get("server-0"), this.links.get("server-1")];
    if (!a || !b) {
      throw new SottoError(
        "unreachable",
        `server ${a ? 1 : 0} is not connected to the dealer; it comes back by itself`,
      );
    }
    return [a, b];
  }
}
